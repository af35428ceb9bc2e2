package targetfile

import (
	"strings"
	"testing"
)

// text of a file with these lines under version and targets.
func fileOf(lines ...string) string {
	return "version: 1\ntargets:\n" + strings.Join(lines, "\n") + "\n"
}

// variables is a lookup that knows these only.
func variables(pairs ...string) func(string) (string, bool) {
	known := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		known[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		value, set := known[name]
		return value, set
	}
}

func parse(t *testing.T, text string, pairs ...string) *File {
	t.Helper()
	f, err := Parse("unstale.yaml", []byte(text), variables(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
