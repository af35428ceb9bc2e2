package docs

import (
	"fmt"
	"slices"
	"testing"
)

func TestCommands(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{"a b c", `[["a" "b" "c"]]`},
		{"a 'b c' \"d $e\" f\\ g", `[["a" "b c" "d $e" "f g"]]`},
		{"a # b\nc # d", `[["a"] ["c"]]`},
		{"a#b", `[["a#b"]]`},
		{"a \\\n  b\nc", `[["a" "b"] ["c"]]`},
		{"a | b && c; d & e", `[["a"] ["b"] ["c"] ["d"] ["e"]]`},
		{"x=$(a b) c", `[["x="] ["a" "b"] ["c"]]`},
		{`x "$(a b)"`, `[["a" "b"] ["x" "$(a b)"]]`},
		{"cat > f <<EOF\na 'b\nEOF\nc d", `[["cat"] ["c" "d"]]`},
		{"a > b\nc '' ${x#y} d", `[["a"] ["c" "" "${x#y}" "d"]]`},
		{"a '#tag' '/*'", `[["a" "#tag" "/*"]]`},
		{"", `[]`},
		{"a 'b", `[["a" "b"]]`},
	} {
		if got := fmt.Sprintf("%q", Commands(tt.script)); got != tt.want {
			t.Errorf("%q: %s, not %s", tt.script, got, tt.want)
		}
	}
}

func TestProgram(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{"unstale a; bin/unstale b | ./unstale c", `[["a"] ["b"] ["c"]]`},
		{"cd unstale; ls bin/unstale; git clone https://x/unstale", `[]`},
		{"go run unstale d", `[["d"]]`},
		{"if x; then unstale e; fi", `[["e"]]`},
	} {
		if got := fmt.Sprintf("%q", Program(Commands(tt.script), "unstale")); got != tt.want {
			t.Errorf("%q: %s, not %s", tt.script, got, tt.want)
		}
	}
}

func TestBlocks(t *testing.T) {
	text := "a `x`\n```sh\nb `y`\n```\n- c\n  ```json\n  {}\n    d\n  ```\n`z z`\n"
	blocks, err := Blocks(text)
	want := []Block{{"sh", 3, "b `y`\n"}, {"json", 7, "{}\n  d\n"}}
	if err != nil || !slices.Equal(blocks, want) {
		t.Errorf("got %+v, %v", blocks, err)
	}
	if got := fmt.Sprintf("%q", Spans(text)); got != `["x" "z z"]` {
		t.Errorf("got %s", got)
	}
	if _, err := Blocks("a\n```sh\nb"); err == nil {
		t.Error("a block that does not end is one")
	}
}
