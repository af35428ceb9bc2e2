package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/invalidation"
)

func TestDeclare(t *testing.T) {
	d := Distribution{
		Default:   Behavior{Functions: []Function{{ARN: "arn:aws:cloudfront::222222222222:function/routes", Event: "viewer-request"}}},
		Behaviors: []Behavior{{Functions: []Function{{ARN: "arn:aws:lambda:us-east-1:222222222222:function:auth:7", Event: "viewer-request"}}}},
	}
	got, n := d.Declare("auth", RewriteNothing)
	if n != 1 || got.Behaviors[0].Functions[0].Rewrite != RewriteNothing || d.Behaviors[0].Functions[0].Rewrite != Undeclared {
		t.Errorf("by name: %d, %+v", n, got)
	}
	got, n = got.Declare("*", RewriteFallback)
	if n != 1 || got.Default.Functions[0].Rewrite != RewriteFallback || got.Behaviors[0].Functions[0].Rewrite != RewriteNothing {
		t.Errorf("all others: %d, %+v", n, got)
	}
	if _, n = got.Declare("arn:aws:cloudfront::222222222222:function/routes", RewriteHTML); n != 1 {
		t.Errorf("by ARN: %d", n)
	}
}

func TestHashed(t *testing.T) {
	for key, want := range map[string]bool{
		"assets/index-BfGh3k2a.js": true, "main.3f2a1b4c.js": true, "static/js/2.1a2b3c4d.chunk.js": true, "x.d41d8cd98f00b204e9800998ecf8427e.css": true,
		"chunk-7QXK2MZ4.js": true, "assets/a-b_3kfG-Q.js": true, "app.js": false, "about-products.js": false, "release-20240101.js": false,
		"IMG_20240101.jpg": false, "main.3f2a1b4c.html": false, "index.html": false, "deadbeef.js": false, "3f2a1b4c": false, "a.b": false,
		"x-3F2A1B4C.js": true, "jquery-3.7.1.min.js": false, "bootstrap.bundle.min.css": false,
	} {
		if got := hashed(key); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
}

func TestExplain(t *testing.T) {
	in := change(spa(), listOf("a", "1", "index.html", "1"), listOf("a", "1", "index.html", "2"))
	in.Used = 1000
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `E1: 2 items (balanced) for 2 stale URLs, $0.01, 0 unchanged objects purged besides
  /
    why: it serves index.html, which changed
    covers 1 stale URL; $0.005; purges nothing else
  /index.html
    why: it changed
    covers 1 stale URL; $0.005; purges nothing else
`
	if diff := cmp.Diff(want, p.Explain()); diff != "" {
		t.Error(diff)
	}
	in.Budget = Budget{Unit: PerPlan, Items: 1}
	if p, err = Build(in); err != nil || !strings.Contains(p.Explain(), "also purges 1 object that did not change") {
		t.Errorf("%v\n%s", err, p.Explain())
	}
	given := Given(spa(), []invalidation.Item{"/a", "#b"}, "named by the action").Explain()
	if want := "E1: 2 items\n  /a\n    why: named by the action\n"; !strings.HasPrefix(given, want) {
		t.Errorf("given:\n%s", given)
	}
}

func TestCausesHaveWords(t *testing.T) {
	for why := changed; why <= unknownFunction; why++ {
		if text := (demand{why: why, key: "k"}).text(time.Minute); strings.HasPrefix(text, "cause(") {
			t.Errorf("cause %d has no words", why)
		}
	}
	if text := (demand{why: 99}).text(0); text != "cause(99)" {
		t.Error(text)
	}
	var l ledger
	for why := range omissions {
		l.add(why, "k", time.Second)
	}
	notes := l.notes()
	if len(notes) != int(omissions) {
		t.Errorf("%q", notes)
	}
	for _, note := range notes {
		if strings.HasSuffix(note, ": ") {
			t.Errorf("%q says nothing", note)
		}
	}
}
