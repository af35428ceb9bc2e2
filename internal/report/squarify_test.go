package report

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSquarify(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		weights := rapid.SliceOfN(rapid.Float64Range(0.001, 1000), 1, 40).Draw(r, "weights")
		slices.SortFunc(weights, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
		in := rect{0, 0, rapid.Float64Range(1, 2000).Draw(r, "w"), rapid.Float64Range(1, 2000).Draw(r, "h")}
		total := 0.0
		for _, w := range weights {
			total += w
		}
		all := squarify(weights, in)
		if len(all) != len(weights) {
			r.Fatalf("%d rectangles for %d weights", len(all), len(weights))
		}
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(a)+math.Abs(b)) }
		for i, a := range all {
			if want := weights[i] / total * in.w * in.h; !near(a.w*a.h, want) {
				r.Fatalf("%v has the area %g, want %g", a, a.w*a.h, want)
			}
			if a.x < -1e-6 || a.y < -1e-6 || a.x+a.w > in.w+1e-6 || a.y+a.h > in.h+1e-6 {
				r.Fatalf("%v lies outside of %v", a, in)
			}
			for _, b := range all[:i] {
				x := min(a.x+a.w, b.x+b.w) - max(a.x, b.x)
				y := min(a.y+a.h, b.y+b.h) - max(a.y, b.y)
				if x > 1e-6 && y > 1e-6 {
					r.Fatalf("%v overlaps %v", a, b)
				}
			}
		}
	})
}

func TestSquarifyMakesSquares(t *testing.T) {
	// The example of the paper: 6 by 4, where no rectangle is thinner than 1 to 3.
	for _, r := range squarify([]float64{6, 6, 4, 3, 2, 2, 1}, rect{w: 6, h: 4}) {
		if ratio(r.w, r.h) > 3 {
			t.Errorf("%v is thin", r)
		}
	}
	if got := squarify(nil, wide); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}
