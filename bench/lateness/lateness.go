// Package lateness measures how late a completed invalidation is noticed, and by how many looks: by
// our purge, and by what people use today, on the same drawn completion times. The watchers are the
// real ones, run in a bubble of testing/synctest, so that hours take seconds; only a test can enter
// one, so the watchers are in this package's test. What is measured is virtual and does not depend on
// the machine.
package lateness

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Sigma is the spread that completion times are drawn with. At a median of 10 s it puts 95% under
// 27 s; AWS says that 95% complete in less than 25 s ("CloudFront invalidation by cache tag", April
// 2026).
const Sigma = 0.6

// Draw makes n completion times, lognormal around a median, the same for the same seed.
func Draw(n int, median time.Duration, seed uint64) []time.Duration {
	random := rand.New(rand.NewPCG(seed, 0))
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = time.Duration(float64(median) * math.Exp(Sigma*random.NormFloat64()))
	}
	return times
}

// Ours is what our own watcher is called.
const Ours = "unstale"

// Result is how one watcher did.
type Result struct {
	Watcher string
	Median  time.Duration // of the completion times
	N       int
	Late    time.Duration // mean time from completion to notice
	P95     time.Duration // 95% are noticed within this
	Looks   float64       // mean number of looks
}

// Notice is what became of one invalidation.
type Notice struct {
	Late  time.Duration // from completion to the look that saw it
	Looks int
}

// Summarise makes a watcher's result. There has to be at least one notice.
func Summarise(watcher string, median time.Duration, notices []Notice) Result {
	r := Result{Watcher: watcher, Median: median, N: len(notices)}
	late := make([]time.Duration, len(notices))
	var sum time.Duration
	looks := 0
	for i, n := range notices {
		late[i] = n.Late
		sum += n.Late
		looks += n.Looks
	}
	slices.Sort(late)
	r.Late = sum / time.Duration(len(notices))
	r.P95 = late[len(late)*95/100]
	r.Looks = float64(looks) / float64(len(notices))
	return r
}
