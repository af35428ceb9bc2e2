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

// silence gives a target up whose calls had no answer for too long in all, however many more tries it has. Only the
// time inside calls counts: what passes between them, waiting for a turn in the lane or before another try, is ours
// and no silence of the target's.
type silence struct {
	patience time.Duration // 0: it is never given up
	giveUp   func()        // ends what is done on the target

	mu      sync.Mutex
	before  time.Duration // without an answer, in the calls before the one under way
	since   time.Time     // when the call under way began, or was last answered in part; zero: there is none
	tries   int           // calls since the last answer
	timer   *time.Timer
	last    error // of the last call that ended without an answer
	isOver  bool
	hearing bool // the answer of the call under way is waited for in any case
}

// begin notes that a call is made. The answer of one that is to be heard is waited for: until then the target is
// not given up.
func (s *silence) begin(heard bool) {
	if s.patience == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.hearing = time.Now(), heard
	s.tries++
	s.wind()
}

// heard notes that an answer began to come in on the wire. A call may be many requests, such as looking at a hundred
// objects: while each of them is answered there is no silence, however long all of them take.
func (s *silence) heard() {
	if s.patience == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() || s.isOver { // too late
		return
	}
	s.since, s.before, s.tries, s.last = time.Now(), 0, 1, nil
	s.wind()
}

// end notes what came of it.
func (s *silence) end(err error) {
	if s.patience == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.before = s.silent()
	s.since, s.hearing = time.Time{}, false
	if answered(err) {
		s.before, s.tries, s.last = 0, 0, nil
		return
	}
	if !s.isOver || s.last == nil { // one that was cut off by giving up says less
		s.last = err
	}
	if s.before >= s.patience {
		s.over()
	}
}

// silent is how long there has been no answer, up to now.
func (s *silence) silent() time.Duration {
	if s.since.IsZero() {
		return s.before
	}
	return s.before + time.Since(s.since)
}

// wind has the target given up when the call under way has had no answer for too long.
func (s *silence) wind() {
	s.stop()
	if s.hearing {
		return
	}
	s.timer = time.AfterFunc(s.patience-s.silent(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.since.IsZero() && !s.hearing && s.silent() >= s.patience { // else something happened meanwhile
			s.over()
		}
	})
}

func (s *silence) over() {
	s.isOver = true
	s.giveUp()
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
