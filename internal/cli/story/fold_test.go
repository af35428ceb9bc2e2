package story

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"short", 20, "short"},
		{"one two three four five six", 20, "one two three four\n__five six"},
		{"columns   stay     apart", 30, "columns   stay     apart"},
		{"no blanks at the end      of-a-line", 25, "no blanks at the end\n__of-a-line"},
		{"a-word-that-is-longer-than-the-line stays", 20, "a-word-that-is-longer-than-the-line\n__stays"},
		{"two\nlines", 20, "two\n__lines"},
		{"a width of none leaves all as it is, however long", 0, "a width of none leaves all as it is, however long"},
		{"\x1b[31mcolours\x1b[0m have no width", 21, "\x1b[31mcolours\x1b[0m have no width"},
	} {
		if got := Fold(tt.text, tt.width, "__"); got != tt.want {
			t.Errorf("Fold(%q, %d) = %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

// Folding changes nothing but blanks, and no line is wider than asked unless a single word is.
func TestFoldKeepsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zé]{1,30}( {1,3}[a-z:/]{1,30}){0,12}`).Draw(t, "text")
		width := rapid.IntRange(20, 60).Draw(t, "width")
		got := Fold(text, width, "  ")
		if g, w := strings.Fields(got), strings.Fields(text); strings.Join(g, " ") != strings.Join(w, " ") {
			t.Fatalf("%q became %q", text, got)
		}
		for _, line := range strings.Split(got, "\n") {
			if utf8.RuneCountInString(line) > width && len(strings.Fields(line)) > 1 {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
	})
}

func TestShort(t *testing.T) {
	for text, want := range map[string]string{
		"assume arn:aws:iam::222222222222:role/unstale-purge, then":       "assume B:role/unstale-purge, then",
		"arn:aws:s3:::unstale-artifacts/key":                              "unstale-artifacts/key",
		"arn:aws:kms:us-east-1:111111111111:key/1":                        "A:key/1",
		"arn:aws:lambda:eu-west-1:333333333333:function:f stays as it is": "arn:aws:lambda:eu-west-1:333333333333:function:f stays as it is",
	} {
		if got := Short(text); got != want {
			t.Errorf("Short(%q) = %q, want %q", text, got, want)
		}
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestNarratorTellsThatItCouldNotWrite(t *testing.T) {
	n := NewNarrator(full{}, false)
	n.Title("relay")
	if err := n.Err(); err == nil || !strings.Contains(err.Error(), "show the story: no space left") {
		t.Errorf("error %v", err)
	}
	if err := (Narrator{}).Err(); err != nil {
		t.Errorf("nobody looks, and yet %v", err)
	}
}

func TestSilence(t *testing.T) {
	var out bytes.Buffer
	n := NewNarrator(&out, false)
	n.Silence()
	n.Title("relay")
	if out.Len() > 0 {
		t.Errorf("it goes on: %q", out.String())
	}
}

// Every line of a show on a terminal fits, but for single words, and what did not change is summed up.
func TestShowFits(t *testing.T) {
	object := func(path, pop, change, xCache, release string) Object {
		return Object{
			URL: "https://d.cloudfront.net" + path, Key: path[1:], POP: pop, Change: change, After: &Served{XCache: xCache, Release: release},
		}
	}
	var objects []Object
	for _, pop := range []string{"FRA56-P1", "IAD89-C2", "NRT57-P3"} {
		objects = append(objects,
			object("/index.html", pop, Changed, "Miss from cloudfront", "2"), object("/assets/index-DtceP_Aq.js", pop, Added, "Miss from cloudfront", "2"),
			object("/images/a.svg", pop, Unchanged, "Hit from cloudfront", "1 and 2"), object("/images/b.svg", pop, Unchanged, "Hit from cloudfront", "1 and 2"),
		)
	}
	var out bytes.Buffer
	n := Screen{Out: &out, Width: 80}.Narrator()
	n.Plan(Plan{Release: "2", Items: []Item{{Item: "/index.html", Reason: strings.Repeat("for a reason ", 12)}}, Stale: 1, Notes: []string{"left out: nothing"}, Evidence: "s3://b/k"})
	n.Plan(Plan{Release: "2", Given: true, Items: []Item{{Item: "/*"}}})
	n.Objects(objects)
	for _, line := range strings.Split(out.String(), "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%q has %d columns", line, len(line))
		}
	}
	for _, part := range []string{
		"plan: 1 path for 1 stale URL, nothing that did not change; $0.00", "note: left out: nothing", "evidence  s3://b/k", "nothing is planned on this route",
		"Miss      Miss      Miss      release 2\n", "release 2, new\n", "/images/a.svg ", "Hit       Hit       Hit       the same\n", "and 1 URL that did not change: 3 of 3 answers are hits",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("there is no %q in\n%s", part, out.String())
		}
	}
}

func TestOutputKeepsTheEnd(t *testing.T) {
	var commands []string
	var all bytes.Buffer
	o := &output{to: &all, command: func(c string) { commands = append(commands, c) }}
	for _, line := range []string{"site [Container] Running command npm ci\n", "site added 12 packages\n"} {
		if _, err := o.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	for range keptLines - 1 {
		_, _ = o.Write([]byte("site more\n")) // never fails
	}
	last := o.last()
	if len(last) != keptLines || last[0] != "added 12 packages" || len(commands) != 1 || commands[0] != "npm ci" || !strings.HasPrefix(all.String(), "site [Container]") {
		t.Errorf("last %q, commands %q", last, commands)
	}
	if o.forget(); len(o.last()) != 0 {
		t.Errorf("not forgotten: %q", o.last())
	}
}
