package invalidation_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
)

// Every rule once broken and once kept, as near to each other as it gets.
func TestRules(t *testing.T) {
	long := "/" + strings.Repeat("a", invalidation.MaxPath-1)
	tests := []struct {
		rule   invalidation.Rule
		broken []string
		kept   []string
	}{
		{invalidation.LeadingSlash, []string{"", "index.html", "*", "%2Findex.html", " /"}, []string{"/", "/index.html", "/*"}},
		{invalidation.WildcardLast, []string{"/*/index.html", "/a**", "/*.js", "/a*b*"}, []string{"/a*", "/*", "/docs/*"}},
		{invalidation.Escape, []string{"/100%", "/%2", "/%2*", "/%zz", "/%C3%"}, []string{"/100%25", "/%C3%A9*", "/%c3%a9"}},
		{
			invalidation.EncodeUnsafe,
			[]string{"/a b", "/é", "/a\"b", "/a#b", "/<a>", "/a{b}", "/a|b", "/a\\b", "/a^b", "/~me", "/a[1]", "/a`b", "/a\nb", "/a\x7f", "/\xff"},
			[]string{"/a%20b", "/%C3%A9", "/a%22b", "/a%23b", "/%3Ca%3E", "/a%7Bb%7D", "/%7Eme", "/a%5B1%5D", "/a+b", "/a$b!(c)'d',e;f=g&h@i:j?k=l"},
		},
		{
			invalidation.EncodeNothingElse,
			[]string{"/%61", "/a%2Ejs", "/%5F", "/a%2db", "/%7A*"},
			[]string{"/a", "/a%2Fb", "/a%3Fb", "/a%2Bb", "/a%20.js"},
		},
		{invalidation.PathLength, []string{long + "a", long + "*"}, []string{long, long[:len(long)-1] + "*"}},
		{invalidation.TagEmpty, []string{"#"}, []string{"#a"}},
		{invalidation.TagCharacters, []string{"#a b", "#a,b", "#é", "#a\n", "#\x7f"}, []string{"#a!b~c", "##", "#product:42", "#a*b"}},
		{invalidation.TagLength, []string{"#" + strings.Repeat("t", 257)}, []string{"#" + strings.Repeat("t", 256)}},
	}
	for _, tt := range tests {
		for _, s := range tt.broken {
			_, err := invalidation.ParseItem(s)
			var broken *invalidation.ItemError
			if !errors.As(err, &broken) || broken.Rule != tt.rule || broken.Item != s || broken.Try == "" {
				t.Errorf("%s: ParseItem(%.60q) = %v", tt.rule, s, err)
			}
		}
		for _, s := range tt.kept {
			if item, err := invalidation.ParseItem(s); err != nil || item.String() != s {
				t.Errorf("%s: ParseItem(%.60q) = %q, %v", tt.rule, s, item, err)
			}
		}
	}
}

func TestItemErrorTellsWhatToWrite(t *testing.T) {
	tests := map[string]string{
		"index.html": `parse item "index.html": a path begins with "/"; write "/index.html"`,
		"":           `parse item "": a path begins with "/"; for everything write "/*"`,
		"/a/*/b":     `parse item "/a/*/b": "*" may only be the last character; write "/a/*"`,
		"/a b%20c":   `parse item "/a b%20c": unsafe and non-ASCII characters must be percent-encoded; write "/a%20b%20c"`,
		"/%61b":      `parse item "/%61b": only unsafe and non-ASCII characters may be percent-encoded; write "a" for "%61"`,
		"#a,b":       `parse item "#a,b": a tag has printable ASCII characters only, without blanks and commas; character 2 is ','`,
	}
	for item, want := range tests {
		if _, err := invalidation.ParseItem(item); err == nil || err.Error() != want {
			t.Errorf("ParseItem(%q):\n got %v\nwant %s", item, err, want)
		}
	}
	_, err := invalidation.ParseItem("/" + strings.Repeat("x", 10_000))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("a long item makes a message of %d characters", len(err.Error()))
	}
}

