package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// foreign is a part of the distribution that may cache what the release knows nothing of, so that a
// wildcard had better not reach it. Each counts as one fresh object, at a path that every such
// wildcard covers.
type foreign struct {
	path string
	what string
}

// foreigners marks what the release does not serve: behaviors of other origins, and what lies beside
// the release in its bucket.
func (s *survey) foreigners() {
	for i := range s.views {
		v := &s.views[i]
		if slices.Contains(v.ours, true) || v.Policy.MaxTTL == 0 && !v.Policy.Unknown {
			continue
		}
		s.foreign = append(s.foreign, foreign{v.fixed(), "behavior " + v.PathPattern})
	}
	for _, m := range s.mounts {
		if m.add != "" {
			s.foreign = append(s.foreign, foreign{"", "the bucket outside of " + s.in.Prefix})
		}
		// Whatever ends within the release's directory also covers its neighbours.
		for n := range len(m.add) {
			s.mark(spot{s.speller.spell(m.add[:n]).path, fresh})
		}
	}
	for _, f := range s.foreign {
		s.mark(spot{f.path, fresh})
	}
}

// reached notes which of them items purge all the same.
func (s *survey) reached(items []invalidation.Item) (notes []string) {
	for _, f := range s.foreign {
		for _, item := range items {
			if item.Wildcard() && strings.HasPrefix("/"+f.path, strings.TrimSuffix(string(item), "*")) {
				notes = append(notes, fmt.Sprintf("%s also purges whatever is cached for %s, which this release does not serve; it counts as one object", item, f.what))
			}
		}
	}
	return notes
}
