package states

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

const self = "arn:aws:states:us-east-1:111111111111:execution:purge:one"

func value(t testing.TB, text string) any {
	t.Helper()
	v, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestExpressions(t *testing.T) {
	in := value(t, `{"a":{"b":[1,"two",null,2.50]},"n":41,"big":2147483647,"s":"x","items":["/a","/b"]}`)
	tests := []struct {
		expression string
		want       string // JSON, or the name of the error
	}{
		{"$", encode(in)},
		{"$.a.b[1]", `"two"`},
		{"$.a.b[2]", `null`},
		{"$.a.b[3]", `2.50`}, // as it was written
		{"$.a.b[4]", "missing"},
		{"$.a.c", "missing"},
		{"$.s.c", "missing"},
		{"$.s[0]", "missing"},
		{"$$.Execution.Id", `"` + self + `"`},
		{"States.Format('{}-{}', $.s, $.n)", `"x-41"`},
		{"States.Format('{}', null)", "refused"},
		{"States.Format('it\\'s {}', $.a.b[3])", `"it's 2.50"`},
		{"States.Format('{}', $.a.b[2])", `"null"`},
		{"States.Format('{}', $.a)", "States.IntrinsicFailure"},
		{"States.Format('{}{}', $.s)", "States.IntrinsicFailure"},
		{"States.Format('{}', $.s, $.s)", "States.IntrinsicFailure"},
		{"States.Format('{a}', $.s)", "States.IntrinsicFailure"},
		{"States.Format($.n, $.s)", "States.IntrinsicFailure"},
		{"States.Format('{}', $.c)", "missing"},
		{"States.Hash('input data', 'SHA-256')", `"b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3"`}, // as sha256sum has it
		{"States.Hash($.s, 'MD5')", "States.IntrinsicFailure"},
		{"States.ArrayLength($.items)", `2`},
		{"States.ArrayLength($.s)", "States.IntrinsicFailure"},
		{"States.MathAdd($.n, 1)", `42`},
		{"States.MathAdd( $.n ,-42 )", `-1`},
		{"States.MathAdd($.big, 1)", "States.IntrinsicFailure"},
		{"States.MathAdd($.a.b[3], 1)", "States.IntrinsicFailure"},
		{"States.MathAdd($.s, 1)", "States.IntrinsicFailure"},
		{"States.Format('{}', States.MathAdd(States.ArrayLength($.items), 1))", `"3"`},
	}
	for _, tt := range tests {
		got := evaluate(tt.expression, in)
		if got != tt.want {
			t.Errorf("%s = %s, want %s", tt.expression, got, tt.want)
		}
	}
}

// A pattern means what it means as a regular expression.
func TestMatchesText(t *testing.T) {
	for text, want := range map[string]bool{"a caller reference that was used": true, "caller reference": true, "caller  reference": false, "Caller reference": false, "": false} {
		if got := matchesText("*caller reference*", text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOf(rapid.SampledFrom([]rune("ab.*"))).Draw(t, "pattern")
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab."))).Draw(t, "text")
		expression := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
		if got, want := matchesText(pattern, text), expression.MatchString(text); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}

func evaluate(text string, in any) string {
	e, err := parseExpression(text)
	if err != nil {
		return "refused"
	}
	v, err := e.eval(scope{in, self})
	var m missing
	switch {
	case errors.As(err, &m):
		return "missing"
	case err != nil:
		return asFailure(err).name
	}
	return encode(v)
}

func TestPayload(t *testing.T) {
	var p payload
	template := `{"plain":{"deep":[{"x.$":"$.s"},"$.s",1.50]},"id.$":"$$.Execution.Id","html":"<&>"}`
	if err := json.Unmarshal([]byte(template), &p); err != nil {
		t.Fatal(err)
	}
	got, err := p.eval(scope{value(t, `{"s":"v"}`), self}, "Parameters")
	want := `{"html":"<&>","id":"` + self + `","plain":{"deep":[{"x":"v"},"$.s",1.50]}}`
	if err != nil || encode(got) != want {
		t.Errorf("got %s, %v, want %s", encode(got), err, want)
	}
	_, err = p.eval(scope{value(t, `{}`), self}, "Parameters")
	if f := asFailure(err); f.name != "States.ParameterPathFailure" || !strings.Contains(f.cause, "Parameters: The JSONPath '$.s' could not be found in the input '{}'") {
		t.Errorf("without the input: %v", err)
	}
}

func TestResultPath(t *testing.T) {
	tests := []struct{ path, input, want string }{
		{`"$"`, `{"a":1}`, `"new"`},
		{`"$.b"`, `{"a":1}`, `{"a":1,"b":"new"}`},
		{`"$.a"`, `{"a":1}`, `{"a":"new"}`},
		{`"$.a.b.c"`, `{"a":{"x":1}}`, `{"a":{"b":{"c":"new"},"x":1}}`},
		{`"$.a.b"`, `{"a":1}`, "States.ResultPathMatchFailure"},
		{`"$.a"`, `[1]`, "States.ResultPathMatchFailure"},
	}
	for _, tt := range tests {
		var r resultPath
		if err := json.Unmarshal([]byte(tt.path), &r); err != nil {
			t.Fatal(err)
		}
		input := value(t, tt.input)
		out, err := r.put(input, "new")
		got := encode(out)
		if err != nil {
			got = asFailure(err).name
		}
		if got != tt.want || encode(input) != tt.input {
			t.Errorf("%s into %s: %s, want %s; the input is now %s", tt.path, tt.input, got, tt.want, encode(input))
		}
	}
}

// What is put somewhere is found there, and nothing else changes.
func TestPutThenGet(t *testing.T) {
	name := rapid.StringMatching(`[a-c]`)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(name, 1, 4).Draw(t, "path")
		other := rapid.SliceOfN(name, 1, 4).Draw(t, "other")
		input, err := decode(`{"a":{"b":{"c":{}}},"b":{}}`)
		if err != nil {
			t.Fatal(err)
		}
		out, err := resultPath{parts}.put(input, "new")
		if err != nil {
			t.Fatal(err)
		}
		get := func(parts []string, from any) (any, bool) {
			p, err := parsePath("$." + strings.Join(parts, "."))
			if err != nil {
				t.Fatal(err)
			}
			return p.get(scope{from, self})
		}
		if v, ok := get(parts, out); !ok || v != "new" {
			t.Fatalf("%v is %v", parts, v)
		}
		before, there := get(other, input)
		after, still := get(other, out)
		related := strings.HasPrefix(strings.Join(other, "")+"", strings.Join(parts, "")) || strings.HasPrefix(strings.Join(parts, ""), strings.Join(other, ""))
		if !related && (there != still || !reflect.DeepEqual(before, after)) {
			t.Fatalf("putting %v changed %v from %v to %v", parts, other, before, after)
		}
	})
}

// No text makes the parser fail otherwise than by refusing, and what it takes is deterministic.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"$", "$.a[0].b", "$$.Execution.Id", "States.Format('unstale-1-{}', States.Hash($$.Execution.Id, 'SHA-256'))", "States.MathAdd($.n, 1)",
		"States.ArrayLength($.items)", "States.Format('it\\'s {}', $.s)", "States.Format(", "States.Format('", "$.[", "$[99999999999]", "States.MathAdd(1,,2)", "('')",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := map[string]any{"a": []any{map[string]any{"b": "x"}}, "n": json.Number("1"), "items": []any{}, "s": "y"}
		first := evaluate(text, in)
		if again := evaluate(text, in); again != first {
			t.Errorf("%q is %s and %s", text, first, again)
		}
		if utf8.ValidString(text) && first == "States.Runtime" {
			t.Errorf("%q fails in a way that has no name", text)
		}
	})
}

