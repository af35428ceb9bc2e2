package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/unstale/unstale/internal/deploy"
)

// signalled is a context that Ctrl-C has ended.
func signalled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted{signal: syscall.SIGINT})
	return ctx
}

// Only what comes of the interruption is replaced by it.
func TestCutOff(t *testing.T) {
	broken := fmt.Errorf("ask AWS: %w", context.Canceled)
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{signalled(t), nil, "<nil>"},
		{signalled(t), withTry(broken, "something else"), "interrupted"},
		{signalled(t), usage{broken}, "interrupted"},
		{signalled(t), errors.New(broken.Error()), "interrupted"},
		{signalled(t), coded{broken, exitInProgress}, "ask AWS: context canceled"},
		{signalled(t), errors.New("another"), "another"},
		{t.Context(), broken, "ask AWS: context canceled"},
	} {
		if got := fmt.Sprint(cutOff(tt.ctx, tt.err)); got != tt.want {
			t.Errorf("%v became %s, want %s", tt.err, got, tt.want)
		}
	}
}

// A question at a terminal where nobody answers ends with the context.
func TestAskedAndInterrupted(t *testing.T) {
	silent, person := io.Pipe()
	defer person.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	var out bytes.Buffer
	s := &deploySession{out: &out, in: bufio.NewReader(untilDone{ctx, silent})}
	asked := make(chan error, 1)
	go func() {
		_, err := s.ask("Do it?")
		asked <- err
	}()
	cancel(interrupted{signal: syscall.SIGINT})
	err := explain(ctx, <-asked, deployFlags{})
	var h hinted
	var cause interrupted
	if !errors.As(err, &cause) || err.Error() != "interrupted" || !errors.As(err, &h) || h.try == "" {
		t.Errorf("err = %v, try %q", err, h.try)
	}
	if out.String() != "Do it? [y/N] \n" {
		t.Errorf("printed %q", out.String())
	}
	err = explain(ctx, &deploy.GoesOn{Stack: "shop-base", Status: "CREATE_IN_PROGRESS", Err: context.Canceled}, deployFlags{})
	if err.Error() != "interrupted: stack shop-base is CREATE_IN_PROGRESS and goes on at AWS" {
		t.Errorf("err = %v", err)
	}
}

func TestUntilDone(t *testing.T) {
	got, err := io.ReadAll(untilDone{t.Context(), bytes.NewReader(make([]byte, 2000))})
	if err != nil || len(got) != 2000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := io.ReadAll(untilDone{signalled(t), bytes.NewReader(nil)}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// A parameter that is to blame is named, whoever blames it.
func TestExplainParameter(t *testing.T) {
	for text, want := range map[string]string{
		"the architecture arm64 on this machine, which is x86_64: give Architecture=x86_64": "the same command with --param Architecture=x86_64",
		"Parameter 'Branch' must match pattern [a-z]+":                                      "the same command with --param Branch=VALUE",
		"PurgeRole: it exists already":                                                      "the same command again, once the cause is gone; what is done already is left alone",
	} {
		var h hinted
		if err := explain(t.Context(), errors.New(text), deployFlags{}); !errors.As(err, &h) || h.try != want {
			t.Errorf("%s: try %q, want %q", text, h.try, want)
		}
	}
}
