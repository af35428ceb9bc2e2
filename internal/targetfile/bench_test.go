package targetfile

import (
	"fmt"
	"strings"
	"testing"
)

// A fleet of 1,000 targets.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\ntargets:\n")
	for i := range 1000 {
		_, _ = fmt.Fprintf(&text, "  site-%d:\n    role: %s\n    externalId: site:%d\n    distribution: E%d\n    groups: [web, eu]\n    verify:\n      - /\n      - /about\n", i, role, i, i)
	}
	for b.Loop() {
		if _, err := Parse("f", []byte(text.String()), variables()); err != nil {
			b.Fatal(err)
		}
	}
}