func TestMatches(t *testing.T) {
	tests := []struct {
		names string
		err   string
		want  bool
	}{
		{"CloudFront.X", "CloudFront.X", true},
		{"CloudFront.X", "CloudFront.Y", false},
		{"A B", "B", true},
		{"States.ALL", "CloudFront.X", true},
		{"States.ALL", "States.Timeout", true},
		{"States.ALL", "States.Runtime", false},
		{"States.ALL", "States.DataLimitExceeded", false},
		{"States.TaskFailed", "CloudFront.X", true},
		{"States.TaskFailed", "States.Timeout", false},
		{"States.Timeout", "States.Timeout", true},
		{"States.Runtime", "States.Runtime", false},
	}
	for _, tt := range tests {
		if got := matches(strings.Fields(tt.names), &failure{tt.err, ""}); got != tt.want {
			t.Errorf("%s means %s: %v", tt.names, tt.err, got)
		}
	}
}

// A delay never exceeds its limit, grows until then, and jitter only shortens it.
func TestDelay(t *testing.T) {
	for n, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		r := retrier{IntervalSeconds: new(1), BackoffRate: new(2.0), MaxDelaySeconds: 10}
		if got := r.delay(n+1, 0.5); got != want*time.Second {
			t.Errorf("retry %d waits %v", n+1, got)
		}
		r.JitterStrategy = "FULL"
		if got := r.delay(n+1, 0.5); got != want*time.Second/2 {
			t.Errorf("retry %d with jitter waits %v", n+1, got)
		}
	}
	var defaults retrier
	defaults.ErrorEquals = []string{"X"}
	if err := defaults.check(true); err != nil || defaults.delay(3, 0) != 4*time.Second || *defaults.MaxAttempts != 3 {
		t.Errorf("the defaults: %+v, %v", defaults, err)
	}
}
