package edge

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParsePolicy(t *testing.T) {
	date := func(n string) string { return `{"DateLessThan":{"AWS:EpochTime":` + n + `}}` }
	statement := func(s string) string { return `{"Statement":[` + s + `]}` }
	good := statement(`{"Resource":"r","Condition":` + date("5") + `}`)
	for _, tt := range []struct {
		policy, want string // the start of an error, or the resource
	}{
		{good, "r"},
		{"\n" + strings.ReplaceAll(good, "{", "{ ") + "\n", "r"},
		{statement(`{"Condition":` + date("5") + `}`), "*"},
		{statement(`{"Condition":` + date("2147483647") + `}`), "*"},
		{statement(`{"Condition":` + date("2147483648") + `}`), "MalformedPolicy"},
		{statement(`{"Condition":` + date(`"5"`) + `}`), "MalformedPolicy"},
		{statement(`{"Condition":` + date("5.0") + `}`), "MalformedPolicy"},
		{statement(`{"Condition":` + date("-5") + `}`), "MalformedPolicy"},
		{statement(`{"Condition":` + date("null") + `}`), "MalformedPolicy"},
		{statement(`{"Condition":{}}`), "MalformedPolicy"},
		{statement(`{"Condition":null}`), "MalformedPolicy"},
		{statement(`{"Resource":"r"}`), "MalformedPolicy"},
		{statement(`{"Resource":["r"],"Condition":` + date("5") + `}`), "MalformedPolicy"},
		{statement(`{"resource":"r","Condition":` + date("5") + `}`), "MalformedPolicy"},
		{statement(`{"Effect":"Allow","Condition":` + date("5") + `}`), "MalformedPolicy"},
		{statement(`{"Condition":{"DateLessThan":{"aws:EpochTime":5}}}`), "MalformedPolicy"},
		{statement(`{"Condition":{"DateGreaterThan":{},"DateLessThan":{"AWS:EpochTime":5}}}`), "MalformedPolicy"},
		{statement(`{"Condition":{"IpAddress":{"AWS:SourceIp":5},"DateLessThan":{"AWS:EpochTime":5}}}`), "MalformedPolicy"},
		{statement(`{"Condition":{"IpAddress":"0.0.0.0/0","DateLessThan":{"AWS:EpochTime":5}}}`), "MalformedPolicy"},
		{statement(`{"Condition":{"IpAddress":{"AWS:SourceIp":"0.0.0.0/0"},"DateLessThan":{"AWS:EpochTime":5}}}`), "*"},
		{statement(`{"Condition":{"IpAddress":{"AWS:SourceIp":"10.0.0.1"},"DateLessThan":{"AWS:EpochTime":5}}}`), "NotEmulated"},
		{statement(""), "MalformedPolicy"},
		{statement(`{"Condition":` + date("5") + `},{"Condition":` + date("5") + `}`), "MalformedPolicy"},
		{`{"Statement":{"Condition":` + date("5") + `}}`, "MalformedPolicy"},
		{`{"Version":"2012-10-17",` + good[1:], "MalformedPolicy"},
		{good + good, "MalformedPolicy"},
		{"[]", "MalformedPolicy"},
		{"null", "MalformedPolicy"},
		{"", "MalformedPolicy"},
	} {
		r, err := parsePolicy([]byte(tt.policy))
		switch {
		case err != nil && (len(tt.want) == 1 || !strings.HasPrefix(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %s", tt.policy, err, tt.want)
		case err == nil && r.resource != tt.want:
			t.Errorf("%s: %q, want %s", tt.policy, r.resource, tt.want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(`{"Statement":[{"Resource":"https://*","Condition":{"DateLessThan":{"AWS:EpochTime":1},"DateGreaterThan":{"AWS:EpochTime":0}}}]}`))
	f.Add([]byte(`{"Statement":[{"Condition":{"IpAddress":{"AWS:SourceIp":"0.0.0.0/0"},"DateLessThan":{"AWS:EpochTime":1}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parsePolicy(text)
		if err != nil {
			return
		}
		// No policy lets anybody in for good.
		if r.before.Unix() > 1<<31-1 || r.allow("https://x/", time.Unix(1<<31, 0)) == nil {
			t.Errorf("%+v", r)
		}
	})
}

// Taking a signature out of a query and the rest of it apart loses nothing and is done once.
func TestSplitQuery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.StringMatching(`((Expires|Policy|Signature|Key-Pair-Id|Hash-Algorithm|expires|a|)(=[a-z%7+=]{0,3})?&?){0,6}`).Draw(t, "raw")
		signed, own := splitQuery(raw)
		more, again := splitQuery(own)
		if again != own || len(more) != 0 {
			t.Fatalf("%q leaves %q, then %q and %v", raw, own, again, more)
		}
		if len(signed) == 0 && own != raw {
			t.Fatalf("%q became %q", raw, own)
		}
	})
}
