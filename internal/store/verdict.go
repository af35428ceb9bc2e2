package store

import (
	"context"
	"errors"
	"slices"
)

// Finish makes an attempt's release the verified one, and forgets what its plan knew. It reports false
// when it is not pending any more, or another one was verified meanwhile: then nothing is changed.
func (s *State) Finish(ctx context.Context, of, attempt string) (bool, error) {
	return s.settle(ctx, of, attempt, func(x *index, plan kept) (done, changed bool) {
		if !x.still(attempt, plan) {
			return x.base() == attempt, false
		}
		mine := x.Pending[x.position(attempt)]
		x.Verified, x.Lost = &mine, ""
		x.Pending = slices.DeleteFunc(x.Pending, func(d Deployed) bool {
			return d.Attempt == attempt || slices.Contains(plan.Knew, d.Attempt)
		})
		return true, true
	})
}

// Doubt has the next plan purge everything, because viewers got instead of an attempt's release what nothing
// that is known explains; why is for people. It does nothing, and reports false, where another run explains it.
func (s *State) Doubt(ctx context.Context, of, attempt, why string) (bool, error) {
	return s.settle(ctx, of, attempt, func(x *index, plan kept) (done, changed bool) {
		other := slices.ContainsFunc(x.Pending, func(d Deployed) bool {
			return d.Attempt != attempt && !slices.Contains(plan.Saw, d.Attempt)
		})
		if !x.still(attempt, plan) || other {
			return false, false
		}
		x.Verified, x.Lost = nil, why
		return true, true
	})
}

// still reports whether an attempt is pending, and the verified release is that which its plan was made from.
func (x *index) still(attempt string, plan kept) bool {
	return x.position(attempt) >= 0 && x.base() == plan.Base
}

// settle writes down what the verdict on an attempt changes, and reports whether it holds, which it may have
// done before. Without a plan there is no verdict.
func (s *State) settle(ctx context.Context, of, attempt string, change func(*index, kept) (done, changed bool)) (bool, error) {
	plan, found, err := s.kept(ctx, of, attempt)
	if err != nil || !found {
		return false, err
	}
	for range tries {
		x, tag, err := s.index(ctx, of)
		if err != nil {
			return false, err
		}
		if done, changed := change(&x, plan); !changed {
			return done, nil
		}
		if err = s.write(ctx, x, tag); errors.Is(err, errChanged) {
			continue
		}
		return err == nil, err
	}
	return false, s.fail("write", indexKey(of), errChanged)
}
