package plan

import (
	"strings"
	"time"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

// Input is what a plan is made from.
type Input struct {
	Distribution Distribution
	// Release is what was deployed; nil when that is not known.
	Release site.Snapshot
	// Known is what caches may hold: the last verified snapshot and every pending one, oldest first.
	// None means that nothing is known.
	Known []site.Snapshot
	// Deletes says that the deploy removes keys that the release lacks. Without it they stay in the
	// bucket and are served on (CodePipeline's S3 deploy has no delete option), and the snapshot to
	// keep is site.Overlay's.
	Deletes bool
	// Bucket is where the release lies; "" means every bucket that the distribution reads. Prefix
	// stands before each key there.
	Bucket, Prefix string
	// Routes are the paths under which a single-page app's fallback is asked for, such as "/about" or
	// "/users/*". nil means that any path may be one.
	Routes []string
	// Tags are cache tags to purge besides, as items.
	Tags []invalidation.Item

	Preset Preset
	Budget Budget
	// Limits is how much may be in progress in the account, the zero value meaning the documented
	// quotas, and InProgress how much is.
	Limits, InProgress invalidation.Limits
	// Used is how many paths the account invalidated this month.
	Used int
	// Patience is the longest time for which an error answer is waited out instead of purged; 0 means
	// DefaultPatience, less than 0 means none.
	Patience time.Duration
}

// DefaultPatience is the longest time that a plan waits for errors to expire. The error caching
// minimum TTL is 10 seconds unless configured, and purging every URL that might have been asked for
// takes a "/*".
const DefaultPatience = time.Minute

// shortLife is the lifetime up to which an object is not worth an item. Source: AWS's announcement of
// invalidation by cache tag (April 2026): invalidations take effect in under 5 seconds (P95).
const shortLife = 5 * time.Second

func (in *Input) patience() time.Duration {
	switch {
	case in.Patience == 0:
		return DefaultPatience
	case in.Patience < 0:
		return 0
	}
	return in.Patience
}

// mount is how keys of the release become paths at one origin path.
type mount struct {
	path    string          // the origin path
	cut     string          // keys that do not begin with it are not served
	add     string          // stands before what is left of a key
	origins map[string]bool // by ID
	website bool
}

// mounts lists how the release is served: by every origin of a behavior that reads its bucket, and
// when none is known to, by every origin there is.
func (in *Input) mounts() []mount {
	var ours []Origin
	for _, o := range in.Distribution.Origins {
		if o.Bucket != "" && (in.Bucket == "" || o.Bucket == in.Bucket) && in.Distribution.reads(o.ID) {
			ours = append(ours, o)
		}
	}
	if len(ours) == 0 && in.Bucket == "" {
		ours = in.Distribution.Origins
	}
	var all []mount
	for _, o := range ours {
		if m := find(all, o); m != nil {
			m.origins[o.ID] = true
			continue
		}
		m := mount{path: o.Path, origins: map[string]bool{o.ID: true}, website: o.Website}
		root := strings.TrimPrefix(o.Path+"/", "/") // what keys served begin with in the bucket
		switch {
		case strings.HasPrefix(in.Prefix, root):
			m.add = in.Prefix[len(root):]
		case strings.HasPrefix(root, in.Prefix):
			m.cut = root[len(in.Prefix):]
		default:
			continue // beside the origin's path
		}
		all = append(all, m)
	}
	return all
}

func find(all []mount, o Origin) *mount {
	for i := range all {
		if all[i].path == o.Path && all[i].website == o.Website {
			return &all[i]
		}
	}
	return nil
}
