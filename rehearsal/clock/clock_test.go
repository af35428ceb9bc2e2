package clock_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/rehearsal/clock"
)

// log collects names from the goroutines that events run in.
type log struct {
	mu    sync.Mutex
	names []string
}

func (l *log) add(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, name)
}

func (l *log) want(t *testing.T, names ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.names, names) {
		t.Errorf("ran %q, want %q", l.names, names)
	}
}

func TestAutoSkipsIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		defer c.Close()
		var l log
		start, wall := c.Now(), time.Now()
		c.After(20*time.Minute, func() { l.add("silence") })
		c.After(time.Minute, func() { l.add("completion") })
		time.Sleep(time.Second)
		l.want(t, "completion", "silence")
		if skipped := c.Now().Sub(start) - time.Since(wall); skipped < 19*time.Minute || skipped > 20*time.Minute {
			t.Errorf("skipped %s, want what 20 minutes take less the wall time", skipped)
		}
	})
}

func TestWallDatesForThoseWhoDidNotSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(false)
		defer c.Close()
		c.Advance(time.Hour)
		made := c.Now()
		c.Advance(time.Minute)
		if since := time.Since(c.Wall(made)); since != time.Minute {
			t.Errorf("a process takes it for %s old, want a minute", since)
		}
	})
}

func TestBusyHoldsTimeStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		defer c.Close()
		var l log
		done := c.Busy()
		c.After(time.Hour, func() { l.add("hour") })
		time.Sleep(10 * time.Minute)
		l.want(t)
		done()
		done() // a second call does nothing
		second := c.Busy()
		time.Sleep(10 * time.Minute)
		l.want(t)
		second()
		time.Sleep(time.Second)
		l.want(t, "hour")
	})
}

// TestAnAnswerIsGivenTimeToArrive: however long it was quiet before, a short request starts the
// settling anew, so that whoever got its answer can make the next call.
func TestAnAnswerIsGivenTimeToArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		defer c.Close()
		var l log
		c.After(time.Hour, func() { l.add("hour") })
		for range 50 {
			time.Sleep(14 * time.Millisecond)
			c.Busy()()
		}
		synctest.Wait()
		l.want(t)
		time.Sleep(16 * time.Millisecond)
		l.want(t, "hour")
	})
}

// TestEventsAreBusyWork: while one runs, even asleep in wall time, the next is not skipped to.
func TestEventsAreBusyWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		defer c.Close()
		var l log
		c.After(time.Minute, func() {
			time.Sleep(10 * time.Second)
			l.add("slow")
		})
		c.After(time.Hour, func() { l.add("later") })
		time.Sleep(5 * time.Second)
		l.want(t)
		time.Sleep(10 * time.Second)
		l.want(t, "slow", "later")
	})
}

func TestManualAdvancesOnlyWhenTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(false)
		defer c.Close()
		var l log
		c.After(time.Hour, func() { l.add("hour") })
		c.After(3*time.Second, func() { l.add("wall") })
		time.Sleep(5 * time.Second)
		l.want(t, "wall") // wall time goes on
		before := c.Now()
		c.Advance(time.Hour)
		synctest.Wait()
		l.want(t, "wall", "hour")
		if got := c.Now().Sub(before); got != time.Hour {
			t.Errorf("advanced by %s", got)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		defer c.Close()
		var l log
		cancel := c.After(time.Hour, func() { l.add("cancelled") })
		kept := c.After(2*time.Hour, func() { l.add("kept") })
		if !cancel() || cancel() {
			t.Error("the first cancel is in time, the second is not")
		}
		time.Sleep(time.Second)
		l.want(t, "kept")
		if kept() {
			t.Error("cancelled what had run")
		}
	})
}

func TestEventsMayScheduleEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		defer c.Close()
		var l log
		c.After(time.Hour, func() {
			l.add("first")
			c.After(time.Hour, func() { l.add("second") })
		})
		time.Sleep(time.Second)
		l.want(t, "first", "second")
	})
}

func TestClosedRunsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(true)
		var l log
		c.After(time.Hour, func() { l.add("never") })
		c.Close()
		c.Close()
		c.Advance(2 * time.Hour)
		time.Sleep(time.Second)
		l.want(t)
	})
}
