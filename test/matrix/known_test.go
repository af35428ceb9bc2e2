package matrix

import (
	"testing"

	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/faults"
)

// known are the answers that AWS is known to give for a reference that it has seen.
var known = map[string]cloudfront.Reuse{
	"the old invalidation (documented)":           cloudfront.ReuseDocumented,
	"InvalidArgument (reported)":                  cloudfront.ReuseInvalidArgument,
	"InvalidationBatchAlreadyExists (documented)": cloudfront.ReuseAlreadyExists,
}

// TestKnownReference has a create done whose answer is lost with the function, so that the reference is
// used again, and lets AWS answer that in each way it is known to.
func TestKnownReference(t *testing.T) {
	t.Parallel()
	for name, reuse := range known {
		t.Run(name, func(t *testing.T) {
			on := relay
			on.fallback = "0"
			w := newWorld(t, on, func(o *rehearsal.Options) { o.Invalidation.Reuse = reuse })
			for _, f := range []fault{
				{
					proves: "the invalidator dies after create", row: rules(rule(cloudFront, create, 1, 1, faults.KillBefore())),
					classes: []string{"fast"}, calls: map[string]int{create: 2},
				},
				{
					proves: "the job function dies after create", row: rules(rule("lambda", invoke, 4, 4, faults.KillBefore())),
					classes: []string{}, calls: map[string]int{create: 2},
				},
				{proves: "create is delivered twice", row: rules(rule(cloudFront, create, 1, 1, faults.Twice())), classes: []string{}, calls: map[string]int{create: 1}},
			} {
				t.Run(f.proves, func(t *testing.T) { f.run(t, w.as(t)) })
			}
		})
	}
}
