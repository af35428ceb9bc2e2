package codepipeline

import (
	"sync"

	"github.com/unstale/unstale/rehearsal/clock"
)

// promise is one message that somebody waits for. Only the first one counts: an answer and a timeout
// cannot both win. Keeping it makes the clock busy on the waiter's behalf, so that time does not
// skip between the message and the waiter's next step.
type promise struct {
	clock *clock.Clock
	once  sync.Once
	got   chan message
}

type message struct {
	what   string // one of the constants below
	answer answer // with answered
	busy   func() // ends the waiter's busy time
}

const (
	answered  = "answered"
	timedOut  = "timed out"
	cancelled = "cancelled"
	entered   = "entered"
	passed    = "passed" // by a newer execution
	elapsed   = "elapsed"
)

func newPromise(c *clock.Clock) *promise { return &promise{clock: c, got: make(chan message, 1)} }

// keep sends m and says whether it was the first.
func (p *promise) keep(m message) (first bool) {
	p.once.Do(func() {
		first = true
		m.busy = p.clock.Busy()
		p.got <- m
	})
	return first
}
