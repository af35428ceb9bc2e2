package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/unstale/unstale/rehearsal/codepipeline"
)

// entry is the page whose viewers the story follows, and deep a path that only the app knows: it is
// served by the fallback, which the edge caches under the requested URL.
const (
	entry = "/"
	deep  = "/about"
)

// ErrStale says that the story ended without every viewer getting the new release, or with a
// pipeline that did not succeed. The report tells the rest.
var ErrStale = errors.New("the release did not reach every viewer")

// Run plays the whole story on a stage: release 1 is delivered and cached everywhere, then release 2
// follows. The report is filled as far as the story came, also when an error ends it.
func (s *Stage) Run(ctx context.Context, n Narrator) (Report, error) {
	began := time.Now()
	r := NewReport(s.options.Route)
	err := s.run(ctx, n, &r)
	r.Calls = s.World.Journal().Calls()
	r.Seconds = elapsed(began) + s.setUp
	return r, err
}

func (s *Stage) run(ctx context.Context, n Narrator, r *Report) error {
	site, err := s.first(ctx, n, r)
	if err != nil {
		return err
	}
	n.Release("2")
	var looked error
	execution, err := s.Release(ctx, "2", func() {
		// Not the deep link: an error's page is cached for a second only, so that release 2 may be there already.
		r.Viewer.Stale, looked = s.Look(ctx, entry)
		n.Viewers("release 2 is in the bucket, nothing is invalidated yet", r.Viewer.Stale)
	})
	if err := errors.Join(err, looked); err != nil {
		return err
	}
	r.Pipeline = s.describe(execution)
	n.Failed(r.Pipeline)
	i := s.Invalidation()
	r.Invalidation = Invalidation{ID: i.ID, DistributionID: i.Distribution, Items: i.Items, Status: i.Status, Reference: i.Reference}
	if err := s.explain(ctx, n, r, "2", execution); err != nil {
		return err
	}
	if r.Viewer.After, err = s.lookBoth(ctx); err != nil {
		return err
	}
	n.Viewers("after the pipeline ended "+execution.Status, r.Viewer.After)
	err = s.again(ctx, &site, r.Viewer.After)
	r.Viewer.Objects = site.list()
	if err != nil {
		return err
	}
	n.Objects(r.Viewer.Objects)
	if execution.Status != codepipeline.Succeeded || !allServe(r.Viewer.After, "2") {
		return fmt.Errorf("%w: the pipeline ended %s", ErrStale, execution.Status)
	}
	return nil
}

// explain adds to the report what was purged for a release, and why, and shows it.
func (s *Stage) explain(ctx context.Context, n Narrator, r *Report, release string, e codepipeline.Execution) error {
	if e.Status != codepipeline.Succeeded {
		return nil // an action that failed has no variables
	}
	p, err := s.plan(ctx, release, e.ID)
	if err != nil {
		return err
	}
	r.Plan = append(r.Plan, p)
	n.Plan(p)
	return nil
}

// First delivers release 1 and looks at nothing.
func (s *Stage) First(ctx context.Context, n Narrator) error {
	r := NewReport(s.options.Route)
	return s.deliver(ctx, n, &r)
}

// deliver brings release 1 through the pipeline.
func (s *Stage) deliver(ctx context.Context, n Narrator, r *Report) error {
	n.Release("1")
	execution, err := s.Release(ctx, "1", nil)
	if err != nil {
		return err
	}
	if execution.Status != codepipeline.Succeeded {
		r.Pipeline = s.describe(execution)
		n.Failed(r.Pipeline)
		return fmt.Errorf("%w: the pipeline ended %s with release 1", ErrStale, execution.Status)
	}
	return s.explain(ctx, n, r, "1", execution)
}

// first delivers release 1 and looks at it twice, so that every point of presence has it cached.
func (s *Stage) first(ctx context.Context, n Narrator, r *Report) (site, error) {
	if err := s.deliver(ctx, n, r); err != nil {
		return site{}, err
	}
	t, err := s.warm(ctx)
	if err != nil {
		return t, err
	}
	r.Viewer.Objects = t.list()
	for range 2 {
		if r.Viewer.Before, err = s.lookBoth(ctx); err != nil {
			return t, err
		}
	}
	n.Viewers("release 1 is cached", r.Viewer.Before)
	n.Warmed(r.Viewer.Objects)
	if !allServe(r.Viewer.Before, "1") {
		if v := r.Viewer.Before[0]; v.Release == "" {
			return t, fmt.Errorf("%w: %s (status %d) tells no release: an element of the page needs data-release=\"...\" with the content of the file RELEASE, by which releases are told apart",
				ErrStale, v.URL, v.Status)
		}
		return t, fmt.Errorf("%w: release 1 is not what viewers get", ErrStale)
	}
	return t, nil
}

// lookBoth looks at the entry page from everywhere. The deep link must tell the same release; where it
// does not, its view is what is reported.
func (s *Stage) lookBoth(ctx context.Context) ([]View, error) {
	front, err := s.Look(ctx, entry)
	if err != nil {
		return nil, err
	}
	deeper, err := s.Look(ctx, deep)
	if err != nil {
		return nil, err
	}
	for i, v := range deeper {
		if v.Release != front[i].Release {
			front[i] = v
		}
	}
	return front, nil
}

func (s *Stage) describe(e codepipeline.Execution) Pipeline {
	p := Pipeline{ExecutionID: e.ID, Status: e.Status}
	for _, st := range e.Stages {
		stage := PipelineStage{Name: st.Name, Status: st.Status, Actions: []Action{}}
		for _, a := range st.Actions {
			message := a.Summary
			if a.Message != "" {
				message = a.Message
			}
			action := Action{Name: a.Name, Status: a.Status, Message: message}
			if a.Provider == "CodeBuild" && a.Status == codepipeline.Failed {
				action.Log = s.build.last()
			}
			stage.Actions = append(stage.Actions, action)
		}
		p.Stages = append(p.Stages, stage)
	}
	return p
}
