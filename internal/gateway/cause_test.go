package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/invalidator"
)

// The cause of a call is sent with it and logged on the other side; without one nothing is sent.
func TestRelayTellsTheCause(t *testing.T) {
	for _, tt := range []struct {
		what         string
		in           func(context.Context) context.Context
		sends, lacks string
	}{
		{"a cause", gateway.Cause{Release: "r1", Target: "shop"}.In, `"cause":{"release":"r1","target":"shop"}`, "\x00"},
		{"half a cause", gateway.Cause{Target: "shop"}.In, `"cause":{"target":"shop"}`, "release"},
		{"an empty cause", gateway.Cause{}.In, `"operation":"get"`, "cause"},
		{"none", func(ctx context.Context) context.Context { return ctx }, `"operation":"get"`, "cause"},
	} {
		var sent string
		gate := relay(t, lambdaOf(t, func(_ *http.Request, event []byte) ([]byte, error) {
			sent = string(event)
			return nil, errors.New("{}")
		}))
		_, _ = gate.Get(tt.in(t.Context()), "I1") // what it answers is another test's matter
		if !strings.Contains(sent, tt.sends) || strings.Contains(sent, tt.lacks) {
			t.Errorf("%s: sent %s", tt.what, sent)
		}
		if _, err := gateway.DecodeRequest([]byte(sent)); err != nil {
			t.Errorf("%s: the other side refuses it: %v", tt.what, err)
		}
	}
}

func TestInvalidatorLogsTheCause(t *testing.T) {
	var log bytes.Buffer
	h := invalidator.Handler{Log: slog.New(slog.NewJSONHandler(&log, nil)), Now: time.Now}
	event := `{"version":1,"operation":"get","id":"I1","distribution":"E1","cause":{"release":"` + strings.Repeat("r", 5000) + `","target":"shop"}}`
	if _, err := h.Handle(t.Context(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, `"release":"`+strings.Repeat("r", 200)+`","target":"shop"`) {
		t.Error(text)
	}
}
