package gateway

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/invalidation"
)

// The text on the wire is a contract between two accounts, which deploy at different times.
func TestWireGolden(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{
			Request{Version: 1, Operation: OpCreate, Distribution: "E1", Items: []string{"/*"}, Reference: "r"},
			`{"version":1,"operation":"create","distribution":"E1","items":["/*"],"reference":"r"}`,
		},
		{Request{Version: 1, Operation: OpInProgress}, `{"version":1,"operation":"inProgress"}`},
		{Response{Version: 1, Invalidations: []invalidation.Invalidation{}}, `{"version":1,"invalidations":[]}`},
		{
			Response{Version: 1, Invalidation: &invalidation.Invalidation{ID: "I1", Distribution: "E1", Reference: "r", Items: []string{"/*"}, Status: "InProgress"}},
			`{"version":1,"invalidation":{"id":"I1","distribution":"E1","reference":"r","items":["/*"],"status":"InProgress","created":"0001-01-01T00:00:00Z"}}`,
		},
		{
			Fail(&Error{Code: "AccessDenied", Message: "m", Status: 403, Caller: "c", Action: "a", Resource: "r", Try: "t", Temporary: true}),
			`{"version":1,"error":{"code":"AccessDenied","message":"m","status":403,"caller":"c","action":"a","resource":"r","try":"t","temporary":true}}`,
		},
		{Fail(errors.New("odd")), `{"version":1,"error":{"code":"BadRequest","message":"odd"}}`},
	}
	for _, tt := range tests {
		got, err := json.Marshal(tt.value)
		if string(got) != tt.want || err != nil {
			t.Errorf("%+v: %s, %v", tt.value, got, err)
		}
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	tests := []struct{ name, event, want string }{
		{"the article's event", `{}`, "it has no version; nothing was done"},
		{"a job event", `{"CodePipeline.job":{"id":"x"}}`, "it has no version; nothing was done"},
		{"an EventBridge event", `{"version":"0","id":"x","detail-type":"y"}`, "read request: json:"},
		{"null", `null`, "it has no version; nothing was done"},
		{"a list", `[]`, "read request: json: cannot unmarshal array"},
		{"text", `"hello"`, "read request: json: cannot unmarshal string"},
		{"nothing", ``, "read request: EOF"},
		{"another version", `{"version":2,"operation":"distribution"}`, "the request has version 2, not 1"},
		{"unknown member", `{"version":1,"operation":"distribution","wait":true}`, `unknown field "wait"`},
		{"two values", `{"version":1,"operation":"distribution"}{}`, "something follows the JSON value"},
		{"no operation", `{"version":1}`, `there is no operation ""`},
		{"other operation", `{"version":1,"operation":"delete"}`, `there is no operation "delete"`},
		{"items missing", `{"version":1,"operation":"create","reference":"r"}`, "operation create lacks a member or has one too many"},
		{"reference missing", `{"version":1,"operation":"create","items":["/*"]}`, "operation create lacks"},
		{"id missing", `{"version":1,"operation":"get"}`, "operation get lacks"},
		{"no items", `{"version":1,"operation":"create","items":[],"reference":"r"}`, "operation create lacks"},
		{"items to no purpose", `{"version":1,"operation":"get","id":"I1","items":[]}`, "operation get lacks"},
		{"id to no purpose", `{"version":1,"operation":"distribution","id":"I1"}`, "operation distribution lacks"},
		{"long id", `{"version":1,"operation":"get","id":"` + strings.Repeat("I", 65) + `"}`, "an ID has more than 64 characters"},
		{"too large", `{"version":1,"operation":"get","id":"` + strings.Repeat("I", MaxMessage) + `"}`, "bytes, more than 6291456"},
	}
	for _, tt := range tests {
		got, err := DecodeRequest([]byte(tt.event))
		var e *Error
		if !errors.As(err, &e) || e.Code != BadRequest || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !cmp.Equal(got, Request{}) {
			t.Errorf("%s: something is left of it: %+v", tt.name, got)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"version":1,"operation":"create","distribution":"E1","items":["/*"],"reference":"r"}`))
	f.Add([]byte(`{"version":1,"operation":"get","id":"I1"}`))
	f.Add([]byte(`{"version":1,"operation":"inProgress"}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"VERSION":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		request, err := DecodeRequest(raw)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != BadRequest || len(e.Message) > len(raw)+200 {
				t.Fatalf("DecodeRequest(%q): %v", raw, err)
			}
			return
		}
		text, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeRequest(text); err != nil || !cmp.Equal(again, request) {
			t.Fatalf("%q reads as %+v, and again as %+v, %v", raw, request, again, err)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add([]byte(`{"version":1,"invalidations":[]}`))
	f.Add([]byte(`{"version":1,"error":{"code":"c","message":"m"}}`))
	f.Add([]byte(`{"version":1,"distribution":{"id":"E1"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := decodeResponse(raw); err == nil && r.Version != Version {
			t.Fatalf("%q reads as %+v", raw, r)
		}
	})
}
