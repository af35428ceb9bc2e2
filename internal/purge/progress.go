package purge

import (
	"time"

	"github.com/unstale/unstale/invalidation"
)

// Stage is how far a purge has come.
type Stage string

// The stages, in order. Their texts travel in continuation tokens.
const (
	Planned   Stage = ""          // nothing was asked of CloudFront, as far as is known
	Created   Stage = "created"   // CloudFront accepted the invalidation
	Completed Stage = "completed" // CloudFront says it is carried out everywhere
	Seen      Stage = "seen"      // a viewer got the release
	// Restricted comes after Completed in place of Seen, where viewers need a signature or a password for all that there
	// is to look at.
	Restricted Stage = "restricted"
)

// Final reports whether nothing comes after the stage.
func (s Stage) Final() bool { return s == Seen || s == Restricted }

// Name is the stage for people.
func (s Stage) Name() string {
	if s == Planned {
		return "planned"
	}
	return string(s)
}

// Progress is what a purge has to remember between invocations. The names of its JSON fields are
// short because a continuation token has 2,048 characters for all targets.
type Progress struct {
	Stage        Stage  `json:"s,omitempty"`
	Distribution string `json:"d,omitempty"` // ID
	Reference    string `json:"r,omitempty"`
	ID           string `json:"i,omitempty"` // of the invalidation
	Created      int64  `json:"c,omitempty"` // CloudFront's clock, Unix milliseconds
	Noted        int64  `json:"n,omitempty"` // this machine's clock when it learned of the creation
	Paths        int    `json:"q,omitempty"` // that were asked for
	Settle       int64  `json:"w,omitempty"` // this machine's clock when nothing stale is left to expire; 0: nothing is
	Gated        bool   `json:"g,omitempty"` // the origin was seen to serve the release

	// What the viewer saw, once Stage is Seen.
	Pages    int    `json:"p,omitempty"` // looked at, all fresh
	Compared int    `json:"k,omitempty"` // of them compared with the release's content
	POP      string `json:"o,omitempty"` // the first point of presence that answered; "" when none was named
	Hidden   int    `json:"h,omitempty"` // pages besides, which nobody without a signature or a password gets; with Restricted all
}

// Valid reports whether a Progress that came from elsewhere can be gone on from.
func (p Progress) Valid() bool {
	named := p.ID != "" && p.Noted > 0 && p.Created >= 0 && p.Settle >= 0 && p.Paths >= 0 && invalidation.CheckReference(p.Reference) == nil
	spared := p.ID == "" && p.Reference == "" && p.Noted > 0 && p.Created == 0 && p.Settle >= 0 && p.Paths == 0
	switch p.Stage {
	case Planned:
		return p.ID == "" && p.Pages == 0
	case Created:
		return named && p.Pages == 0
	case Completed:
		return (named || spared) && p.Pages == 0
	case Restricted:
		return (named || spared) && p.Pages == 0 && p.Hidden > 0
	case Seen:
		return (named || spared) && p.Pages > 0 && 0 <= p.Compared && p.Compared <= p.Pages && p.Hidden >= 0
	}
	return false
}

// Spared reports whether no invalidation was needed.
func (p Progress) Spared() bool {
	return p.ID == "" && (p.Stage == Completed || p.Stage.Final())
}

// Since is when the invalidation was created, or found not to be needed, on this machine's clock. CloudFront's own time is
// taken when it is the earlier: that is an invalidation found again. Were it ahead of this clock,
// every age would look too old.
func (p Progress) Since() time.Time {
	ms := p.Noted
	if p.Created > 0 && p.Created < ms {
		ms = p.Created
	}
	return time.UnixMilli(ms).UTC()
}
