package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	at "github.com/unstale/unstale/internal/gateway"
)

// LeastPatience is how long a target that answers nothing is tried at least, however short the wait is: gateways
// give most calls so long.
const LeastPatience = 10 * time.Second

// Patience is how long a target may answer nothing, where its completion is waited for so long; 0: any time, since
// nobody said how long.
func Patience(wait time.Duration) time.Duration {
	if wait == 0 {
		return 0
	}
	return max(wait, LeastPatience)
}

// silence gives a target up that has answered none of its calls for too long, however many more tries it has.
type silence struct {
	patience time.Duration // 0: it is never given up
	giveUp   func()        // ends what is done on the target

	mu      sync.Mutex
	since   time.Time // when the first of the calls began that had no answer; zero: the last one had
	tries   int       // calls since
	timer   *time.Timer
	last    error // of the last call that ended without an answer
	isOver  bool
	hearing bool // the answer of a call under way is waited for in any case
}

// begin notes that a call is made. The answer of one that is to be heard is waited for: until then the target is
// not given up.
func (s *silence) begin(heard bool) {
	if s.patience == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		s.since, s.tries = time.Now(), 0
	}
	s.tries++
	if s.hearing = heard; heard {
		s.stop()
		return
	}
	s.wind()
}

// end notes what came of it.
func (s *silence) end(err error) {
	if s.patience == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hearing = false
	if answered(err) {
		s.stop()
		s.since, s.last = time.Time{}, nil
		return
	}
	if !s.isOver || s.last == nil { // one that was cut off by giving up says less
		s.last = err
	}
	s.wind()
}

// wind has the target given up when its time is over.
func (s *silence) wind() {
	s.stop()
	s.timer = time.AfterFunc(s.patience-time.Since(s.since), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.since.IsZero() && !s.hearing && time.Since(s.since) >= s.patience { // else something happened meanwhile
			s.isOver = true
			s.giveUp()
		}
	})
}

func (s *silence) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// close ends it.
func (s *silence) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.since = time.Time{}
}

// why is the error of a target that was given up, nil where it was not.
func (s *silence) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.isOver:
		return nil
	case s.last == nil: // the answer came when it was given up
		return at.Unanswered(nil, s.patience)
	case errors.Is(s.last, context.Canceled), errors.Is(s.last, context.DeadlineExceeded): // cut off by giving up
		return at.Unanswered(s.last, s.patience)
	case s.tries == 1:
		return s.last
	}
	return fmt.Errorf("%w; given up after %s without an answer to %d calls", s.last, s.patience, s.tries)
}

// answered reports whether somebody answered a call, be it to refuse it.
func answered(err error) bool {
	var e *at.Error
	if !errors.As(err, &e) {
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	switch e.Code {
	case at.RequestTimeout, at.NetworkError, at.Canceled:
		return e.Status != 0
	}
	return true
}
