package cloudfront

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestValidItem(t *testing.T) {
	for _, tt := range []struct {
		item  string
		valid bool
	}{
		{"/", true},
		{"/*", true},
		{"*", false},
		{"", false},
		{"index.html", false},
		{"/index.html", true},
		{"/dir/*", true},
		{"/dir*", true},
		{"/*.html", false},
		{"/a/*/b", false},
		{"/**", false},
		{"/a?v=1&w=2", true},
		{"/a?v=*", true},
		{"/a%20b", true},
		{"/a b", false},
		{"/é", false},
		{"/%C3%A9", true},
		{"/%c3%a9*", true},
		{"/100%", false},
		{"/%2", false},
		{"/%2*", false},
		{"/%zz", false},
		{"/~me", false},
		{"/%7Eme", true},
		{"/a#b", false},
		{"/{x}", false},
		{"/a|b", false},
		{"/[x]", false},
		{"/a\tb", false},
		{"/it's-(fine)!$+,;:@=", true},
		{"/" + strings.Repeat("a", 3999), true},
		{"/" + strings.Repeat("a", 4000), false},
	} {
		if got := validItem(tt.item, false); got != tt.valid {
			t.Errorf("%.40q: %v", tt.item, got)
		}
	}
}

func TestValidTag(t *testing.T) {
	for _, tt := range []struct {
		item  string
		valid bool
	}{
		{"#product:1", true},
		{"#a*b", true},
		{"##", true},
		{"#", false},
		{"#a,b", false},
		{"#a b", false},
		{"#é", false},
		{"#" + strings.Repeat("t", 256), true},
		{"#" + strings.Repeat("t", 257), false},
	} {
		if got := validItem(tt.item, true); got != tt.valid {
			t.Errorf("%.40q: %v", tt.item, got)
		}
		if validItem(tt.item, false) {
			t.Errorf("%.40q is accepted without CacheTagConfig", tt.item)
		}
	}
}

func FuzzValidItem(f *testing.F) {
	for _, s := range []string{"/", "/*", "/%", "/%4", "/%41*", "#t", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, item string) {
		if !validItem(item, false) {
			return
		}
		if item[0] != '/' || len(item) > maxItemLength || strings.Contains(item[:len(item)-1], "*") {
			t.Errorf("%q is accepted", item)
		}
		if strings.ContainsFunc(item, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q holds what no URL may", item)
		}
	})
}

func TestLoad(t *testing.T) {
	if got := loadOf([]string{"/a", "/b*", "#t*", "/*"}); got != (load{files: 2, wildcards: 2}) {
		t.Errorf("%+v", got)
	}
}

func TestMatchPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, path string
		want          bool
	}{
		{"/api/*", "/api/x/y", true},
		{"api/*", "/api/x", true},
		{"/api/*", "/apis", false},
		{"*.jpg", "/a/b.jpg", true},
		{"*.jpg", "/a/b.JPG", false},
		{"a?.html", "/ab.html", true},
		{"a?.html", "/a.html", false},
		{"*", "/", true},
		{"/a*b*c", "/aXbYbZc", true},
		{"/a*b*c", "/aXbYbZ", false},
		{"/a", "/a/b", false},
	} {
		if got := matchPattern(tt.pattern, tt.path); got != tt.want {
			t.Errorf("%s, %s: %v", tt.pattern, tt.path, got)
		}
	}
}

func TestMatchPatternFindsItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + rapid.StringMatching(`[ab/.]{0,12}`).Draw(t, "path")
		pattern := []byte(path)
		for range rapid.IntRange(0, 3).Draw(t, "holes") {
			i := rapid.IntRange(1, len(path)).Draw(t, "at")
			if i < len(pattern) {
				pattern[i] = "?*"[rapid.IntRange(0, 1).Draw(t, "kind")]
			}
		}
		if !matchPattern(string(pattern), path) {
			t.Fatalf("%s does not match %s", pattern, path)
		}
	})
}

func TestBucket(t *testing.T) {
	for domain, want := range map[string]string{
		"b.s3.us-east-1.amazonaws.com":           "b",
		"b.s3.amazonaws.com":                     "b",
		"www.example.s3.eu-west-1.amazonaws.com": "www.example",
		"b.s3-website-us-east-1.amazonaws.com":   "",
		"b.s3-website.eu-west-1.amazonaws.com":   "",
		"example.com":                            "",
		"s3.amazonaws.com":                       "",
		"x.execute-api.us-east-1.amazonaws.com":  "",
	} {
		if got := (Origin{Domain: domain}).Bucket(); got != want {
			t.Errorf("%s: %q, want %q", domain, got, want)
		}
	}
}

func TestDelays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, n := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 5).Draw(t, "n")
		a, b := Lognormal(seed, 10e9, 0.6)(n), Lognormal(seed, 10e9, 0.6)(n)
		if len(a) != n {
			t.Fatal(a)
		}
		for i := range a {
			if a[i] <= 0 || a[i] != b[i] {
				t.Fatalf("%v, %v", a, b)
			}
		}
	})
	if got := Fixed(1, 2)(3); got[0] != 1 || got[1] != 2 || got[2] != 2 {
		t.Error(got)
	}
}
