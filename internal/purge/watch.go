package purge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/plan"
)

// watch looks at the invalidation until it is completed. A look that fails for a passing reason is
// a look lost, no more; the wait goes on.
func (r *run) watch(ctx context.Context) error {
	p := &r.verdict.Progress
	found := r.verdict.Status.Done() // by its reference, completed when it was asked for
	began := r.Now()
	if !r.verdict.Status.Done() {
		if wait := p.Since().Add(r.Schedule.First()).Sub(began); wait > 0 {
			if err := r.sleep(ctx, wait); err != nil {
				return err
			}
		}
	}
	for unknown, looks := 0, 0; !r.verdict.Status.Done(); {
		err := r.look(ctx)
		switch class := Classify(err); {
		case err == nil:
			unknown = 0
		case ctx.Err() != nil:
			return errHandOver
		case class == Unknown:
			if unknown++; unknown >= r.Retry.Unknown.Tries {
				return err
			}
		case class == Never:
			return err
		}
		if r.verdict.Status.Done() {
			break
		}
		looks++
		step := r.Schedule.Step(looks)
		next := r.Now().Add(step)
		if next.After(r.Until) {
			return r.overtime()
		}
		if next.After(began.Add(r.Schedule.Window())) {
			return errHandOver
		}
		if err := r.sleep(ctx, step); err != nil {
			return err
		}
	}
	p.Stage = Completed
	if !found {
		// By this machine's clock alone: CloudFront's may be another, and an invalidation that was found
		// again was created before anybody here waited for it.
		r.verdict.Took = max(0, r.Now().Sub(time.UnixMilli(p.Noted)))
	}
	r.log("completed", "seconds", r.verdict.Took.Seconds(), "looks", r.verdict.Looks)
	return nil
}

// look asks for the invalidation's status once.
func (r *run) look(ctx context.Context) error {
	r.verdict.Looks++
	got, err := r.Gateway.Get(ctx, r.verdict.Progress.ID)
	if err != nil {
		r.Log.Warn("look failed", "invalidation", r.verdict.Progress.ID, "error", err.Error())
		return err
	}
	r.verdict.Status, r.verdict.Items = got.Status, got.Items
	if !got.Created.IsZero() {
		// CloudFront dates it the same every time. It is this machine's clock that may have been set
		// since the creation was noted, and an age is judged by the time that passed.
		r.verdict.Progress.Created = got.Created.UnixMilli()
	}
	return nil
}

func (r *run) overtime() error {
	p := r.verdict.Progress
	return &Failure{
		Stage: Created,
		Err: fmt.Errorf("wait for invalidation %s on distribution %s: still not completed %s after its creation",
			p.ID, p.Distribution, r.Now().Sub(p.Since()).Round(1e9)),
		Try: "it completes by itself and cannot be cancelled; raise wait, or retry the stage",
	}
}

// verify has a viewer look at the release.
func (r *run) verify(ctx context.Context) error {
	d, err := r.distribution(ctx)
	if err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	switch {
	case r.verdict.Items != nil:
	case r.verdict.Progress.Spared():
		r.verdict.Items = []string{}
	default:
		// Handed over after completion: only the report wants the items, so a failed look is no matter.
		_ = r.look(ctx)
	}
	expect, err := r.Expect(ctx, d)
	if err != nil {
		return err
	}
	expect, hidden := public(d, expect)
	if len(expect) == 0 && len(hidden) > 0 {
		return r.restricted(d, hidden)
	}
	r.verdict.Report = r.Viewer.Check(ctx, viewer.Request{
		Domain: d.Domain, Expect: expect, Items: r.verdict.Items, Since: r.verdict.Progress.Since(),
	})
	if !r.verdict.Report.Fresh() {
		return r.unseen(ctx, d)
	}
	looked := len(expect)
	for i, page := range r.verdict.Report.Pages {
		if page.Asks() {
			hidden, looked = append(hidden, expect[i]), looked-1
		}
	}
	if looked == 0 {
		return r.restricted(d, hidden)
	}
	r.hide(hidden)
	p, pops := &r.verdict.Progress, r.verdict.Report.POPs()
	p.Stage, p.Pages, p.Compared = Seen, looked, r.verdict.Report.Compared()
	if len(pops) > 0 {
		p.POP = pops[0]
	}
	r.log("seen", "pops", pops, "pages", p.Pages, "compared", p.Compared, "hidden", p.Hidden)
	return nil
}

