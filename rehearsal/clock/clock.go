// Package clock is the time AWS lives in during a rehearsal: completions, timeouts and TTLs. It
// runs at wall speed and skips ahead to the next event whenever nothing real is under way, so that
// twenty minutes of silence cost nothing. Real processes sign and sleep in wall time and never see it.
package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is wall time plus what was skipped. The zero value is not ready; use New.
type Clock struct {
	mu     sync.Mutex
	skew   time.Duration
	busy   int
	auto   bool
	quiet  time.Time // since when nothing was under way and nothing new was scheduled
	events events
	seq    int
	wake   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// New starts a clock. With auto it skips idle time by itself; without, only Advance does.
func New(auto bool) *Clock {
	c := &Clock{auto: auto, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	go c.run()
	return c
}

// Now is the rehearsal's time, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time { return time.Now().Add(c.skew).UTC() }

// Wall dates a moment of the rehearsal for those who live in wall time: as long before their now as
// it is before the rehearsal's. A process that did not see time skip would otherwise take what is a
// minute old for new.
func (c *Clock) Wall(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Add(-c.skew)
}

// After schedules fn, in a goroutine of its own, once d has passed. The returned function cancels
// it and reports whether it did so in time. While fn runs the clock counts as busy.
func (c *Clock) After(d time.Duration, fn func()) (cancel func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return func() bool { return true }
	}
	c.seq++
	e := &event{at: c.now().Add(d), seq: c.seq, fn: fn}
	heap.Push(&c.events, e)
	c.quiet = time.Now()
	c.nudge()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if e.index < 0 {
			return false
		}
		if !c.isClosed() {
			heap.Remove(&c.events, e.index)
		}
		return true
	}
}

// Busy says that something real is under way (a request, a function, a build), so that time must
// not skip. Call what it returns when that is over; a second call does nothing.
func (c *Clock) Busy() (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
	var once sync.Once
	return func() {
		once.Do(func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.idle()
		})
	}
}

// Advance skips d ahead; what falls due runs.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skew += d
	c.nudge()
}

// Close stops the clock; what is scheduled never runs.
func (c *Clock) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.once.Do(func() { close(c.closed) })
	c.events = nil
}

// idle ends one piece of busy work. The caller holds mu.
func (c *Clock) idle() {
	c.busy--
	c.quiet = time.Now()
	c.nudge()
}

// nudge makes run look again. The caller holds mu.
func (c *Clock) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Clock) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// settle is how long nothing must be under way before time skips: long enough for an answer to
// reach the process that asked, so that it can start its next call.
const settle = 15 * time.Millisecond

func (c *Clock) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		c.mu.Lock()
		if len(c.events) > 0 {
			wait = c.events[0].at.Sub(c.now())
			if c.auto && c.busy == 0 && wait > 0 {
				if rest := settle - time.Since(c.quiet); rest <= 0 {
					c.skew += wait
					wait = 0
				} else {
					wait = min(wait, rest)
				}
			}
			if wait <= 0 {
				c.fire(heap.Pop(&c.events).(*event))
			}
		}
		c.mu.Unlock()
		if wait <= 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-c.closed:
			return
		case <-c.wake:
		case <-timer.C:
		}
	}
}

// fire runs e as busy work. The caller holds mu.
func (c *Clock) fire(e *event) {
	c.busy++
	go func() {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.idle()
		}()
		e.fn()
	}()
}

type event struct {
	at    time.Time
	seq   int // first scheduled, first run
	fn    func()
	index int // in the heap; -1 once out
}

type events []*event

func (h events) Len() int { return len(h) }
func (h events) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *events) Push(x any)   { e := x.(*event); e.index = len(*h); *h = append(*h, e) }
func (h *events) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	e.index = -1
	return e
}