func TestTagsAreComparedWithoutCase(t *testing.T) {
	item, err := invalidation.ParseItem("#Product:42")
	if err != nil || item != "#product:42" || !item.Tag() || item.Wildcard() {
		t.Errorf("ParseItem = %q, %v", item, err)
	}
}

func TestCovers(t *testing.T) {
	tests := []struct {
		item, path string
		want       bool
	}{
		{"/a", "/a", true},
		{"/a", "/A", false},
		{"/a", "/a/", false},
		{"/a*", "/a", true},
		{"/a*", "/ab/c", true},
		{"/a/*", "/a/", true},
		{"/a/*", "/a", false},
		{"/*", "/", true},
		{"/*", "#tag", false},
		{"#tag", "#tag", false},
		{"#a*", "#ab", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if got := invalidation.Item(tt.item).Covers(tt.path); got != tt.want {
			t.Errorf("%q covers %q: %v", tt.item, tt.path, got)
		}
	}
}

func TestEncode(t *testing.T) {
	tests := []struct{ in, path, key string }{
		{"index.html", "/index.html", "/index.html"},
		{"", "/", "/"},
		{"/a", "/a", "//a"},
		{"été.js", "/%C3%A9t%C3%A9.js", "/%C3%A9t%C3%A9.js"},
		{"a b~c", "/a%20b%7Ec", "/a%20b%7Ec"},
		{"a+b&c=d", "/a+b&c=d", "/a+b&c=d"},
		{"a?b=1", "/a?b=1", "/a%3Fb=1"},
		{"a%20b", "/a%20b", "/a%2520b"},
		{"100%", "/100%25", "/100%25"},
		{"%%341", "/%2541", "/%25%25341"},
		{"%41", "/A", "/%2541"},
		{"docs/*", "/docs/*", "/docs/*"},
		{"a*b", "/a*", "/a*"},
	}
	for _, tt := range tests {
		if got := invalidation.EncodePath(tt.in); got != tt.path {
			t.Errorf("EncodePath(%q) = %q, want %q", tt.in, got, tt.path)
		}
		if got := invalidation.EncodeKey(tt.in); got != tt.key {
			t.Errorf("EncodeKey(%q) = %q, want %q", tt.in, got, tt.key)
		}
	}
}

// anyKey draws S3 keys: up to 1,024 bytes, valid UTF-8 or not, rich in awkward characters.
func anyKey() *rapid.Generator[string] {
	awkward := rapid.StringOfN(rapid.SampledFrom([]rune("%*?#~ 2fF5é/\\\x00+a")), 0, 30, 1024)
	return rapid.OneOf(awkward, rapid.StringN(0, 300, 1024), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 1024), func(b []byte) string { return string(b) }))
}

func TestEveryKeyAndPathBecomesAnItem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyKey().Draw(t, "key")
		for _, encoded := range []string{invalidation.EncodePath(s), invalidation.EncodeKey(s)} {
			item, err := invalidation.ParseItem(encoded)
			if err != nil || item.String() != encoded {
				t.Fatalf("%q encoded as %q: %v", s, encoded, err)
			}
			if again := invalidation.EncodePath(encoded); again != encoded {
				t.Fatalf("%q encoded twice: %q", encoded, again)
			}
		}
	})
}

func FuzzParseItem(f *testing.F) {
	for _, s := range []string{"", "/", "/*", "/a*b", "/%", "/%C3%A9", "#", "#Tag", "#a,b", "/é", "/%2541", "/a?b=*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		item, err := invalidation.ParseItem(s)
		if err != nil {
			var broken *invalidation.ItemError
			if item != "" || !errors.As(err, &broken) || broken.Try == "" {
				t.Fatalf("ParseItem(%q) = %q, %v", s, item, err)
			}
			return
		}
		if again, err := invalidation.ParseItem(item.String()); err != nil || again != item {
			t.Fatalf("ParseItem(%q) twice: %q, %v", s, again, err)
		}
		if !item.Tag() && invalidation.EncodePath(item.String()) != item.String() {
			t.Fatalf("EncodePath changes the item %q", item)
		}
	})
}
