package report

// rect is a rectangle, in any unit.
type rect struct{ x, y, w, h float64 }

// squarify divides a rectangle among weights, which are positive and fall, into rectangles of their
// proportions that are near squares. They fill it and do not overlap. Source: Bruls, Huizing, van
// Wijk, "Squarified Treemaps" (2000).
func squarify(weights []float64, in rect) []rect {
	left := 0.0
	for _, w := range weights {
		left += w
	}
	out := make([]rect, 0, len(weights))
	for len(weights) > 0 {
		n := nextRow(weights, in, left)
		sum := 0.0
		for _, w := range weights[:n] {
			sum += w
		}
		strip, column := in, in.w >= in.h
		if column {
			strip.w = in.w * sum / left
			in.x, in.w = in.x+strip.w, in.w-strip.w
		} else {
			strip.h = in.h * sum / left
			in.y, in.h = in.y+strip.h, in.h-strip.h
		}
		out = divide(weights[:n], sum, strip, column, out)
		weights, left = weights[n:], left-sum
	}
	return out
}

// divide lays a row out, from top to bottom in a column and else from left to right.
func divide(weights []float64, sum float64, strip rect, column bool, out []rect) []rect {
	for _, w := range weights {
		r := strip
		if column {
			r.h = strip.h * w / sum
			strip.y, strip.h = strip.y+r.h, strip.h-r.h
		} else {
			r.w = strip.w * w / sum
			strip.x, strip.w = strip.x+r.w, strip.w-r.w
		}
		sum -= w
		out = append(out, r)
	}
	return out
}

// nextRow is how many of the weights make the row whose worst rectangle is nearest to a square.
func nextRow(weights []float64, in rect, left float64) int {
	side := min(in.w, in.h)
	scale := in.w * in.h / left // area of a weight
	sum, best := 0.0, 0.0
	for n, w := range weights {
		sum += w
		thick := sum * scale / side
		worst := max(ratio(weights[0]*scale/thick, thick), ratio(w*scale/thick, thick))
		if n > 0 && worst > best {
			return n
		}
		best = worst
	}
	return len(weights)
}

// ratio is how far from a square a rectangle is.
func ratio(a, b float64) float64 { return max(a/b, b/a) }
