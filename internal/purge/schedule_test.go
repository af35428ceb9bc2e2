package purge

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	for _, tt := range []struct {
		median, first, step, tenth, window time.Duration
	}{
		{0, 5500 * time.Millisecond, 1700 * time.Millisecond, 2465 * time.Millisecond, 50 * time.Second},
		{100 * time.Second, 55 * time.Second, 17 * time.Second, 24650 * time.Millisecond, 500 * time.Second},
		{100 * time.Millisecond, 55 * time.Millisecond, 17 * time.Millisecond, 24650 * time.Microsecond, 500 * time.Millisecond},
		{time.Nanosecond, time.Millisecond, time.Millisecond, time.Millisecond, time.Millisecond},
	} {
		s := Schedule{Median: tt.median}
		if s.First() != tt.first || s.Step(1) != tt.step || s.Step(10) != tt.tenth || s.Window() != tt.window || s.Step(0) != s.Step(1) {
			t.Errorf("median %v: first %v, step %v, tenth %v, window %v", tt.median, s.First(), s.Step(1), s.Step(10), s.Window())
		}
	}
}

// Completion is noticed soon and with few calls when it takes what it is known to take: lognormal,
// sigma 0.6. The bounds are the design's: 1.3 s late and 5 calls at a median of 10 s.
func TestCompletionIsNoticedSoonAndCheaply(t *testing.T) {
	for _, median := range []time.Duration{10 * time.Second, 120 * time.Second} {
		random := rand.New(rand.NewPCG(1, 2))
		s := Schedule{Median: median}
		var late time.Duration
		var looks int
		const runs = 20000
		for range runs {
			takes := time.Duration(math.Exp(0.6*random.NormFloat64()) * float64(median))
			at, n := s.First(), 1
			for ; at < takes; n++ {
				at += s.Step(n)
			}
			late += at - takes
			looks += n
		}
		if mean := late / runs; mean > median*13/100 {
			t.Errorf("median %v: %v late on average; want at most %v", median, mean, median*13/100)
		}
		if mean := float64(looks) / runs; mean > 5 {
			t.Errorf("median %v: %.1f looks on average; want at most 5", median, mean)
		}
	}
}
