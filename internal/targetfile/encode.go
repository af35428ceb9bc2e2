package targetfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Encode writes targets as a targets file, which Parse reads back as the same targets. What targets
// share is written with each.
func Encode(targets []Target) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "version: %d\ntargets:\n", Version)
	all := keys()
	for _, t := range targets {
		fmt.Fprintf(&b, "  %s:\n", quote(t.Name))
		for _, k := range all {
			encode(&b, k.name, k.get(&t))
		}
	}
	return []byte(b.String())
}

func encode(b *strings.Builder, name string, v any) {
	switch v := v.(type) {
	case bool:
		fmt.Fprintf(b, "    %s: %t\n", name, v)
	case string:
		fmt.Fprintf(b, "    %s: %s\n", name, quote(v))
	case []string:
		if len(v) == 0 {
			fmt.Fprintf(b, "    %s: []\n", name)
			return
		}
		fmt.Fprintf(b, "    %s:\n", name)
		for _, s := range v {
			fmt.Fprintf(b, "      - %s\n", quote(s))
		}
	case map[string]string:
		fmt.Fprintf(b, "    %s:\n", name)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(b, "      %s: %s\n", quoteExactly(key), quote(v[key]))
		}
	}
}

// plain is what YAML takes as a text without quotes in every version: no number, no truth, no sign.
var plain = regexp.MustCompile(`^(arn:|s3://|/)?[A-Za-z][A-Za-z0-9/._:-]*[A-Za-z0-9/]$`)

// quote writes a text, in quotes where YAML or the expansion of variables could read something else.
func quote(s string) string { return quoteExactly(strings.ReplaceAll(s, "${", "$${")) }

func quoteExactly(s string) string {
	if word := strings.ToLower(s); plain.MatchString(s) && !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "none"}, word) {
		return s
	}
	text, err := json.Marshal(s) // JSON's texts are YAML's double-quoted ones
	if err != nil {
		return `""` // texts always marshal
	}
	return string(text)
}
