package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/unstale/unstale/site"
)

// The history of a distribution is an index, which is replaced as a whole or not at all, and manifests,
// which are named after their content and never change:
//
//	history/DISTRIBUTION/index.json
//	history/DISTRIBUTION/HASH.manifest
//
// A deployed release is pending from before its plan is made until viewers were seen to get it; then it
// is the verified one, and those that its plan knew are forgotten. Of two runs that overlap the later
// one finds another verified release than its plan knew, and stays pending: the next plan covers it.

// maxPending is how many pending releases are remembered. With more of them nothing is taken for known,
// and the next plan purges everything.
const maxPending = 20

const indexVersion = 1

// Deployed is one release that a distribution's caches may hold.
type Deployed struct {
	Release  string    `json:"release,omitempty"` // for people
	Attempt  string    `json:"attempt"`           // the run that recorded it
	Manifest string    `json:"manifest"`          // its hash; "": what was deployed is not known
	At       time.Time `json:"at"`
}

// Pending is one that was not seen by viewers yet, and what its plan knew.
type Pending struct {
	Deployed
	Base string   `json:"base,omitempty"` // attempt of the verified release; "" when there was none
	Knew []string `json:"knew,omitempty"` // attempts that were pending
}

type index struct {
	Version      int       `json:"version"`
	Distribution string    `json:"distribution"`
	Verified     *Deployed `json:"verified,omitempty"`
	Pending      []Pending `json:"pending,omitempty"` // oldest first
}

// Known is what caches may hold before a release is purged.
type Known struct {
	// Snapshots are the last verified and every pending one but the release's own, oldest first; none:
	// nothing is known.
	Snapshots []site.Snapshot
	// Why says why nothing is known, for people; "" when there is no reason to worry.
	Why string
}

// Begin records what a release leaves in the bucket, before its plan is made, and gives what caches may
// hold besides. release is nil when what was deployed is not known; deletes says that the deploy
// removed what the release lacks. It may be called again with the same attempt. The time is for people.
func (s *State) Begin(ctx context.Context, distribution, attempt, name string, release site.Snapshot, deletes bool, now time.Time) (Known, error) {
	for range tries {
		x, tag, why, err := s.index(ctx, distribution)
		if err != nil {
			return Known{}, err
		}
		known, damage, err := s.known(ctx, x, attempt)
		if err != nil {
			return Known{}, err
		}
		if why == "" {
			why = damage
		}
		if slices.ContainsFunc(x.Pending, func(p Pending) bool { return p.Attempt == attempt }) ||
			x.Verified != nil && x.Verified.Attempt == attempt {
			return Known{known, why}, nil
		}
		mine := Pending{Deployed: Deployed{Release: name, Attempt: attempt, At: now.UTC().Truncate(time.Second)}}
		if mine.Manifest, err = s.keep(ctx, distribution, name, left(release, known, deletes)); err != nil {
			return Known{}, err
		}
		if x.Verified != nil {
			mine.Base = x.Verified.Attempt
		}
		for _, p := range x.Pending {
			mine.Knew = append(mine.Knew, p.Attempt)
		}
		if x.Pending = append(x.Pending, mine); len(x.Pending) > maxPending {
			x.Verified, x.Pending = nil, x.Pending[len(x.Pending)-maxPending:]
		}
		err = s.write(ctx, x, tag)
		if errors.Is(err, errChanged) {
			continue
		}
		return Known{known, why}, err
	}
	return Known{}, s.fail("write", indexKey(distribution), errChanged)
}

// left is what a bucket holds after a deploy: beneath what the release has lies what was there before.
func left(release site.Snapshot, known []site.Snapshot, deletes bool) site.Snapshot {
	if release == nil || deletes || len(known) == 0 {
		return release
	}
	return site.Overlay(known[len(known)-1], release)
}

