package scrub

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	keyID = "ASIAEXAMPLEEXAMPLE01"
	token = "IQoJb3JpZ2luX2VjEOWN//the+session+token=="
)

func TestText(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"nothing here", "nothing here"},
		{token, Hidden},
		{"x-amz-security-token:" + token + "\n" + keyID, "x-amz-security-token:" + Hidden + "\n" + Hidden},
		{"short", "short"},
	} {
		if got := New(keyID, "", "short", token).Text(tt.text); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
	if got := (Scrubber{}).Text(token); got != token {
		t.Errorf("the zero value changes the text to %q", got)
	}
}

func TestNoCredentialStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{token, keyID, token[:20], "a", "\"", " "})).Draw(t, "parts")
		got := New(token, keyID).Text(strings.Join(parts, ""))
		if strings.Contains(got, token) || strings.Contains(got, keyID) {
			t.Errorf("%q", got)
		}
	})
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log := New(keyID, token).Logger(slog.New(slog.NewJSONHandler(&out, nil)))
	log.With("a", keyID).WithGroup("g").Info(token,
		"text", "x "+token+" y", "list", []string{keyID, "fine"}, "error", errors.New(token), "number", 7,
		slog.Group("h", "inner", token), "any", struct{ S string }{keyID})
	if text := out.String(); strings.Contains(text, token) || strings.Contains(text, keyID) {
		t.Error(text)
	}
	for _, want := range []string{`"number":7`, `"list":["[credentials]","fine"]`, `"text":"x [credentials] y"`, `"g":{`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, &out)
		}
	}
}
