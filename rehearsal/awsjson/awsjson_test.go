package awsjson_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/awsjson"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

type input struct {
	Name string `json:"name"`
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ body, name, code string }{
		{`{"name":"a"}`, "a", ""},
		{"", "", ""},
		{" \n", "", ""},
		{`{}`, "", ""},
		{`{"name":"a","more":1}`, "", "NotEmulated"},
		{`{"name":1}`, "", "SerializationException"},
		{`[`, "", "SerializationException"},
	} {
		in, err := awsjson.Decode[input]([]byte(tt.body))
		var e *wire.Error
		if errors.As(err, &e); (err != nil) != (tt.code != "") || err != nil && e.Code != tt.code {
			t.Errorf("%q: %v, want %q", tt.body, err, tt.code)
		}
		if err == nil && in.Name != tt.name {
			t.Errorf("%q: name %q", tt.body, in.Name)
		}
	}
}

func TestHandler(t *testing.T) {
	h := awsjson.Handler{Prefix: "Service_1", Operations: map[string]awsjson.Operation{
		"Good": awsjson.Op(func(context.Context, front.Call, input) (any, error) { return map[string]int{"a": 1}, nil }),
		"Mute": awsjson.Op(func(context.Context, front.Call, input) (any, error) { return nil, nil }),
		"Bad":  awsjson.Op(func(context.Context, front.Call, input) (any, error) { return nil, wire.Denied("no") }),
	}}
	for _, tt := range []struct {
		target, body string
		status       int
	}{
		{"Service_1.Good", `{"a":1}`, 200},
		{"Service_1.Mute", "", 200},
		{"Service_1.Bad", `"__type":"AccessDeniedException"`, 403},
		{"Service_1.Other", `"__type":"NotEmulated"`, 501},
		{"Service_2.Good", `"__type":"NotEmulated"`, 501},
		{"", `"__type":"NotEmulated"`, 501},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
		r.Header.Set("X-Amz-Target", tt.target)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || !strings.Contains(got, tt.body) || tt.body == "" && got != "" {
			t.Errorf("%q: %d %s", tt.target, w.Code, got)
		}
	}
}

func TestTime(t *testing.T) {
	raw, err := json.Marshal(awsjson.Time(time.UnixMilli(1_700_000_000_123)))
	if err != nil || string(raw) != "1700000000.123" {
		t.Errorf("%s %v", raw, err)
	}
}
