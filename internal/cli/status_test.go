package cli

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"syscall"
	"testing"
)

// Whoever interrupts status is not shown a table in which what was not looked at any more seems to fail.
func TestStatusInterrupted(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		asked := make(chan struct{}, 1)
		w := answering(t, func(_ http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
		})
		t.Setenv("XDG_STATE_HOME", t.TempDir())
		ctx, interrupt := context.WithCancelCause(w)
		go func() {
			<-asked
			interrupt(interrupted{signal: syscall.SIGINT})
		}()
		var stdout, stderr bytes.Buffer
		err := status(ctx, statusFlags{aim: aim{accounts: 1, profile: "becomes", domain: "www.example.com"}, last: 5, json: asJSON}, nil, &stdout, &stderr)
		var cause interrupted
		if !errors.As(err, &cause) || stdout.Len() > 0 || stderr.Len() > 0 {
			t.Errorf("json %t: %v\n%s%s", asJSON, err, &stdout, &stderr)
		}
		interrupt(nil)
	}
}
