package wire_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/wire"
)

func TestErrors(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		code   string
		status int
	}{
		{"plain status is 400", wire.Errorf(0, "ValidationError", "no %s", "name"), "ValidationError", 400},
		{"denied", wire.Denied("User: x"), "AccessDenied", 403},
		{"not emulated", wire.NotEmulated("s3:%s", "X"), "NotEmulated", 501},
		{"wrapped", fmt.Errorf("deploy: %w", wire.Errorf(404, "NoSuchEntity", "x")), "NoSuchEntity", 404},
		{"foreign", errors.New("disk full"), "InternalFailure", 500},
	}
	for _, tt := range tests {
		e := wire.AsError(tt.err)
		if e.Code != tt.code || e.HTTPStatus() != tt.status {
			t.Errorf("%s: %d %s, want %d %s", tt.name, e.HTTPStatus(), e.Code, tt.status, tt.code)
		}
	}
}

// TestCauseStaysHere: what is meant for the journal never reaches a client.
func TestCauseStaysHere(t *testing.T) {
	err := &wire.Error{Code: "AccessDenied", Message: "no", Status: 403, Cause: "secret reason"}
	for name, write := range map[string]func(*httptest.ResponseRecorder){
		"json": func(w *httptest.ResponseRecorder) { wire.WriteJSONError(w, "id", err) },
		"xml":  func(w *httptest.ResponseRecorder) { wire.WriteXMLError(w, "id", err) },
		"s3":   func(w *httptest.ResponseRecorder) { wire.WriteS3Error(w, "id", err) },
	} {
		w := httptest.NewRecorder()
		write(w)
		if body := w.Body.String(); len(body) == 0 || w.Code != 403 || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", name, w.Code, body)
		}
	}
}

func TestJSONError(t *testing.T) {
	w := httptest.NewRecorder()
	wire.WriteJSONError(w, "id", wire.Denied("User: x"))
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body["__type"] != "AccessDeniedException" || body["message"] != "User: x" || w.Header().Get("X-Amzn-Errortype") != "AccessDeniedException" {
		t.Errorf("%v %v", body, w.Header())
	}
}

func TestXMLErrors(t *testing.T) {
	var out struct {
		XMLName   xml.Name
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		RequestID string `xml:"RequestId"`
	}
	for status, kind := range map[int]string{400: "Sender", 503: "Receiver"} {
		w := httptest.NewRecorder()
		wire.WriteXMLError(w, "id", wire.Errorf(status, "Throttling", "Rate exceeded"))
		if err := xml.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		if out.Type != kind || out.Code != "Throttling" || out.RequestID != "id" || w.Code != status {
			t.Errorf("%d: %+v", w.Code, out)
		}
	}
}

func TestQueryResult(t *testing.T) {
	w := httptest.NewRecorder()
	wire.WriteQuery(w, "id", "urn:x", "GetRole", struct{ Name string }{"r"})
	var out struct {
		XMLName   xml.Name `xml:"urn:x GetRoleResponse"`
		Name      string   `xml:"GetRoleResult>Name"`
		RequestID string   `xml:"ResponseMetadata>RequestId"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &out); err != nil || out.Name != "r" || out.RequestID != "id" {
		t.Errorf("%+v, %v: %s", out, err, w.Body)
	}
	w = httptest.NewRecorder()
	wire.WriteJSON(w, "id", 200, nil)
	if w.Body.Len() != 0 {
		t.Errorf("nil is written as %q", w.Body)
	}
}
