package logs

import (
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// newPattern reads a filter pattern of the simple kind: words and "quoted phrases", all of which
// a message must contain, case-sensitively. Source: CloudWatch Logs User Guide, "Filter pattern
// syntax" (H). JSON selectors, columns, ?optional and -excluded terms are refused.
func newPattern(text string) (func(string) bool, error) {
	var terms []string
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		if rest[0] == '"' {
			phrase, after, closed := strings.Cut(rest[1:], `"`)
			if !closed {
				return nil, invalid("Invalid filter pattern: %s has an unclosed quote", text)
			}
			terms, rest = append(terms, phrase), after
			continue
		}
		word, after := rest, ""
		if i := strings.IndexAny(rest, " \t\""); i >= 0 {
			word, after = rest[:i], rest[i:]
		}
		if strings.ContainsAny(word[:1], "{[?-%") {
			return nil, wire.NotEmulated("the filter pattern %s: only words and quoted phrases", text)
		}
		terms, rest = append(terms, word), after
	}
	return func(message string) bool {
		for _, t := range terms {
			if !strings.Contains(message, t) {
				return false
			}
		}
		return true
	}, nil
}
