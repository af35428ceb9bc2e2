package iam

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPatternsAgreeWithRegexp compares the matcher with Go's regular expressions, to which each
// kind of pattern can be translated.
func TestPatternsAgreeWithRegexp(t *testing.T) {
	draw := func(t *rapid.T, name string, runes string) string {
		return rapid.StringOfN(rapid.RuneFrom([]rune(runes)), 0, 14, -1).Draw(t, name)
	}
	for name, c := range map[string]struct {
		crosses   colons
		translate func(string) string
	}{
		"anywhere": {anywhere, func(p string) string { return translate(p, "(?s:.)") }},
		"per segment": {perSegment, func(p string) string {
			parts := strings.SplitN(p, ":", 6)
			for i := range parts {
				dot := "[^:]"
				if i == 5 {
					dot = "(?s:.)"
				}
				parts[i] = translate(parts[i], dot)
			}
			return strings.Join(parts, ":")
		}},
		"per resource": {perResource, func(p string) string {
			parts := strings.SplitN(p, ":", 6)
			for i := range parts {
				dot := "[^:]"
				if i == 5 {
					dot = "(?s:.)"
				}
				if rest, ok := strings.CutSuffix(parts[i], "*"); ok {
					parts[i] = translate(rest, dot) + "(?s:.)*"
				} else {
					parts[i] = translate(parts[i], dot)
				}
			}
			return strings.Join(parts, ":")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p, s := draw(t, "pattern", "ab:::é*?"), draw(t, "text", "ab:::é")
				want := regexp.MustCompile("^(?:" + c.translate(p) + ")$").MatchString(s)
				if got := withWildcards(p).matches(s, c.crosses); got != want {
					t.Fatalf("pattern %q on %q: got %t, want %t", p, s, got, want)
				}
			})
		})
	}
}

func translate(p, dot string) string {
	return strings.NewReplacer(`\*`, dot+"*", `\?`, dot).Replace(regexp.QuoteMeta(p))
}

func TestEscapeLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.RuneFrom([]rune("a*?${},'"))
		text, other := rapid.StringOf(runes).Draw(t, "text"), rapid.StringOf(runes).Draw(t, "other")
		p, ok := requestContext{}.expand(escapeLiteral(text))
		if !ok || !p.matches(text, anywhere) {
			t.Fatalf("%q, escaped as %q, does not match itself", text, escapeLiteral(text))
		}
		if other != text && p.matches(other, anywhere) {
			t.Fatalf("%q, escaped as %q, matches %q", text, escapeLiteral(text), other)
		}
	})
}

func TestARNs(t *testing.T) {
	for _, s := range []string{
		"arn:aws:iam::111111111111:role/path/r", "arn:aws:s3:::bucket/a:b", "arn:aws-cn:lambda:cn-north-1:111111111111:function:f:live",
	} {
		a, err := ParseARN(s)
		if err != nil || a.String() != s {
			t.Errorf("%s: got %s, %v", s, a, err)
		}
	}
	for _, s := range []string{"", "arn", "arn:aws:s3:::", "arn:aws:s3::", "arn::s3:::b", "arn:aws::::b", "ARN:aws:s3:::b", "urn:aws:s3:::b"} {
		if a, err := ParseARN(s); err == nil {
			t.Errorf("%q: got %+v, want an error", s, a)
		}
	}
	for s, want := range map[string]bool{
		"111111111111": true, "000000000000": true, "11111111111": false, "1111111111111": false, "11111111111a": false, "": false,
	} {
		if got := ValidAccount(s); got != want {
			t.Errorf("account %q: got %t", s, got)
		}
	}
	for s, want := range map[string]bool{
		"AROAJOB0000000000001A": true, "AIDAANN00000000000001": true, "AROA": false, "AKIAJOB0000000000001A": false,
		"AROAjob0000000000001A": false, "AROAJOB0000000000001A:s": false,
	} {
		if got := ValidUniqueID(s); got != want {
			t.Errorf("unique ID %q: got %t", s, got)
		}
	}
}

func TestElementsDecodeAlone(t *testing.T) {
	var p Principals
	if err := p.UnmarshalJSON([]byte(`{"AWS":"111111111111"}`)); err != nil || len(p.AWS) != 1 {
		t.Errorf("principals: got %+v, %v", p, err)
	}
	var c Conditions
	if err := c.UnmarshalJSON([]byte(`{"Bool":{"aws:SecureTransport":false}}`)); err != nil || c["Bool"]["aws:SecureTransport"][0] != "false" {
		t.Errorf("conditions: got %v, %v", c, err)
	}
	var s Statement
	if err := s.UnmarshalJSON([]byte(`{"Sid":"S","Effect":"Allow","Action":"*","Resource":"*"}`)); err != nil || s.Sid != "S" {
		t.Errorf("statement: got %s, %v", s, err)
	}
	for name, err := range map[string]error{
		"principals": p.UnmarshalJSON([]byte(`{"AWS":"x"}`)),
		"conditions": c.UnmarshalJSON([]byte(`{"Is":{"a":"b"}}`)),
		"statement":  s.UnmarshalJSON([]byte(`{"Effect":"Allow"}`)),
		"no JSON":    s.UnmarshalJSON([]byte(`{`)),
		"no value":   c.UnmarshalJSON(nil),
	} {
		if err == nil {
			t.Errorf("%s: bad input was accepted", name)
		}
	}
}
