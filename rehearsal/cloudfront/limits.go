package cloudfront

import (
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// Limits are the quotas that CreateInvalidation is held to. A zero field is no limit.
type Limits struct {
	BatchItems int // items in one request
	Files      int // items without a wildcard in progress, per distribution
	Wildcards  int // items with one in progress, per distribution; counted apart
	// ItemsPerSecond and WildcardsPerSecond are per account.
	ItemsPerSecond     int
	WildcardsPerSecond int
}

// DocumentedLimits are those of the Developer Guide's "Limits on invalidation" (H).
func DocumentedLimits() Limits { return Limits{BatchItems: 3000, Files: 3000, Wildcards: 15} }

// ThrottledLimits add the per-second quotas that an extract of AWS's quota page of 2026 gives
// (M, uncorroborated).
func ThrottledLimits() Limits {
	l := DocumentedLimits()
	l.ItemsPerSecond, l.WildcardsPerSecond = 150, 1
	return l
}

// load is how much of the limits something takes.
type load struct{ files, wildcards int }

func loadOf(items []string) load {
	var l load
	for _, item := range items {
		if wildcard(item) {
			l.wildcards++
		} else {
			l.files++
		}
	}
	return l
}

// admit refuses what would exceed the limit on invalidations in progress, with AWS's texts (M).
func (l Limits) admit(inProgress, more load) error {
	kind := ""
	switch {
	case l.Files > 0 && more.files > 0 && inProgress.files+more.files > l.Files:
	case l.Wildcards > 0 && more.wildcards > 0 && inProgress.wildcards+more.wildcards > l.Wildcards:
		kind = "wildcard "
	default:
		return nil
	}
	return wire.Errorf(400, "TooManyInvalidationsInProgress",
		"Processing your request will cause you to exceed the maximum number of in-progress %sinvalidations.", kind)
}

// throttle holds an account to its rates. The caller holds the service's lock.
func (l Limits) throttle(a *rates, now time.Time, more load) error {
	items, wildcards := more.files+more.wildcards, more.wildcards
	if !a.items.admits(l.ItemsPerSecond, now, items) || !a.wildcards.admits(l.WildcardsPerSecond, now, wildcards) {
		return wire.Errorf(400, "Throttling", "Rate exceeded")
	}
	a.items.spent += float64(items)
	a.wildcards.spent += float64(wildcards)
	return nil
}

// admits reports whether there is room for n of what is limited to so many a second; 0: to none.
func (b *bucket) admits(perSecond int, now time.Time, n int) bool {
	return perSecond == 0 || n == 0 || b.has(Rate{PerSecond: float64(perSecond), Burst: perSecond}, now, n)
}

// rates are one account's buckets.
type rates struct{ items, wildcards bucket }
