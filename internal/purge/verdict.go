package purge

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// Outcome is what a purge came to.
type Outcome int

// The outcomes. The zero value is no success: whoever forgets to decide has refused.
const (
	Undecided  Outcome = iota
	Failed             // it will not succeed by going on
	Unfinished         // go on from the Progress
	Viewed             // viewers see the release
	Announced          // the release may be deployed: it is recorded that caches may get to hold it
)

// String is for logs.
func (o Outcome) String() string {
	return [...]string{"undecided", "failed", "unfinished", "viewed", "announced"}[max(0, min(int(o), int(Announced)))]
}

// Failure is why a purge failed, where, and what to do.
type Failure struct {
	Stage Stage  // the last stage that was reached
	Err   error  // a *gateway.Error when AWS refused
	Try   string // the next step; "" when there is none to name
}

func (f *Failure) Error() string {
	if f.Try == "" {
		return f.Err.Error()
	}
	return f.Err.Error() + "; try: " + f.Try
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// advice is the next step that an error itself names.
func advice(err error) string {
	var e *gateway.Error
	if errors.As(err, &e) {
		return e.Try
	}
	return ""
}

// Verdict is the one answer of a purge. Only OK is success.
type Verdict struct {
	Target       string
	Release      string
	Outcome      Outcome
	Progress     Progress
	Distribution plan.Distribution   // zero when it was not read in this execution
	Plan         plan.Plan           // zero when it was not made in this execution
	Gated        time.Time           // when the origin was seen to serve the release; zero when that was not looked at
	Items        []string            // as CloudFront reports them; nil when not asked in this execution
	Status       invalidation.Status // likewise
	Looks        int                 // how often the status was asked
	Took         time.Duration       // from when its creation was noted here to the look that found it completed; 0: not seen
	Report       viewer.Report       // what viewers got; zero when they were not looked at in this execution
	Notes        []string            // what the reader should know besides
	Failure      *Failure            // set when Outcome is Failed
}

// OK reports whether viewers see the release; where their access is restricted, whether all is done so that they do.
func (v Verdict) OK() bool {
	seen := v.Progress.Stage == Seen && v.Progress.Pages > 0 || v.Progress.Stage == Restricted
	return v.Outcome == Viewed && seen && v.Failure == nil
}

// String is the verdict in one line: created, completed, seen; or what failed, where, and what to do.
func (v Verdict) String() string {
	var b strings.Builder
	b.WriteString(v.Target + ":")
	if id := v.Progress.Distribution; id != "" {
		b.WriteString(" distribution " + id)
	}
	switch v.Outcome {
	case Failed:
		fmt.Fprintf(&b, " failed after stage %s", v.Failure.Stage.Name())
		if v.Progress.ID != "" {
			b.WriteString(" of invalidation " + v.Progress.ID)
		}
		b.WriteString(": " + v.Failure.Error())
		return b.String()
	case Undecided, Announced:
		b.WriteString(" " + v.Outcome.String())
		return b.String()
	}
	if v.Progress.Stage == Planned {
		b.WriteString(" waiting to be created")
		return b.String()
	}
	if v.Progress.Spared() {
		b.WriteString(" nothing to purge")
	} else {
		fmt.Fprintf(&b, " invalidation %s created", v.Progress.ID)
	}
	if !v.Progress.Spared() && (v.Progress.Stage == Completed || v.Progress.Stage.Final()) {
		b.WriteString(" -> completed")
		if v.Took > 0 {
			fmt.Fprintf(&b, " within %.1f s", v.Took.Seconds())
		}
	}
	if v.OK() {
		b.WriteString(" -> " + v.Progress.seen())
	}
	return b.String()
}

// seen tells what the viewer saw.
func (p Progress) seen() string {
	if p.Stage == Restricted {
		return "not seen: viewers need " + admission
	}
	hidden := ""
	if p.Hidden > 0 {
		hidden = fmt.Sprintf("; %d not seen, for which viewers need %s", p.Hidden, admission)
	}
	from := p.POP
	if from == "" {
		from = "an unnamed point of presence"
	}
	if p.Compared == 0 {
		return fmt.Sprintf("seen from %s (%d pages, judged by age alone: there was nothing to compare with%s)", from, p.Pages, hidden)
	}
	return fmt.Sprintf("seen from %s (%d of %d pages equal to the release%s)", from, p.Compared, p.Pages, hidden)
}
