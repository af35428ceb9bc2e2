package job

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/store"
)

// ownTok is the session token of the function itself.
const ownTok = "IQoJb3JpZ2luX2VjEOWN//the+function's+own"

// leaks reports whether text holds any of the marker credentials, also as JSON or %x write them.
func leaks(text string) bool {
	for _, secret := range []string{secretID, secretKey, secretTok, ownTok} {
		if strings.Contains(text, secret) || strings.Contains(strings.ReplaceAll(text, `\/`, "/"), secret) ||
			strings.Contains(text, fmt.Sprintf("%x", secret)) {
			return true
		}
	}
	return false
}

// Whatever becomes of a job, its credentials are neither in the log nor in an answer nor in an error.
func TestCredentialsStayOut(t *testing.T) {
	all := secretID + " " + secretKey + " " + secretTok
	event := jobEvent(firstJob, "", "", 1)
	for _, tt := range []struct {
		what   string
		event  []byte
		change func(*world)
	}{
		{"success", event, nil},
		{"continuation", event, func(w *world) { w.distributions["default"].takes = time.Hour }},
		{"a forged token that quotes them", jobEvent(firstJob, "", `{"v":1,"c":"`+all+`","b":{}}`, 1), nil},
		{"parameters that quote them", jobEvent(firstJob, `{"`+secretKey+`": "`+secretTok+`"}`, "", 1), nil},
		{"a release that quotes them", jobEvent(firstJob, `{"release": "`+secretTok+`"}`, "", 1), nil},
		{"a gateway's error that quotes them", event, func(w *world) {
			w.distributions["default"].fail = map[string]error{"create": &gateway.Error{
				Code: gateway.AccessDenied, Message: all, Caller: secretID, Action: secretKey, Resource: secretTok, Try: all,
			}}
		}},
		{"a store's error that quotes them", event, func(w *world) {
			w.shelf.fail = &store.Error{Bucket: secretKey, Key: secretTok, Err: errors.New(all)}
		}},
		{"a gateway's panic", event, func(w *world) { w.distributions["default"].panics = errors.New(all) }},
		{"a panic with the credentials themselves", event, func(w *world) {
			w.distributions["default"].panics = Credentials{secretID, secretKey, secretTok}
		}},
		{"a store's panic", event, func(w *world) { w.shelf.panics = true }},
		{"the answerer's panic", event, func(w *world) { w.desk.panics = true }},
		{"an answer that is refused", event, func(w *world) {
			w.desk.fails = []error{&AnswerError{Code: "ValidationException", Err: errors.New("1 validation error: " + all)}}
		}},
		{"an error that quotes the function's own", event, func(w *world) {
			w.distributions["default"].fail = map[string]error{"create": &gateway.Error{Code: "SignatureDoesNotMatch", Message: "x-amz-security-token:" + ownTok}}
		}},
		{"bad JSON", event[:len(event)-1], nil},
		{"JSON cut short", event[:len(event)/2], nil},
		{"another shape", bytes.Replace(event, []byte(`"inputArtifacts":[`), []byte(`"inputArtifacts":["`+secretTok+`",`), 1), nil},
		{"credentials of another shape", bytes.Replace(event, []byte(`1575493418000`), []byte(`{"`+secretTok+`":7}`), 1), nil},
		{"a number where a text belongs", bytes.Replace(event, []byte(`"token"`), []byte(`7`), 1), nil},
		{"no job", []byte(`{"artifactCredentials": "` + all + `"}`), nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, one(&distribution{}))
				if tt.change != nil {
					tt.change(w)
				}
				err := w.run(t, time.Minute, tt.event)
				if leaks(w.log.String()) {
					t.Errorf("in the log:\n%s", w.log)
				}
				if leaks(fmt.Sprintf("%+v", w.desk.answers)) {
					t.Errorf("in an answer: %+v", w.desk.answers)
				}
				if err != nil && leaks(err.Error()) {
					t.Errorf("in the error: %v", err)
				}
				if w.log.Len() == 0 {
					t.Error("nothing is logged at all")
				}
			})
		})
	}
}

// The store does get them, though: that is what they are for.
func TestTheStoreGetsTheCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, one(&distribution{}))
		if err := w.run(t, time.Minute, jobEvent(firstJob, "", "", 1)); err != nil {
			t.Fatal(err)
		}
		if got := w.shelf.got; got != (Credentials{secretID, secretKey, secretTok}) {
			t.Error("the store was opened with others")
		}
	})
}

func TestScrubbedLogger(t *testing.T) {
	var buf bytes.Buffer
	log := newScrubber(Credentials{secretID, secretKey, secretTok}).Logger(slog.New(slog.NewJSONHandler(&buf, nil)))
	log.With("a", secretID).WithGroup("g").Info(secretKey,
		"text", "x "+secretTok+" y", "list", []string{secretID}, "error", errors.New(secretKey), "number", 7,
		slog.Group("h", "inner", secretTok), "any", struct{ S string }{secretID}, "credentials", Credentials{secretID, secretKey, secretTok})
	if leaks(buf.String()) || !strings.Contains(buf.String(), `"number":7`) || !strings.Contains(buf.String(), `"list":["[credentials]"]`) {
		t.Error(buf.String())
	}
	// Texts too short to be credentials are left alone: replacing "a" would garble everything.
	buf.Reset()
	newScrubber(Credentials{"a", "", "b"}).Logger(slog.New(slog.NewJSONHandler(&buf, nil))).Info("a b")
	if !strings.Contains(buf.String(), `"msg":"a b"`) {
		t.Error(buf.String())
	}
}

// What the parameters quote of the credentials does not leave the function either: a release's name
// travels to the delivery account's log.
func TestParametersAreScrubbedBeforeUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, one(&distribution{}))
		if err := w.run(t, time.Minute, jobEvent(firstJob, `{"release": "r `+secretTok+`"}`, "", 1)); err != nil {
			t.Fatal(err)
		}
		if len(w.releases) != 1 || w.releases[0] != "r [credentials]" {
			t.Errorf("the gateway is told the releases %q", w.releases)
		}
	})
}

// The line about the answer tells what was worked on, as the lines before it do.
func TestAnswerIsLoggedWithWhatItIsAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, one(&distribution{}))
		if err := w.run(t, time.Minute, jobEvent(firstJob, `{"release": "r7"}`, "", 1)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		last := lines[len(lines)-1]
		for _, want := range []string{`"msg":"answered"`, `"targets":["default"]`, `"release":"r7"`, `"references":["unstale-1-`} {
			if !strings.Contains(last, want) {
				t.Errorf("no %s in %s", want, last)
			}
		}
	})
}
