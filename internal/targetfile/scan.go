package targetfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a file may be at most. The YAML library parses by recursion, also over the keys of one mapping,
// and takes time that grows with the square of runs of empty lines, of keys and of missing values
// (measured with version 1.19.2): within these bounds the worst file found takes about a second.
const (
	maxSize     = 1 << 20 // bytes; a target takes about 200
	maxDepth    = 16      // levels; a real file has 4
	maxKeys     = 5000    // in one mapping: targets
	maxTokens   = 150_000
	maxLater    = 15_000 // keys and entries whose value is not in their line
	maxBlank    = 100    // empty lines in a row
	maxLine     = 10_000 // bytes
	maxLines    = 60_000
	tooMuchText = "split it into several files, and choose one with --config"
)

// place is where something stands, from 1, in characters.
type place struct{ line, column int }

func at(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

// refusal is why a text is not read at all: one problem, at one place.
type refusal struct {
	place
	problem, try string
}

func refuse(p place, try, format string, args ...any) *refusal {
	return &refusal{p, fmt.Sprintf(format, args...), try}
}

// scan parses the text as one bounded YAML document. No document, or an empty one, is nil.
func scan(text []byte) (body ast.Node, no *refusal) {
	if no := checkText(text); no != nil {
		return nil, no
	}
	// Recovery: the library panics on some malformed documents.
	defer func() {
		if r := recover(); r != nil {
			body, no = nil, refuse(place{1, 1}, "", "this is not YAML that can be read")
		}
	}()
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) // the library counts some of them twice
	tokens := lexer.Tokenize(string(text))
	if no := checkTokens(tokens); no != nil {
		return nil, no
	}
	// Keys that occur twice are told with all other problems.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var y yaml.Error
		if !errors.As(err, &y) {
			return nil, refuse(place{1, 1}, "", "this is not YAML: %v", err)
		}
		return nil, notYAML(text, at(y.GetToken()), y.GetMessage())
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			return nil, refuse(at(d.Start), "keep one", "a second document begins here")
		}
		body = d.Body
	}
	return body, nil
}

// notYAML says what the parser said, and what is mostly behind it.
func notYAML(text []byte, p place, message string) *refusal {
	line := ""
	if lines := strings.Split(string(text), "\n"); p.line <= len(lines) {
		line = lines[p.line-1]
	}
	try := ""
	switch {
	case strings.Contains(message, "\t"):
		return refuse(p, "indent with spaces", "this is not YAML: a tab stands here")
	case strings.Contains(line, "${") && strings.ContainsAny(message, "{}[],"):
		try = `within braces and brackets write "${NAME}" in quotes`
	}
	return refuse(p, try, "this is not YAML: %s", shorten(message))
}

// checkText refuses what is no text, and what the lexer is slow at.
func checkText(text []byte) *refusal {
	if len(text) > maxSize {
		return refuse(place{}, tooMuchText, "the file has %d bytes, more than %d", len(text), maxSize)
	}
	if n := bytes.Count(text, []byte("\n")); n > maxLines {
		return refuse(place{}, tooMuchText, "the file has %d lines, more than %d", n, maxLines)
	}
	blank := 0
	for i, line := range bytes.Split(text, []byte("\n")) {
		if blank++; len(bytes.TrimSpace(line)) > 0 {
			blank = 0
		}
		switch {
		case blank > maxBlank:
			return refuse(place{i + 1, 1}, "", "more than %d lines in a row are empty", maxBlank)
		case len(line) > maxLine:
			return refuse(place{i + 1, 1}, "", "the line has %d bytes, more than %d", len(line), maxLine)
		case bytes.HasPrefix(line, []byte("%")):
			return refuse(place{i + 1, 1}, "leave it out", "directives (%%) are not used here")
		case !utf8.Valid(line):
			return refuse(place{i + 1, 1 + utf8.RuneCount(validStart(line))}, "save it as UTF-8", "this is not UTF-8")
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		if j := bytes.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); j >= 0 {
			return refuse(place{i + 1, 1 + utf8.RuneCount(line[:j])}, "", "a control character (U+%04X) stands here", line[j])
		}
	}
	return nil
}

// validStart is what of a line stands before its first byte that is not UTF-8.
func validStart(line []byte) []byte {
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && size == 1 {
			return line[:i]
		}
		i += size
	}
	return line
}

// checkTokens refuses what a targets file has no use for and what would make the parser recurse deeply.
func checkTokens(tokens token.Tokens) *refusal {
	if len(tokens) > maxTokens {
		return refuse(at(tokens[maxTokens]), tooMuchText, "the file has more than %d words and signs", maxTokens)
	}
	var n nesting
	later := 0
	for i, t := range tokens {
		switch t.Type {
		case token.TagType:
			return refuse(at(t), "leave it out", "tags such as %s are not used here", shorten(t.Value))
		case token.MappingKeyType:
			return refuse(at(t), "write KEY: VALUE", "keys behind a question mark are not used here")
		case token.MergeKeyType:
			return refuse(at(t), "write what targets share under defaults", "merge keys (<<) are not used here")
		case token.MappingValueType, token.SequenceEntryType:
			if i+1 == len(tokens) || tokens[i+1].Position.Line != t.Position.Line {
				later++
			}
			if later > maxLater {
				return refuse(at(t), tooMuchText, "more than %d keys have no value in their line", maxLater)
			}
		case token.AnchorType:
			if i+2 < len(tokens) && tokens[i+2].Type == token.AnchorType {
				return refuse(at(t), "", "one value has two anchors")
			}
		}
		if problem := n.enter(tokens, i); problem != "" {
			return refuse(at(t), "", "%s", problem)
		}
	}
	return nil
}

// nesting follows how deep tokens are nested, and how many keys the open mappings have.
type nesting struct {
	flow   int
	blocks []block
}

// block is a column at which keys or list entries stand.
type block struct{ column, keys int }

func (n *nesting) enter(tokens token.Tokens, i int) (problem string) {
	t := tokens[i]
	column := t.Position.Column
	switch t.Type {
	case token.MappingStartType, token.SequenceStartType:
		n.flow++
	case token.MappingEndType, token.SequenceEndType:
		n.flow = max(n.flow-1, 0)
	case token.MappingValueType:
		if i > 0 {
			column = tokens[i-1].Position.Column
		}
		fallthrough
	case token.SequenceEntryType:
		for len(n.blocks) > 0 && n.blocks[len(n.blocks)-1].column > column && n.flow == 0 {
			n.blocks = n.blocks[:len(n.blocks)-1]
		}
		if len(n.blocks) == 0 || n.blocks[len(n.blocks)-1].column < column && n.flow == 0 {
			n.blocks = append(n.blocks, block{column: column})
		}
		top := &n.blocks[len(n.blocks)-1]
		if top.keys++; top.keys > maxKeys {
			return fmt.Sprintf("more than %d keys or entries stand in one place", maxKeys)
		}
	}
	if len(n.blocks)+n.flow > maxDepth {
		return fmt.Sprintf("the nesting is deeper than %d levels", maxDepth)
	}
	return ""
}

// shorten keeps a text of the file readable in a message, whatever it is.
func shorten(s string) string { return clip(s, 80) }

// cut keeps a message that holds a text of the file to a readable length.
func cut(s string) string { return clip(s, 300) }

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
