package plan

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unstale/unstale/site"
)

// spa is a distribution such as most sites have: one bucket, CachingOptimized.
func spa() Distribution {
	p, _ := managed("658327ea-f89d-4fab-a63d-7e88639e58f6")
	return Distribution{
		ID: "E1", Enabled: true, DefaultRootObject: "index.html",
		Origins: []Origin{{ID: "site", Domain: "b.s3.us-east-1.amazonaws.com", Bucket: "b"}},
		Default: Behavior{PathPattern: "*", Origins: []string{"site"}, Policy: p},
	}
}

// large is a site of about a million keys: 12 locales, each with pages below letters.
func large() site.Snapshot {
	var s site.Snapshot
	for _, locale := range strings.Fields("ar de en es fr it ja ko nl pl pt zh") {
		for letter := 'a'; letter <= 'z'; letter++ {
			for i := range 3205 {
				s = append(s, site.Object{Key: fmt.Sprintf("%s/%c%04d/page.html", locale, letter, i), CRC32: uint32(i), Size: 1000})
			}
		}
	}
	return s
}

// scattered changes n keys anywhere.
func scattered(s site.Snapshot, n int) site.Snapshot {
	r := rand.New(rand.NewPCG(1, 2))
	out := slices.Clone(s)
	for range n {
		out[r.IntN(len(out))].CRC32 += 1 << 20
	}
	return out
}

// lettered changes every page below a letter.
func lettered(s site.Snapshot, letters string) site.Snapshot {
	out := slices.Clone(s)
	for i := range out {
		if strings.ContainsRune(letters, rune(out[i].Key[3])) {
			out[i].CRC32 += 1 << 20
		}
	}
	return out
}

// copied is a snapshot whose keys are strings of their own, as two that were read are.
func copied(s site.Snapshot) site.Snapshot {
	for i := range s {
		s[i].Key = strings.Clone(s[i].Key)
	}
	return s
}

// peak runs f and tells the most memory that the heap had meanwhile, beyond what is live before.
func peak(f func()) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return most.Load() - before
}

func BenchmarkBuild(b *testing.B) {
	old := large()
	for _, bb := range []struct {
		name    string
		release site.Snapshot
	}{
		{"10 changes", copied(scattered(old, 10))},
		{"1000 changes", copied(scattered(old, 1000))},
		{"100000 changes, scattered", copied(scattered(old, 105_500))},
		{"100000 changes, 32 letters", copied(lettered(old, "cfm"))},
		{"all changed", copied(lettered(old, "abcdefghijklmnopqrstuvwxyz"))},
	} {
		in := Input{Distribution: spa(), Release: bb.release, Known: []site.Snapshot{old}}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			var p Plan
			for b.Loop() {
				var err error
				if p, err = Build(in); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(peak(func() { _, _ = Build(in) }))/(1<<20), "peak-MiB")
			b.ReportMetric(float64(p.Stale), "stale")
			b.ReportMetric(float64(len(p.Items)), "items")
			b.ReportMetric(float64(p.Collateral), "collateral")
			b.ReportMetric(float64(p.Bound), "bound")
		})
	}
}
