package cloudfront

import (
	"math"
	"math/rand/v2"
	"time"
)

// Delays says, for one invalidation, how long after its creation each of n points of presence
// purges. The longest is when it completes. It is called by one goroutine at a time.
type Delays func(n int) []time.Duration

// Lognormal draws the time of completion (AWS promises none; a median of 10 s with sigma 0.6 is
// what people measure, L), gives it to one point of presence, and spreads the others before it.
// The same seed gives the same times.
func Lognormal(seed uint64, median time.Duration, sigma float64) Delays {
	r := rand.New(rand.NewPCG(seed, seed))
	return func(n int) []time.Duration {
		total := float64(median) * math.Exp(sigma*r.NormFloat64())
		out := make([]time.Duration, n)
		for i := range out {
			out[i] = time.Duration(total * (0.2 + 0.7*r.Float64()))
		}
		if n > 0 {
			out[r.IntN(n)] = time.Duration(total)
		}
		return out
	}
}

// Fixed gives the points of presence these times, in order; the last holds for the rest.
func Fixed(each ...time.Duration) Delays {
	return func(n int) []time.Duration {
		out := make([]time.Duration, n)
		for i := range out {
			if len(each) > 0 {
				out[i] = each[min(i, len(each)-1)]
			}
		}
		return out
	}
}
