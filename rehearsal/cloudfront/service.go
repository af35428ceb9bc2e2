// Package cloudfront is CloudFront's control plane in a rehearsal: distributions, origin access
// controls, cache policies, public keys, key groups and invalidations that begin InProgress and complete when every point
// of presence has purged, each at its own moment. What viewers get is package edge's.
//
// Facts about AWS carry how sure they are: H documented or in AWS's own models, M reported by
// several, L one report or a guess.
package cloudfront

import (
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Edge is the points of presence that invalidations go to.
type Edge interface {
	// Names lists the points of presence; it never changes.
	Names() []string
	// Purge removes what the items match of a distribution at one point of presence and returns
	// how many cached answers went.
	Purge(pop, distribution string, items []string) int
}

// Reuse is what CloudFront does with a caller reference that it has seen. AWS documents one answer
// and people report others; callers have to live with all.
type Reuse int

const (
	// ReuseDocumented returns the old invalidation when the items are the same, and otherwise
	// answers InvalidationBatchAlreadyExists (H as documented text; its status 409 is L).
	ReuseDocumented Reuse = iota
	// ReuseInvalidArgument always refuses, as people report (M: aws-cdk issue 3878).
	ReuseInvalidArgument
	// ReuseAlreadyExists always refuses with the documented code (L).
	ReuseAlreadyExists
)

// Options are what a rehearsal may choose. The zero value is the documented AWS.
type Options struct {
	Reuse  Reuse
	Limits *Limits // nil: DocumentedLimits
	Rates  Rates   // of requests; nil: any
	Delays Delays  // nil: Lognormal(Seed, 10 s, 0.6)
	Seed   uint64
}

// Deps are what the service works with.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
	// Edge is where invalidations go. It may be attached later, since it reads distributions
	// from this service.
	Edge    Edge
	Options Options
}

// Service is CloudFront for all accounts of a rehearsal.
type Service struct {
	directory *accounts.Directory
	clock     *clock.Clock
	journal   *journal.Journal
	reuse     Reuse
	limits    Limits
	requests  Rates

	mu            sync.Mutex
	edge          Edge
	delays        Delays
	distributions map[string]*Distribution // by ID
	order         []string                 // of creation
	hosts         map[string]string        // domain or alias, lower case -> distribution ID
	controls      map[string]*AccessControl
	policies      map[string]*CachePolicy
	keys          map[string]*PublicKey
	groups        map[string]*KeyGroup
	invalidations map[string][]*invalidation // by distribution, oldest first
	rates         map[string]*rates          // by account
	asked         map[string]*bucket         // by account and operation
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{
		directory: d.Directory, clock: d.Clock, journal: d.Journal, edge: d.Edge,
		reuse: d.Options.Reuse, limits: DocumentedLimits(), requests: d.Options.Rates, delays: d.Options.Delays,
		distributions: map[string]*Distribution{}, hosts: map[string]string{},
		controls: map[string]*AccessControl{}, policies: managedPolicies(),
		keys: map[string]*PublicKey{}, groups: map[string]*KeyGroup{},
		invalidations: map[string][]*invalidation{}, rates: map[string]*rates{},
		asked: map[string]*bucket{},
	}
	if d.Options.Limits != nil {
		s.limits = *d.Options.Limits
	}
	if s.delays == nil {
		s.delays = Lognormal(d.Options.Seed, 10*time.Second, 0.6)
	}
	return s
}

// Attach gives the service its points of presence. Call it before the first invalidation.
func (s *Service) Attach(e Edge) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edge = e
}

// authorize throttles or decides one call and records it.
func (s *Service) authorize(caller accounts.Caller, action, resource string) error {
	if err := s.throttle(caller, action, resource); err != nil {
		return err
	}
	return s.directory.Authorize(accounts.Check{
		Caller: caller, Action: "cloudfront:" + action, Resource: resource,
		// The rehearsal's HTTP endpoint stands for AWS's HTTPS ones; CloudFront's region is
		// us-east-1 whatever region a client with a custom endpoint signs for.
		Context: map[string][]string{"aws:SecureTransport": {"true"}, "aws:RequestedRegion": {"us-east-1"}},
	})
}

// arn is the ARN of something of an account; CloudFront's ARNs have no region.
func arn(account, kind, id string) string {
	return "arn:aws:cloudfront::" + account + ":" + kind + "/" + id
}

// distribution decides action on a distribution and finds it. One that nobody has is looked for in
// the caller's account, and then does not exist. One of another account is refused by the policy
// decision, since distributions have no policy of their own that could allow it (that AWS says
// AccessDenied there and not NoSuchDistribution is L).
func (s *Service) distribution(caller accounts.Caller, action, id string) (*Distribution, error) {
	s.mu.Lock()
	d := s.distributions[id]
	s.mu.Unlock()
	resource := arn(caller.Account, "distribution", id)
	if d != nil {
		resource = d.ARN
	}
	if err := s.authorize(caller, action, resource); err != nil {
		return nil, err
	}
	if d == nil {
		return nil, noSuchDistribution()
	}
	return d, nil
}

func noSuchDistribution() error {
	return wire.Errorf(404, "NoSuchDistribution", "The specified distribution does not exist.")
}

// ByHost finds the distribution that answers for a host name: its own domain or an alias.
func (s *Service) ByHost(host string) (*Distribution, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.distributions[s.hosts[strings.ToLower(host)]]
	return d, d != nil
}
