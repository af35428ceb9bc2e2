package plural_test

import (
	"testing"

	"github.com/unstale/unstale/internal/plural"
)

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 pages are", 1: "1 page is", 2: "2 pages are", -1: "-1 pages are"} {
		if got := plural.Of(n, "page") + " " + plural.Word(n, "is", "are"); got != want {
			t.Errorf("%d: %q, not %q", n, got, want)
		}
	}
}
