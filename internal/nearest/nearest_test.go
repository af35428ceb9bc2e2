package nearest

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var keys = []string{"account", "appRoutes", "budget", "distribution", "domain", "externalId", "function", "profile", "region", "role", "route", "verify"}

func TestNames(t *testing.T) {
	tests := []struct {
		wrong string
		want  string
	}{
		{"distributon", "distribution"},
		{"Distribution", "distribution"},
		{"externalID", "externalId"},
		{"rotue", "route"},
		{"roel", "role"},
		{"routes", "route"},
		{"dist", "distribution"},
		{"exter", "externalId"},
		{"rule", "role"},
		{"xyz", ""},
		{"", ""},
		{"re", ""},
		{"role", ""}, // known: nothing to suggest but itself
		{strings.Repeat("r", 65), ""},
	}
	for _, tt := range tests {
		if got := strings.Join(Names(tt.wrong, keys), " "); got != tt.want {
			t.Errorf("Names(%q) = %q, want %q", tt.wrong, got, tt.want)
		}
	}
	if got := Names("site", []string{"site-1", "site-2", "site-3", "site-4"}); !slices.Equal(got, []string{"site-1", "site-2", "site-3"}) {
		t.Errorf("at most three, in order: %q", got)
	}
}

func TestHint(t *testing.T) {
	if got := Hint("rote", keys); got != "did you mean role or route?" {
		t.Error(got)
	}
	if got := Hint("zzz", keys); got != "" {
		t.Error(got)
	}
}

// The distance is one: symmetric, zero for equal texts only, and obeys a bound by length.
func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]rune("abé")), 0, 7)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != slices.Equal(a, b) || d > max(len(a), len(b)) || d < max(len(a)-len(b), len(b)-len(a)) {
			t.Fatalf("distance(%q, %q) = %d", string(a), string(b), d)
		}
	})
	if d := distance([]rune("ca"), []rune("ac")); d != 1 {
		t.Errorf("a swap is %d edits", d)
	}
}
