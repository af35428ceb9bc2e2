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
	if err := s.first(ctx, n, r); err != nil {
		return err
	}
	n.Release("2")
	var looked error
	execution, err := s.Release(ctx, "2", func() {
		r.Viewer.Stale, looked = s.lookBoth(ctx)
		n.Viewers("release 2 is in the bucket, nothing is invalidated yet", r.Viewer.Stale)
	})
	if err := errors.Join(err, looked); err != nil {
		return err
	}
	r.Pipeline = describe(execution)
	i := s.Invalidation()
	r.Invalidation = Invalidation{ID: i.ID, DistributionID: i.Distribution, Items: i.Items, Status: i.Status, Reference: i.Reference}
	if r.Viewer.After, err = s.lookBoth(ctx); err != nil {
		return err
	}
	n.Viewers("after the pipeline ended "+execution.Status, r.Viewer.After)
	if execution.Status != codepipeline.Succeeded || !allServe(r.Viewer.After, "2") {
		return fmt.Errorf("%w: the pipeline ended %s", ErrStale, execution.Status)
	}
	return nil
}

// first delivers release 1 and looks at it twice, so that every point of presence has it cached.
func (s *Stage) first(ctx context.Context, n Narrator, r *Report) error {
	n.Release("1")
	execution, err := s.Release(ctx, "1", nil)
	if err != nil {
		return err
	}
	if execution.Status != codepipeline.Succeeded {
		r.Pipeline = describe(execution)
		return fmt.Errorf("%w: the pipeline ended %s with release 1", ErrStale, execution.Status)
	}
	for range 2 {
		if r.Viewer.Before, err = s.lookBoth(ctx); err != nil {
			return err
		}
	}
	n.Viewers("release 1 is cached", r.Viewer.Before)
	if !allServe(r.Viewer.Before, "1") {
		if v := r.Viewer.Before[0]; v.Release == "" {
			return fmt.Errorf("%w: %s (status %d) tells no release: an element of the page needs data-release=\"...\" with the content of the file RELEASE, by which releases are told apart",
				ErrStale, v.URL, v.Status)
		}
		return fmt.Errorf("%w: release 1 is not what viewers get", ErrStale)
	}
	return nil
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

func describe(e codepipeline.Execution) Pipeline {
	p := Pipeline{ExecutionID: e.ID, Status: e.Status}
	for _, st := range e.Stages {
		stage := PipelineStage{Name: st.Name, Status: st.Status, Actions: []Action{}}
		for _, a := range st.Actions {
			message := a.Summary
			if a.Message != "" {
				message = a.Message
			}
			stage.Actions = append(stage.Actions, Action{Name: a.Name, Status: a.Status, Message: message})
		}
		p.Stages = append(p.Stages, stage)
	}
	return p
}