// Finish makes an attempt's release the verified one. It reports false when another one was verified
// meanwhile: then the release stays pending.
func (s *State) Finish(ctx context.Context, distribution, attempt string) (bool, error) {
	for range tries {
		x, tag, _, err := s.index(ctx, distribution)
		if err != nil {
			return false, err
		}
		if x.Verified != nil && x.Verified.Attempt == attempt {
			return true, nil
		}
		i := slices.IndexFunc(x.Pending, func(p Pending) bool { return p.Attempt == attempt })
		if i < 0 {
			return false, nil // another run's plan covered it
		}
		mine, base := x.Pending[i], ""
		if x.Verified != nil {
			base = x.Verified.Attempt
		}
		if base != mine.Base {
			return false, nil
		}
		x.Verified = &mine.Deployed
		x.Pending = slices.DeleteFunc(x.Pending, func(p Pending) bool {
			return p.Attempt == attempt || slices.Contains(mine.Knew, p.Attempt)
		})
		err = s.write(ctx, x, tag)
		if errors.Is(err, errChanged) {
			continue
		}
		return err == nil, err
	}
	return false, s.fail("write", indexKey(distribution), errChanged)
}

// tries bounds how often an index is written that other runs write as well.
const tries = 8

func indexKey(distribution string) string { return "history/" + distribution + "/index.json" }

func manifestKey(distribution, hash string) string {
	return "history/" + distribution + "/" + hash + ".manifest"
}

// index reads a distribution's index. One that is damaged or another's is as if there were none, and
// why says so: it will be replaced.
func (s *State) index(ctx context.Context, distribution string) (x index, tag, why string, err error) {
	none := index{Version: indexVersion, Distribution: distribution}
	body, tag, err := s.get(ctx, indexKey(distribution))
	if err != nil || body == nil {
		return none, "", "", err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	switch err := dec.Decode(&x); {
	case err != nil:
		why = "it is damaged: " + err.Error()
	case x.Version != indexVersion:
		why = fmt.Sprintf("it has version %d, not %d", x.Version, indexVersion)
	case x.Distribution != distribution:
		why = "it is of distribution " + x.Distribution
	default:
		return x, tag, "", nil
	}
	return none, tag, s.URI(indexKey(distribution)) + ": " + why, nil
}

func (s *State) write(ctx context.Context, x index, tag string) error {
	body, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return s.put(ctx, indexKey(x.Distribution), body, tag, tag == "")
}

// known reads the snapshots of an index but an attempt's own. Where one is missing or damaged nothing is
// known, and damage says so.
func (s *State) known(ctx context.Context, x index, attempt string) (all []site.Snapshot, damage string, err error) {
	if x.Verified == nil {
		return nil, "", nil
	}
	deployed := []Deployed{*x.Verified}
	for _, p := range x.Pending {
		deployed = append(deployed, p.Deployed)
	}
	read := map[string]bool{}
	for _, d := range deployed {
		if d.Attempt == attempt || read[d.Manifest] {
			continue
		}
		if read[d.Manifest] = true; d.Manifest == "" {
			return nil, fmt.Sprintf("what release %q deployed is not known", d.Release), nil
		}
		key := manifestKey(x.Distribution, d.Manifest)
		body, _, err := s.get(ctx, key)
		if err != nil {
			return nil, "", err
		}
		if body == nil {
			return nil, s.URI(key) + " is missing", nil
		}
		m, err := site.Decode(body, x.Distribution)
		if err != nil {
			return nil, fmt.Sprintf("%s: %v", s.URI(key), err), nil
		}
		all = append(all, m.Snapshot)
	}
	return all, "", nil
}

// keep writes a manifest and gives its hash, "" for a release that is not known.
func (s *State) keep(ctx context.Context, distribution, name string, snapshot site.Snapshot) (string, error) {
	if snapshot == nil {
		return "", nil
	}
	body := site.Manifest{Distribution: distribution, Release: name, Snapshot: snapshot}.Encode()
	hash := sumOf(body)
	err := s.put(ctx, manifestKey(distribution, hash), body, "", true)
	if errors.Is(err, errChanged) {
		err = nil // it is there already
	}
	return hash, err
}
