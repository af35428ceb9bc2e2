package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unstale/unstale/templates"
)

func TestCommittedDiagramsAreFresh(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range diagrams() {
		drawn, err := os.ReadFile(filepath.Join(dir, d.name+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		if committed, err := os.ReadFile(filepath.Join("..", d.name+".svg")); err != nil || string(committed) != string(drawn) {
			t.Errorf("docs/routes/%s.svg is out of date (error %v); run: go generate ./docs/...", d.name, err)
		}
	}
}

func TestWriteSaysWhichDiagramFailed(t *testing.T) {
	err := write(filepath.Join(t.TempDir(), "missing"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "route assume") {
		t.Error(err)
	}
}

func TestEveryRouteIsDrawn(t *testing.T) {
	var drawn []string
	for _, d := range diagrams() {
		drawn = append(drawn, d.name)
	}
	if routes := templates.Routes(); !slices.Equal(drawn, routes) {
		t.Errorf("drawn are %q, routes are %q", drawn, routes)
	}
}

func TestDiagramsAreWellFormed(t *testing.T) {
	for _, d := range diagrams() {
		decoder := xml.NewDecoder(strings.NewReader(string(d.svg())))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
		}
		if d.about == "" {
			t.Errorf("%s has no words for those who cannot see it", d.name)
		}
	}
}

// Fonts differ between machines: the bounds are those of a wide one, about 7 pixels a character.
func TestTextsFit(t *testing.T) {
	const note, label = 35, 25
	for _, d := range diagrams() {
		for _, n := range d.nodes {
			if len(n.notes) < 1 || len(n.notes) > 2 {
				t.Errorf("%s: %s has %d notes; a box has room for two", d.name, n.title, len(n.notes))
			}
			for _, text := range n.notes {
				if utf8.RuneCountInString(text) > note {
					t.Errorf("%s: %q is longer than its box", d.name, text)
				}
			}
		}
		for _, r := range d.arrows {
			if utf8.RuneCountInString(r.label) > label {
				t.Errorf("%s: %q is longer than its arrow", d.name, r.label)
			}
		}
	}
}

// Arrows join boxes, no two lie on each other, and their numbers tell the order without a gap.
func TestArrowsTellAStory(t *testing.T) {
	for _, d := range diagrams() {
		places := map[at]bool{}
		for _, n := range d.nodes {
			if places[n.at] {
				t.Errorf("%s: two boxes at %+v", d.name, n.at)
			}
			places[n.at] = true
		}
		taken := map[arrow]bool{}
		for i, r := range d.arrows {
			if !places[r.from] || !places[r.to] || r.from == r.to {
				t.Errorf("%s: %q joins no boxes", d.name, r.label)
			}
			if number := string(rune('1' + i)); !strings.HasPrefix(r.label, number+" ") {
				t.Errorf("%s: %q is number %s", d.name, r.label, number)
			}
			line := arrow{from: r.from, to: r.to, slot: r.slot}
			if back := (arrow{from: r.to, to: r.from, slot: r.slot}); taken[line] || taken[back] {
				t.Errorf("%s: %q lies on another arrow", d.name, r.label)
			}
			taken[line] = true
		}
	}
}

// A colour that only one palette has would be black on a dark page.
func TestBothPalettesHaveEveryColour(t *testing.T) {
	light, dark, found := strings.Cut(style, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("there is no dark palette")
	}
	dark, _, _ = strings.Cut(dark, "\n}")
	for _, use := range regexp.MustCompile(`var\((--[a-z-]+)\)`).FindAllStringSubmatch(style, -1) {
		for name, palette := range map[string]string{"light": light, "dark": dark} {
			if !strings.Contains(palette, use[1]+": ") {
				t.Errorf("the %s palette has no %s", name, use[1])
			}
		}
	}
}

func TestEscape(t *testing.T) {
	if got := escape(`a < b & "c"`); got != "a &lt; b &amp; &#34;c&#34;" {
		t.Error(got)
	}
}
