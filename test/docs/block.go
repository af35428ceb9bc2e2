// Package docs reads the project's documents as their readers do: block by block, command by command. Its
// tests do what the documents say.
package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is a fenced block of a document.
type Block struct {
	Language string
	Line     int    // of its first line of text
	Text     string // without the indentation of its fence
}

var fence = regexp.MustCompile("^( *)```(.*)$")

// Blocks are a document's fenced blocks.
func Blocks(text string) ([]Block, error) {
	var all []Block
	var open *Block
	indent := ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		m := fence.FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m != nil && open == nil:
			open, indent = &Block{Language: m[2], Line: n + 1}, m[1]
		case m != nil:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("the block that begins in line %d does not end", open.Line)
	}
	return all, nil
}

var span = regexp.MustCompile("`([^`\n]+)`")

// Spans are the pieces of code in a document's prose, by themselves.
func Spans(text string) []string {
	var all []string
	inside := false
	for line := range strings.Lines(text) {
		if fence.MatchString(strings.TrimRight(line, "\n")) {
			inside = !inside
			continue
		}
		if inside {
			continue
		}
		for _, m := range span.FindAllStringSubmatch(line, -1) {
			all = append(all, m[1])
		}
	}
	return all
}
