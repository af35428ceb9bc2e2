package cli

import (
	"testing"
	"time"

	"github.com/unstale/unstale/internal/purge"
)

// What was there before is not paid anew, but counts for the month.
func TestFoundAgain(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w := &work{started: now, earlier: map[int]string{0: "I1"}, used: map[string]months{"own": {paths: 10, by: "runs on this machine"}}}
	for _, tt := range []struct {
		index int
		p     purge.Progress
		again bool
	}{
		{0, purge.Progress{ID: "I1", Created: now.UnixMilli()}, true},
		{0, purge.Progress{ID: "I2", Created: now.UnixMilli()}, false},
		{1, purge.Progress{ID: "I1"}, false},
		{1, purge.Progress{ID: "I1", Created: now.Add(-time.Minute).UnixMilli()}, false},
		{1, purge.Progress{ID: "I1", Created: now.Add(-time.Hour).UnixMilli()}, true},
		{1, purge.Progress{}, false},
	} {
		if got := w.again(tt.index, tt.p); got != tt.again {
			t.Errorf("%d, %+v: %t", tt.index, tt.p, got)
		}
	}
	c := cost([]invalidateTarget{
		{account: "own", Invalidation: "I1", progress: purge.Progress{Paths: 3}, again: true},
		{account: "own", Invalidation: "I2", progress: purge.Progress{Paths: 2}},
	}, w)
	if c.Paths != 2 || len(c.Accounts) != 1 || c.Accounts[0].Paths != 2 || c.Accounts[0].MonthPaths != 15 {
		t.Errorf("%+v", c)
	}
}
