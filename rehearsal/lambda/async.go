package lambda

import (
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// How asynchronous events are tried again. Source: Lambda Developer Guide, "Asynchronous
// invocation" (H): function errors after one and two minutes, throttles and AWS's own errors with
// a growing wait from 1 second to 5 minutes, for up to 6 hours.
const (
	defaultRetries  = 2
	defaultEventAge = 6 * time.Hour
	firstBackoff    = time.Second
	lastBackoff     = 5 * time.Minute
)

// enqueue delivers an event, normally once, as soon as may be.
func (s *Service) enqueue(i *invocation) {
	i.enqueued = s.Clock.Now()
	when := []time.Duration{0}
	if s.Hooks != nil {
		when = s.Hooks.Deliveries(i.describe())
	}
	for _, after := range when {
		delivery := *i
		s.Clock.After(after, func() { s.deliver(&delivery) })
	}
}

// deliver makes one attempt and plans the next one if it has to.
func (s *Service) deliver(i *invocation) {
	if s.closing.Err() != nil {
		return
	}
	out, err := s.execute(i)
	var wait time.Duration
	switch {
	case err == nil && out.FunctionError == "":
		return
	case err == nil:
		if i.attempt > s.eventConfig(i.target).retries() {
			s.drop(i, "RetriesExhausted", "the function failed on every attempt")
			return
		}
		wait = time.Duration(i.attempt) * time.Minute
		i.attempt++
	case wire.AsError(err).Code == "ResourceNotFoundException":
		s.drop(i, "ResourceNotFoundException", wire.AsError(err).Message)
		return
	default:
		i.waited = min(max(firstBackoff, 2*i.waited), lastBackoff)
		wait = i.waited
	}
	age := s.Clock.Now().Add(wait).Sub(i.enqueued)
	if age > s.eventConfig(i.target).age() {
		s.drop(i, "EventAgeExceeded", "the event grew too old before its next attempt")
		return
	}
	s.Clock.After(wait, func() { s.deliver(i) })
}

func (s *Service) drop(i *invocation, condition, message string) {
	data := i.describe()
	data.Error, data.Message = condition, message
	s.tell("EventDropped", data)
}
