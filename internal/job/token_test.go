package job

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// progress of a target, as long as it gets in practice.
func progress(stage purge.Stage) purge.Progress {
	p := purge.Progress{Stage: stage, Distribution: "E2QWRUHAPOMQZL"}
	if stage != purge.Planned {
		p.ID, p.Reference = "I2J0I21PCUYOIK1234567890ABCD", invalidation.Reference("a", "b", nil)
		p.Created, p.Noted = noon.UnixMilli(), noon.UnixMilli()
	}
	if stage == purge.Seen {
		p.Pages, p.Compared, p.POP = 22, 22, "FRA56-P12"
	}
	return p
}

func drawToken(t *rapid.T) (binding, token) {
	b := binding{function: rapid.String().Draw(t, "function")}
	k := token{
		attempt: rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`).Draw(t, "attempt"),
		started: time.UnixMilli(rapid.Int64Range(1, noon.UnixMilli()).Draw(t, "started")).UTC(),
	}
	for range rapid.IntRange(1, maxTargets).Draw(t, "targets") {
		b.targets = append(b.targets, rapid.StringMatching(`[a-zA-Z0-9._-]{1,64}`).Draw(t, "name"))
		k.progress = append(k.progress, progress(rapid.SampledFrom([]purge.Stage{
			purge.Planned, purge.Created, purge.Completed, purge.Seen,
		}).Draw(t, "stage")))
	}
	return b, k
}

// A token of the most targets fits, and is read back as it was.
func TestTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, want := drawToken(t)
		text, err := b.seal(want)
		if err != nil || len(text) > maxToken {
			t.Fatalf("%d characters, %v", len(text), err)
		}
		got, err := b.open(text, noon)
		if err != nil || got.attempt != want.attempt || !got.started.Equal(want.started) {
			t.Fatalf("%+v, %v", got, err)
		}
		if diff := cmp.Diff(want.progress, got.progress); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Any change of a byte, any cut, any other function or list of targets is noticed.
func TestTokenIsGuarded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, k := drawToken(t)
		text, err := b.seal(k)
		if err != nil {
			t.Fatal(err)
		}
		other, changed := b, text
		i := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		switch rapid.SampledFrom([]string{"byte", "cut", "function", "target", "order", "append"}).Draw(t, "change") {
		case "byte":
			c := rapid.ByteRange(32, 126).Draw(t, "byte")
			if c == text[i] || c == ' ' || strings.EqualFold(string(c), text[i:i+1]) {
				t.Skip("the same to JSON")
			}
			changed = text[:i] + string(c) + text[i+1:]
		case "cut":
			changed = text[:i]
		case "append":
			changed = text + "x"
		case "function":
			other.function += "x"
		case "target":
			other.targets = append([]string{"new"}, b.targets...)
		case "order":
			if len(b.targets) < 2 || b.targets[0] == b.targets[1] {
				t.Skip("one target")
			}
			other.targets = append([]string{b.targets[1], b.targets[0]}, b.targets[2:]...)
		}
		if _, err := other.open(changed, noon); !errors.As(err, new(*TokenError)) || !strings.Contains(err.Error(), "retry the stage") {
			t.Fatalf("taken: %v\n%s", err, changed)
		}
	})
}

// Even with the right sum, a token that makes no sense is not gone on from.
func TestTokensThatMakeNoSense(t *testing.T) {
	b := binding{"f", []string{"default"}}
	good := token{attempt: firstJob, started: noon, progress: []purge.Progress{progress(purge.Created)}}
	for _, tt := range []struct {
		what   string
		change func(*token)
	}{
		{"no attempt", func(k *token) { k.attempt = "" }},
		{"a long attempt", func(k *token) { k.attempt = strings.Repeat("a", 101) }},
		{"from the future", func(k *token) { k.started = noon.Add(2 * time.Hour) }},
		{"from before time", func(k *token) { k.started = time.UnixMilli(-5) }},
		{"too few targets", func(k *token) { k.progress = nil }},
		{"too many targets", func(k *token) { k.progress = append(k.progress, k.progress...) }},
		{"completed without an ID", func(k *token) { k.progress = []purge.Progress{{Stage: purge.Completed}} }},
		{"an unknown stage", func(k *token) { k.progress = []purge.Progress{{Stage: "paid"}} }},
	} {
		k := good
		tt.change(&k)
		text, err := b.seal(k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.open(text, noon); err == nil {
			t.Errorf("%s: taken", tt.what)
		}
	}
	if text, err := b.seal(good); err != nil {
		t.Error(err)
	} else if _, err := b.open(strings.Replace(text, `"v":1`, `"v":2`, 1), noon); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("another version: %v", err)
	}
	many := token{attempt: firstJob, started: noon}
	for range 12 {
		many.progress = append(many.progress, progress(purge.Seen))
	}
	if _, err := b.seal(many); err == nil || !strings.Contains(err.Error(), "name fewer targets") {
		t.Errorf("a token of 12 targets: %v", err)
	}
	if _, err := b.open(strings.Repeat("x", 3000), noon); err == nil {
		t.Error("a token of 3,000 characters is taken")
	}
}

func FuzzOpenToken(f *testing.F) {
	b := binding{"f", []string{"default"}}
	good, err := b.seal(token{attempt: firstJob, started: noon, progress: []purge.Progress{progress(purge.Created)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add(`{"v":1,"c":"","b":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		k, err := b.open(text, noon)
		if err != nil {
			if !errors.As(err, new(*TokenError)) {
				t.Fatalf("%T", err)
			}
			return
		}
		if again, err := b.seal(k); err != nil || len(k.progress) != 1 || len(again) > maxToken {
			t.Fatalf("%+v, %v", k, err)
		}
	})
}
