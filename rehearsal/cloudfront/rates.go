package cloudfront

import (
	"fmt"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Rate is how many calls of one operation an account may make: PerSecond for as long as it likes, and
// Burst at once after a rest.
type Rate struct {
	PerSecond float64
	Burst     int // at least 1
}

// Rates are the request rates of operations by name, such as "CreateInvalidation", each counted for each
// account by itself. An operation without one is not throttled.
type Rates map[string]Rate

// FieldRates is what is known of the real ones: 0.5 creations a second, which a maintainer of an AWS SDK
// named in 2022 (M: aws-sdk-js issue 3983). AWS publishes none; that nothing is saved up is a guess (L).
func FieldRates() Rates { return Rates{"CreateInvalidation": {PerSecond: 0.5, Burst: 1}} }

// throttle holds a caller's account to the rate of an operation. It comes before the decision, so that
// denied calls count too (L), and what it refuses is in the journal as a call without one.
func (s *Service) throttle(caller accounts.Caller, action, resource string) error {
	rate, ok := s.requests[action]
	if !ok {
		return nil
	}
	now, key := s.clock.Now(), caller.Account+" "+action
	s.mu.Lock()
	b := s.asked[key]
	if b == nil {
		b = &bucket{}
		s.asked[key] = b
	}
	room := b.has(rate, now, 1)
	if room {
		b.spent++
	}
	s.mu.Unlock()
	if room {
		return nil
	}
	s.journal.Record(journal.Call{
		Time: now, Account: caller.Account, Caller: caller.Account, Principal: caller.Name(), Action: "cloudfront:" + action, Resource: resource,
		Decision: "deny", Statement: "throttle", Reason: fmt.Sprintf("the account makes more than %g calls a second", rate.PerSecond),
	})
	return wire.Errorf(400, "Throttling", "Rate exceeded")
}

// bucket is what was taken from an allowance that refills at its rate. A request for more than the
// whole is admitted when nothing was taken and leaves it in debt, or else it could never pass.
type bucket struct {
	spent float64 // never negative
	at    time.Time
}

func (b *bucket) has(r Rate, now time.Time, n int) bool {
	b.spent = max(0, b.spent-r.PerSecond*now.Sub(b.at).Seconds())
	b.at = now
	return b.spent+float64(min(n, r.Burst)) <= float64(r.Burst)
}
