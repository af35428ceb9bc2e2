package story

import (
	"context"
	"fmt"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/journal"
)

// watch collects what happens during one release. The rehearsal calls it on its own goroutines.
type watch struct {
	ended        chan codepipeline.ExecutionStateChange
	deployed     func() // called while the pipeline is held after the Deploy action succeeded
	invalidation cloudfront.Invalidation
}

// Release pushes a release and waits until the pipeline is done with it. deployed, which may be nil,
// is called when the new files are in the bucket and nothing is invalidated yet; the pipeline waits.
func (s *Stage) Release(ctx context.Context, release string, deployed func()) (codepipeline.Execution, error) {
	w := &watch{ended: make(chan codepipeline.ExecutionStateChange, 1), deployed: deployed}
	s.mu.Lock()
	s.watch = w
	s.mu.Unlock()
	s.build.forget()
	if err := s.Push(ctx, release); err != nil {
		return codepipeline.Execution{}, fmt.Errorf("push release %s: %w", release, err)
	}
	select {
	case <-ctx.Done():
		return codepipeline.Execution{}, fmt.Errorf("wait for the pipeline with release %s: %w", release, ctx.Err())
	case end := <-w.ended:
		for _, e := range s.World.Executions(PipelineAccount, s.Outputs["PipelineName"]) {
			if e.ID == end.Execution {
				return e, nil
			}
		}
		return codepipeline.Execution{}, fmt.Errorf("find execution %s of release %s: it is gone", end.Execution, release)
	}
}

// follow is the rehearsal's observer.
func (s *Stage) follow(e journal.Event) {
	s.mu.Lock()
	w := s.watch
	s.mu.Unlock()
	if w == nil {
		return
	}
	switch data := e.Data.(type) {
	case codepipeline.ExecutionStateChange:
		if data.Status != codepipeline.InProgress {
			select {
			case w.ended <- data:
			default: // only the first execution of a release is waited for
			}
		}
	case codepipeline.ActionStateChange:
		if data.Action.Name == "Deploy" && data.Action.Status == codepipeline.Succeeded && w.deployed != nil {
			w.deployed()
		}
	case cloudfront.InvalidationCreated:
		s.setInvalidation(data.Invalidation)
	case cloudfront.InvalidationCompleted:
		s.setInvalidation(data.Invalidation)
	}
}

func (s *Stage) setInvalidation(i cloudfront.Invalidation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.invalidation = i
}

// Invalidation is the latest one of the current release; its zero value when there was none.
func (s *Stage) Invalidation() cloudfront.Invalidation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch == nil {
		return cloudfront.Invalidation{}
	}
	return s.watch.invalidation
}
