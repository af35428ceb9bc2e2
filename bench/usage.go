package main

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"
)

// usage is what something took in this process: the least time of several runs, because a busy
// machine only ever adds to it, and the most memory.
type usage struct {
	took         time.Duration
	processor    time.Duration // of all threads, the collector's too; 0 where it is not known
	beyond, peak int64         // bytes of heap: besides what was live before, and in all
}

func (u *usage) add(other usage) {
	if u.peak == 0 || other.took < u.took {
		u.took = other.took
	}
	if u.peak == 0 || other.processor < u.processor {
		u.processor = other.processor
	}
	u.beyond, u.peak = max(u.beyond, other.beyond), max(u.peak, other.peak)
}

// alone is how long it takes at most on a machine that does nothing else, if it never waits: that is
// no longer than its processor time, however long others kept it from running here.
func (u usage) alone() time.Duration {
	if u.processor == 0 {
		return u.took
	}
	return min(u.took, u.processor)
}

// String is a cell.
func (u usage) String() string {
	return fmt.Sprintf("%.2f s (processor: %.2f s), %.0f MiB beside both snapshots", u.took.Seconds(), u.processor.Seconds(), mebibytes(u.beyond))
}

// use runs something and tells how long it took and how much of the heap was in use at most, garbage
// that is not collected yet included.
func use(f func()) usage {
	runtime.GC()
	before := heap()
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		peak := heap()
		for {
			select {
			case <-tick.C:
				peak = max(peak, heap())
			case <-stop:
				most <- max(peak, heap())
				return
			}
		}
	}()
	begin, worked := time.Now(), processor()
	f()
	u := usage{took: time.Since(begin), processor: processor() - worked}
	close(stop)
	u.peak = <-most
	u.beyond = max(0, u.peak-before)
	return u
}

// heap is how many bytes of the heap objects occupy: live ones, and dead ones that were not swept.
func heap() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