// public are the pages that any viewer may get; hidden are those for which viewers need a signature.
func public(d plan.Distribution, all []viewer.Expectation) (public, hidden []viewer.Expectation) {
	for _, e := range all {
		if d.Restricted(e.Path) {
			hidden = append(hidden, e)
		} else {
			public = append(public, e)
		}
	}
	return public, hidden
}

// hide notes which pages nobody looked at.
func (r *run) hide(hidden []viewer.Expectation) {
	if len(hidden) == 0 {
		return
	}
	r.verdict.Progress.Hidden = len(hidden)
	r.verdict.Notes = append(r.verdict.Notes, fmt.Sprintf("did not see %s, for which viewers need %s: %s",
		plural.Of(len(hidden), "page"), admission, hidden[0].Path))
}

// admission is what viewers need for pages that are hidden.
const admission = "signed URLs, signed cookies or a password"

// restricted ends a purge where nothing can be looked at. Of a release whose content is known the origin has to have
// been seen to serve it: nobody would tell otherwise.
func (r *run) restricted(d plan.Distribution, hidden []viewer.Expectation) error {
	known := slices.ContainsFunc(hidden, func(e viewer.Expectation) bool { return e.HasSum })
	if known && !r.verdict.Progress.Gated {
		return &Failure{
			Stage: Completed,
			Err: fmt.Errorf("verify distribution %s: %s, but whether viewers see the release is not known: they need %s for %s, and the origin was not looked at either",
				d.ID, r.done(), admission, hidden[0].Path),
			Try: "let the site's bucket be read (ExistingBucketName), or name a page that is public by verify",
		}
	}
	r.hide(hidden)
	r.verdict.Progress.Stage = Restricted
	r.log("restricted", "hidden", len(hidden))
	return nil
}

// unseen is why viewers do not see the release, or that there is no more time to look.
func (r *run) unseen(ctx context.Context, d plan.Distribution) error {
	if ctx.Err() != nil && r.Now().Before(r.Until) {
		return errHandOver
	}
	said := "viewers do not see the release"
	if r.verdict.Report.Unanswered() {
		said = "whether viewers see the release is not known"
	}
	return &Failure{
		Stage: Completed,
		Err:   fmt.Errorf("verify distribution %s: %s, but %s: %s", d.ID, r.done(), said, r.verdict.Report),
		Try:   r.remedy(),
	}
}

// done is what CloudFront has done, for people.
func (r *run) done() string {
	if r.verdict.Progress.Spared() {
		return "nothing had to be purged"
	}
	return fmt.Sprintf("invalidation %s is completed", r.verdict.Progress.ID)
}

// settle waits until what was not purged has expired.
func (r *run) settle(ctx context.Context) error {
	wait := time.UnixMilli(r.verdict.Progress.Settle).Sub(r.Now())
	if r.verdict.Progress.Settle == 0 || wait <= 0 {
		return nil
	}
	r.log("waiting for what expires by itself", "seconds", wait.Seconds())
	return r.sleep(ctx, wait)
}

// remedy says what to do about the first page that is not fresh.
func (r *run) remedy() string {
	stale := r.verdict.Report.Stale()
	if len(stale) == 0 {
		return "name at least one path to look at"
	}
	page := stale[0]
	path, _, _ := strings.Cut(strings.TrimPrefix(page.URL, "https://"+r.verdict.Report.Domain), "?")
	switch {
	case page.Status == 0:
		return "check that the function can reach the internet, then retry the stage"
	case page.Gone:
		return fmt.Sprintf("check that the deploy removed %s, or set deletes to false in the target", path)
	case !page.Covered(r.verdict.Items):
		return fmt.Sprintf("add %s to the items: none of them covers it", path)
	case page.Status >= 400:
		return fmt.Sprintf("check that the origin has %s and that the distribution may read it", path)
	case page.Compared && !page.Matches && !page.Old:
		return "check that the deploy action ran before this one, and that it deploys this artifact to the distribution's origin path"
	}
	return "retry the stage: another invalidation is made"
}
