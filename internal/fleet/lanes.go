package fleet

import (
	"context"
	"errors"
	"sync"
	"time"

	at "github.com/unstale/unstale/internal/gateway"
)

// lane is what throttles apply to: one kind of call in one account. CloudFront throttles per account,
// and each of its operations by itself.
type lane struct{ account, kind string }

// lanes bound how many calls are under way, and let the calls of a throttled lane go one by one.
type lanes struct {
	perLane int
	overall chan struct{}
	now     func() time.Time

	mu   sync.Mutex
	open map[lane]*state
}

// state is one lane's.
type state struct {
	slots chan struct{}
	// since is when a call last went through, or when the lane began to be throttled; zero: it is not
	// throttled. gap is the time between two calls that went through, as far as it is known. next is when
	// the next call may go.
	since, next time.Time
	gap         time.Duration
}

func newLanes(perLane, overall int, now func() time.Time) *lanes {
	return &lanes{perLane: perLane, overall: make(chan struct{}, overall), now: now, open: map[lane]*state{}}
}

// do makes a call when there is room for it, and again for as long as it is throttled and the context
// lasts. Other failures are the caller's.
func (l *lanes) do(ctx context.Context, of lane, call func() error) error {
	s := l.state(of)
	if err := enter(ctx, s.slots); err != nil {
		return err
	}
	defer func() { <-s.slots }()
	for {
		if err := sleep(ctx, l.reserve(s)); err != nil {
			return err
		}
		if err := enter(ctx, l.overall); err != nil {
			return err
		}
		err := call()
		<-l.overall
		if !throttled(err) {
			l.passed(s)
			return err
		}
		if ctx.Err() != nil {
			return err
		}
		l.refused(s)
	}
}

func (l *lanes) state(of lane) *state {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of.account == "" {
		return &state{slots: make(chan struct{}, 1)}
	}
	if l.open[of] == nil {
		l.open[of] = &state{slots: make(chan struct{}, l.perLane)}
	}
	return l.open[of]
}

// The pauses of a throttled lane: a twentieth of the time since a call went through, so that what they
// waste stays a twentieth however slow AWS lets it be. Once it is known how long AWS takes to let another
// call through, nobody asks before nine tenths of that.
const (
	shortest = 50 * time.Millisecond
	unknown  = 2 * shortest // the shortest while nothing is known: many accounts are throttled at once then
	longest  = 5 * time.Second
	share    = 20
	early    = 9
)

// reserve gives how long to wait for the next turn in a lane. In one that is throttled each caller has a
// turn of its own.
func (l *lanes) reserve(s *state) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if s.since.IsZero() {
		return 0
	}
	if now.Sub(s.next) > 2*s.gap+longest { // at rest: the next turn was nobody's
		s.since, s.next, s.gap = time.Time{}, time.Time{}, 0
		return 0
	}
	turn := now
	for _, t := range []time.Time{s.next, s.since.Add(s.gap * early / 10)} {
		if t.After(turn) {
			turn = t
		}
	}
	least := shortest
	if s.gap == 0 {
		least = unknown
	}
	pause := max(turn.Sub(s.since), s.gap) / share
	s.next = turn.Add(min(max(pause, least), longest))
	return turn.Sub(now)
}

// refused notes that a lane is throttled.
func (l *lanes) refused(s *state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.since.IsZero() {
		s.since = l.now()
		s.next = s.since.Add(unknown)
	}
}

// passed notes that a call went through.
func (l *lanes) passed(s *state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); !s.since.IsZero() {
		s.gap, s.since = now.Sub(s.since), now
	}
}

// throttled reports whether AWS says that there are too many calls. That nothing is wrong with them is
// what sets it apart from a service that is down.
func throttled(err error) bool {
	var e *at.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case at.Throttling, at.ThrottlingException, at.TooManyRequestsException, "RequestThrottled", "RequestLimitExceeded", "SlowDown":
		return true
	}
	return false
}

func enter(ctx context.Context, room chan struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
