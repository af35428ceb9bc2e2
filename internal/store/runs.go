package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/plan"
)

// A run keeps two records besides the history:
//
//	plans/SITE/ATTEMPT.json
//	evidence/ACCOUNT/YYYY-MM/DISTRIBUTION/TARGET/ATTEMPT-PATHS.json
//
// The plan is written before it is carried out, once: whoever takes an attempt up again carries out the
// same one, and pays nothing twice. The evidence is the last thing written. How many paths a run had to
// pay is part of its name, so that a month can be counted by listing.

// kept is a plan and what it knew; see Known.
type kept struct {
	Site string    `json:"site"`
	Base string    `json:"base,omitempty"`
	Saw  []string  `json:"saw,omitempty"`
	Knew []string  `json:"knew,omitempty"`
	Plan plan.Plan `json:"plan"`
}

// kept reads the plan that an attempt was begun with; false when there is none.
func (s *State) kept(ctx context.Context, of, attempt string) (kept, bool, error) {
	body, _, err := s.get(ctx, planKey(of, attempt))
	if err != nil || body == nil {
		return kept{}, false, err
	}
	var k kept
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&k); err != nil || k.Site != of {
		return kept{}, false, s.fail("read", planKey(of, attempt), errors.New("it is no plan of this site"))
	}
	return k, true, nil
}

// Plan gives the plan that an attempt was begun with; false when there is none.
func (s *State) Plan(ctx context.Context, of, attempt string) (plan.Plan, bool, error) {
	k, found, err := s.kept(ctx, of, attempt)
	return k.Plan, found, err
}

// KeepPlan records the plan of an attempt with what it was made from, and gives the earlier one where
// there is one.
func (s *State) KeepPlan(ctx context.Context, of, attempt string, known Known, p plan.Plan) (plan.Plan, error) {
	body, err := json.MarshalIndent(kept{of, known.base, known.saw, known.knew, p}, "", "  ")
	if err != nil {
		return plan.Plan{}, fmt.Errorf("write plan: %w", err)
	}
	err = s.put(ctx, planKey(of, attempt), body, "", true)
	if !errors.Is(err, errChanged) {
		return p, err
	}
	earlier, found, err := s.Plan(ctx, of, attempt)
	if err == nil && !found {
		err = s.fail("read", planKey(of, attempt), errors.New("it was there and is gone"))
	}
	return earlier, err
}

func planKey(of, attempt string) string { return "plans/" + of + "/" + attempt + ".json" }

// EvidenceKey is where the evidence of an attempt lies. account is the distribution's; paths is how many
// it asked CloudFront to invalidate; started is when the attempt began, so that the key does not
// change with the month. Two targets of one action may share a distribution, so the target is in it.
func EvidenceKey(account, distribution, target, attempt string, paths int, started time.Time) string {
	return fmt.Sprintf("%s%s/%s/%s-%d.json", monthOf(account, started), distribution, target, attempt, paths)
}

// Evidence records what a run did.
func (s *State) Evidence(ctx context.Context, key string, record any) error {
	body, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	return s.put(ctx, key, body, "", false)
}

// Used counts the paths that runs recorded here asked for in an account, in the month of a time. Paths
// that others invalidated are not seen.
func (s *State) Used(ctx context.Context, account string, now time.Time) (int, error) {
	keys, err := s.keys(ctx, monthOf(account, now))
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, key := range keys {
		name := strings.TrimSuffix(key, ".json")
		if n, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:]); err == nil && n > 0 {
			sum += n
		}
	}
	return sum, nil
}

// monthOf is where the evidence of an account's month lies. CloudFront bills by months in UTC.
func monthOf(account string, now time.Time) string {
	return "evidence/" + account + "/" + now.UTC().Format("2006-01") + "/"
}
