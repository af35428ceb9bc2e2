package cloudfront

import (
	"context"
	"slices"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Invalidation is an invalidation as CloudFront shows it.
type Invalidation struct {
	ID           string
	Distribution string // ID
	Created      time.Time
	Status       string // "InProgress" or "Completed"
	Items        []string
	Reference    string // CallerReference
}

// The statuses of an invalidation.
const (
	InProgress = "InProgress"
	Completed  = "Completed"
)

// invalidation is one with what is still to come. Its fields are under the service's lock.
type invalidation struct {
	Invalidation
	left   int // points of presence that have not purged
	untold int // those whose purge the observers have not all seen
}

// Event data. Source is "cloudfront"; the events are InvalidationCreated, PopPurged and
// InvalidationCompleted.
type (
	// InvalidationCreated is told before the caller has its answer and before any purge begins.
	InvalidationCreated struct{ Invalidation Invalidation }
	// PopPurged is told when one point of presence has purged.
	PopPurged struct {
		Invalidation Invalidation
		POP          string
		Removed      int // cached answers that went
		Left         int // points of presence still to come
	}
	// InvalidationCompleted is told when GetInvalidation says Completed.
	InvalidationCompleted struct{ Invalidation Invalidation }
)

// CreateInvalidation asks for items to be purged. created is false when an older invalidation with
// the same reference and items is returned.
func (s *Service) CreateInvalidation(_ context.Context, caller accounts.Caller, distribution string, items []string, reference string) (inv Invalidation, created bool, err error) {
	d, err := s.distribution(caller, "CreateInvalidation", distribution)
	if err != nil {
		return Invalidation{}, false, err
	}
	if err := s.checkBatch(d, items, reference); err != nil {
		return Invalidation{}, false, err
	}
	made, created, err := s.admit(d, items, reference)
	if err != nil || !created {
		return made, false, err
	}
	s.tell("InvalidationCreated", InvalidationCreated{made})
	s.schedule(made)
	return made, true, nil
}

func (s *Service) checkBatch(d *Distribution, items []string, reference string) error {
	switch {
	case reference == "":
		return invalid("Your request does not contain a caller reference.")
	case len(items) == 0:
		return invalid("Your request contains no invalidation paths.")
	case s.limits.BatchItems > 0 && len(items) > s.limits.BatchItems:
		return wire.Errorf(413, "BatchTooLarge", "Invalidation batch specified is too large.")
	}
	for _, item := range items {
		if !validItem(item, d.Config.CacheTagHeader != "") {
			// The message is known from many issues (M).
			e := wire.Errorf(400, "InvalidArgument", "Your request contains one or more invalid invalidation paths.")
			e.Cause = "invalid item: " + item
			return e
		}
	}
	return nil
}

// admit stores an invalidation unless its reference was used or a limit is in the way.
func (s *Service) admit(d *Distribution, items []string, reference string) (Invalidation, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.distributions[d.ID] == nil {
		return Invalidation{}, false, noSuchDistribution()
	}
	more, now := loadOf(items), s.clock.Now()
	if s.rates[d.Account] == nil {
		s.rates[d.Account] = &rates{}
	}
	if err := s.limits.throttle(s.rates[d.Account], now, more); err != nil {
		return Invalidation{}, false, err
	}
	var running load
	for _, old := range s.invalidations[d.ID] {
		if old.Reference == reference {
			again, err := s.reused(old, items)
			return again, false, err
		}
		if old.Status == InProgress {
			l := loadOf(old.Items)
			running.files += l.files
			running.wildcards += l.wildcards
		}
	}
	if err := s.limits.admit(running, more); err != nil {
		return Invalidation{}, false, err
	}
	inv := &invalidation{Invalidation: Invalidation{
		ID: random.ID("I", 25), Distribution: d.ID, Created: now.Truncate(time.Millisecond), Status: InProgress,
		Items: slices.Clone(items), Reference: reference,
	}}
	s.invalidations[d.ID] = append(s.invalidations[d.ID], inv)
	return inv.Invalidation, true, nil
}

// reused answers a reference that old already has.
func (s *Service) reused(old *invalidation, items []string) (Invalidation, error) {
	switch {
	case s.reuse == ReuseInvalidArgument:
		return Invalidation{}, invalid("Your request contains a caller reference that was used for a previous invalidation batch for the same distribution.")
	case s.reuse == ReuseAlreadyExists || !sameItems(old.Items, items):
		return Invalidation{}, wire.Errorf(409, "InvalidationBatchAlreadyExists",
			"Your request contains a caller reference that was used for a previous invalidation batch for the same distribution.")
	}
	return old.Invalidation, nil
}

// schedule lets every point of presence purge at its own moment.
func (s *Service) schedule(inv Invalidation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.find(inv.Distribution, inv.ID)
	if stored == nil {
		return // the distribution was deleted meanwhile
	}
	edge := s.edge
	var names []string
	if edge != nil {
		names = edge.Names()
	}
	if len(names) == 0 {
		s.clock.After(s.delays(1)[0], func() { s.complete(stored) })
		return
	}
	stored.left, stored.untold = len(names), len(names)
	for i, delay := range s.delays(len(names)) {
		s.clock.After(delay, func() { s.purge(edge, names[i], stored) })
	}
}

// purge is one point of presence's moment.
func (s *Service) purge(edge Edge, pop string, inv *invalidation) {
	removed := edge.Purge(pop, inv.Distribution, inv.Items)
	s.mu.Lock()
	inv.left--
	left, now := inv.left, inv.Invalidation
	s.mu.Unlock()
	s.tell("PopPurged", PopPurged{now, pop, removed, left})
	// An observer may hold one point of presence still; completion waits for that too.
	s.mu.Lock()
	inv.untold--
	last := inv.untold == 0
	s.mu.Unlock()
	if last {
		s.complete(inv)
	}
}

func (s *Service) complete(inv *invalidation) {
	s.mu.Lock()
	inv.Status = Completed
	now := inv.Invalidation
	s.mu.Unlock()
	s.tell("InvalidationCompleted", InvalidationCompleted{now})
}

func (s *Service) tell(name string, data any) {
	s.journal.Tell(journal.Event{Time: s.clock.Now(), Source: "cloudfront", Name: name, Data: data})
}

// find is an invalidation of a distribution, nil when there is none. The caller holds mu.
func (s *Service) find(distribution, id string) *invalidation {
	for _, inv := range s.invalidations[distribution] {
		if inv.ID == id {
			return inv
		}
	}
	return nil
}

// GetInvalidation reads one.
func (s *Service) GetInvalidation(_ context.Context, caller accounts.Caller, distribution, id string) (Invalidation, error) {
	if _, err := s.distribution(caller, "GetInvalidation", distribution); err != nil {
		return Invalidation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	inv := s.find(distribution, id)
	if inv == nil {
		return Invalidation{}, wire.Errorf(404, "NoSuchInvalidation", "The specified invalidation does not exist.")
	}
	return inv.Invalidation, nil
}

// ListInvalidations lists a distribution's, newest first (H).
func (s *Service) ListInvalidations(_ context.Context, caller accounts.Caller, distribution string) ([]Invalidation, error) {
	if _, err := s.distribution(caller, "ListInvalidations", distribution); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Invalidation
	for _, inv := range slices.Backward(s.invalidations[distribution]) {
		out = append(out, inv.Invalidation)
	}
	return out, nil
}

// running counts the invalidations of a distribution that are in progress.
func (s *Service) running(distribution string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, inv := range s.invalidations[distribution] {
		if inv.Status == InProgress {
			n++
		}
	}
	return n
}
