package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	at "github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// cloud plays CloudFront for many accounts, in (fake) time.
type cloud struct {
	rate    float64       // creations a second in each account; 0: any
	takes   time.Duration // from creation to completion
	latency time.Duration // of a call

	mu      sync.Mutex
	spent   map[string]float64
	last    map[string]time.Time
	busy    map[string]int // calls under way, by account and kind
	most    int
	refused int
	created map[string]invalidation.Invalidation // by distribution and reference
	order   []string                             // distributions in the order of creation
}

func newCloud() *cloud {
	return &cloud{spent: map[string]float64{}, last: map[string]time.Time{}, busy: map[string]int{}, created: map[string]invalidation.Invalidation{}}
}

// site is one distribution there.
type site struct {
	*cloud
	account, id string
	fails       error // what every call answers
	hangs       bool
	panics      bool
}

func (s *site) call(ctx context.Context, kind string) (end func(), err error) {
	key := s.account + " " + kind
	s.mu.Lock()
	s.busy[key]++
	s.most = max(s.most, s.busy[key])
	s.mu.Unlock()
	end = func() {
		s.mu.Lock()
		s.busy[key]--
		s.mu.Unlock()
	}
	wait := s.latency
	if s.hangs {
		wait = 10 * time.Second
	}
	select {
	case <-ctx.Done():
		return end, &at.Error{Code: at.Canceled, Message: "canceled", Err: ctx.Err()}
	case <-time.After(wait):
	}
	switch {
	case s.hangs:
		return end, &at.Error{Code: at.RequestTimeout, Message: "no answer within 10s"}
	case s.panics:
		panic("oh")
	}
	return end, s.fails
}

func (s *site) Distribution(ctx context.Context) (plan.Distribution, error) {
	end, err := s.call(ctx, "distribution")
	defer end()
	return plan.Distribution{ID: s.id, Account: s.account, Domain: s.id + ".cloudfront.net", Enabled: true}, err
}

func (s *site) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	end, err := s.call(ctx, "create")
	defer end()
	if err != nil {
		return invalidation.Invalidation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.id + batch.Reference
	if made, ok := s.created[key]; ok {
		return made, nil
	}
	now := time.Now()
	if s.rate > 0 { // a bucket of one second's worth
		s.spent[s.account] = max(0, s.spent[s.account]-s.rate*now.Sub(s.last[s.account]).Seconds())
		if s.last[s.account] = now; s.spent[s.account]+1 > max(s.rate, 1) {
			s.refused++
			return invalidation.Invalidation{}, &at.Error{Code: at.Throttling, Message: "Rate exceeded"}
		}
		s.spent[s.account]++
	}
	made := invalidation.Invalidation{ID: "I" + s.id, Distribution: s.id, Reference: batch.Reference, Items: []string{"/*"}, Status: invalidation.InProgress, Created: now}
	s.created[key], s.order = made, append(s.order, s.id)
	return made, nil
}

func (s *site) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	end, err := s.call(ctx, "get")
	defer end()
	if err != nil {
		return invalidation.Invalidation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, made := range s.created {
		if made.ID == id {
			if time.Since(made.Created) >= s.takes {
				made.Status = invalidation.Completed
			}
			return made, nil
		}
	}
	return invalidation.Invalidation{}, &at.Error{Code: at.NoSuchInvalidation, Message: id}
}

func (s *site) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	end, err := s.call(ctx, "list")
	defer end()
	return nil, err
}

func (s *site) Objects(context.Context, plan.Origin, []string) ([]at.Stored, error) { return nil, nil }

// eyes see what they are told to.
type eyes struct{ stale, silent, slow bool }

func (e eyes) Check(ctx context.Context, r viewer.Request) viewer.Report {
	page := viewer.Page{URL: "https://" + r.Domain + "/", Status: 200, Fresh: !e.stale && !e.silent}
	if e.silent {
		page.Status = 0
	}
	wait := time.Millisecond
	if e.slow {
		wait = time.Hour
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return viewer.Report{Domain: r.Domain, Pages: []viewer.Page{page}}
}

// target is a site to purge of everything.
func target(s *site) Target {
	return Target{Name: s.id, Account: s.account, Open: func(context.Context) (Work, error) {
		return Work{Gateway: s, Order: purge.Order{
			Target: s.id, Attempt: "run-1",
			Plan: func(_ context.Context, d plan.Distribution, _ invalidation.Limits) (plan.Plan, error) {
				return plan.Everything(d, "asked for"), nil
			},
			Expect: func(context.Context, plan.Distribution) ([]viewer.Expectation, error) {
				return []viewer.Expectation{{Path: "/"}}, nil
			},
		}}, nil
	}}
}

// sites are so many in each of so many accounts.
func sites(c *cloud, accounts, each int) (all []*site) {
	for a := range accounts {
		for i := range each {
			all = append(all, &site{cloud: c, account: fmt.Sprintf("%012d", a), id: fmt.Sprintf("E%02dX%02d", a, i)})
		}
	}
	return all
}

func targets(all []*site) (out []Target) {
	for _, s := range all {
		out = append(out, target(s))
	}
	return out
}
