package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/unstale/unstale/site"
)

// The history of a site is an index, which is replaced as a whole or not at all, and manifests, which are
// named after their content and never change:
//
//	history/SITE/index.json
//	history/SITE/HASH.manifest
//
// SITE is the distribution's ID, and more where several sites share a distribution; manifests and
// indexes are bound to it.
//
// A release is pending from before its plan is made, or from before it is deployed where it is announced,
// until viewers were seen to get it; then it is the verified one, and those that its plan knew are forgotten.
// Of two runs that overlap the later one finds another verified release than its plan knew, and stays
// pending: the next plan covers it. What a plan knew is kept with the plan, because another process of the
// same attempt may have made it.

// maxPending is how many pending releases are remembered. With more of them nothing is taken for known,
// and the next plan purges everything.
const maxPending = 20

// Deployed is one release that a distribution's caches may hold.
type Deployed struct {
	Release  string    `json:"release,omitempty"` // for people
	Attempt  string    `json:"attempt"`           // the run that recorded it
	Manifest string    `json:"manifest"`          // its hash; "": what was deployed is not known
	At       time.Time `json:"at"`
	// Announced says that it was recorded before it was deployed. Whether it was since is not known.
	Announced bool `json:"announced,omitempty"`
	// Announcement is the attempt that announced it before; "": there is none.
	Announcement string `json:"announcement,omitempty"`
}

// Deploy is a release that is to be recorded.
type Deploy struct {
	Attempt   string        // the run that records it
	Release   string        // for people
	Snapshot  site.Snapshot // nil: what is deployed is not known
	Deletes   bool          // the deploy removes what the release lacks
	Announced bool          // the deploy comes later, if it comes at all
	At        time.Time     // now
}

// stillAhead is how long after it was announced a deploy may yet come. The two are actions of one stage; a
// deploy action may take 90 minutes. Source: CodePipeline user guide, "Quotas": action timeouts.
const stillAhead = 24 * time.Hour

// Known is what caches may hold before a release is purged.
type Known struct {
	// Snapshots are the last verified and every pending one but the release's own, in the order they
	// were deployed, as far as the order is known, and each once; none: nothing is known.
	Snapshots []site.Snapshot
	// Why says why nothing is known, for people; "" when there is no reason to worry.
	Why string

	// Left is what deploys left in the bucket, whether or not anything is known of the caches.
	Left []site.Snapshot

	base string   // attempt of the verified release; "" when there is none
	saw  []string // attempts that were pending, and that Snapshots cover
	knew []string // those of them that were pending before this one, and that it surely replaced
}

// Begin records what a release leaves in the bucket, before its plan is made, and gives what caches may
// hold besides. It may be called again with the same attempt.
func (s *State) Begin(ctx context.Context, of string, d Deploy) (Known, error) {
	for range tries {
		x, tag, err := s.index(ctx, of)
		if err != nil {
			return Known{}, err
		}
		known, err := s.known(ctx, x, d)
		if err != nil {
			return Known{}, err
		}
		known.Why = cmp.Or(x.Lost, known.Why)
		if x.position(d.Attempt) >= 0 || x.base() == d.Attempt {
			return known, nil
		}
		// One that has a plan was recorded before, and another run's plan covered it, or the history is
		// lost. Its plan knows nothing of what came since, so it must not become the verified one.
		if _, planned, err := s.kept(ctx, of, d.Attempt); err != nil || planned {
			return known, err
		}
		mine := Deployed{Release: d.Release, Attempt: d.Attempt, At: d.At.UTC().Truncate(time.Second), Announced: d.Announced}
		if mine.Manifest, err = s.keep(ctx, of, d.Release, left(d.Snapshot, known.Left, d.Deletes)); err != nil {
			return Known{}, err
		}
		if d.Announced && slices.ContainsFunc(x.deployed(), func(o Deployed) bool { return o.Announcement == d.Attempt }) {
			return known, nil // an event that is delivered again: its deploy is over
		}
		x.Pending = slices.DeleteFunc(x.Pending, func(o Deployed) bool {
			// What was announced is this release, whose deploy is over, or which is announced anew.
			replaced := o.Announced && o.same(mine)
			if replaced {
				mine.Announcement = o.Attempt
			}
			return replaced
		})
		if x.Pending = append(x.Pending, mine); len(x.Pending) > maxPending {
			x.Verified, x.Pending = nil, x.Pending[len(x.Pending)-maxPending:]
			x.Lost = fmt.Sprintf("more than %d releases are pending", maxPending)
			known.base = ""
		}
		err = s.write(ctx, x, tag)
		if errors.Is(err, errChanged) {
			continue
		}
		return known, err
	}
	return Known{}, s.fail("write", indexKey(of), errChanged)
}

// same reports whether both are of one release, by its name and its content.
func (d Deployed) same(other Deployed) bool {
	return d.Release != "" && d.Release == other.Release && d.Manifest == other.Manifest
}

// left is what a bucket holds after a deploy: beneath what the release has lies what was there before.
// Where the known snapshots have different things there, or some have nothing, it depends on which was
// deployed last, or at all: pipelines that overlap need not record that in the order in which they deployed, and
// what is announced need not be deployed. Then nothing is like it.
func left(release site.Snapshot, known []site.Snapshot, deletes bool) site.Snapshot {
	if release == nil || deletes || len(known) == 0 {
		return release
	}
	all := make(site.Snapshot, 0, len(release))
	for row := range site.Join(release, known...) {
		switch {
		case row.New != nil:
			all = append(all, *row.New)
		case slices.ContainsFunc(row.Old, func(o *site.Object) bool { return o == nil || !o.Same(*row.Any()) }):
			all = append(all, site.Object{Key: row.Key, ETag: unlike})
		default:
			all = append(all, *row.Any())
		}
	}
	return all
}

// replaced reports whether a release that the origin was seen to serve surely was deployed after a pending
// one, or leaves as much to know of it. It is not sure where the other one has all that the release has, and more.
func replaced(release, pending site.Snapshot, deletes bool) bool {
	more := false
	for row := range site.Join(release, pending) {
		switch what := row.What(); {
		case what != site.Unchanged && row.New != nil:
			return true
		case what == site.Removed:
			more = true
		}
	}
	return !more || !deletes
}

// unlike is a fingerprint that no object has.
const unlike = "?"

// tries bounds how often an index is written that other runs write as well.
const tries = 8

func manifestKey(of, hash string) string { return "history/" + of + "/" + hash + ".manifest" }

// known reads the snapshots of an index but an attempt's own. Where one is missing or damaged nothing is
// known, and Why says so. Without a verified release nothing is known either, but what pending ones left in
// the bucket is.
func (s *State) known(ctx context.Context, x index, mine Deploy) (Known, error) {
	known := Known{base: x.base()}
	for _, d := range x.Pending {
		if d.Attempt != mine.Attempt {
			known.saw = append(known.saw, d.Attempt)
		}
	}
	for _, d := range x.Pending {
		if d.Attempt == mine.Attempt {
			break
		}
		// One whose deploy may yet come is not forgotten: no plan of now covers what it will bring to caches.
		if !d.Announced || !mine.At.Before(d.At.Add(stillAhead)) {
			known.knew = append(known.knew, d.Attempt)
		}
	}
	var hashes []string // the last deployed one last: that is what lies in the bucket
	for _, d := range x.deployed() {
		if d.Attempt == mine.Attempt {
			continue
		}
		if known.Why == "" && d.Manifest == "" {
			known.Why = fmt.Sprintf("what release %q deployed is not known", d.Release)
		}
		hashes = append(slices.DeleteFunc(hashes, func(h string) bool { return h == d.Manifest }), d.Manifest)
	}
	if known.Why != "" {
		return known, nil
	}
	for _, hash := range hashes {
		one, why, err := s.manifest(ctx, x.Site, hash)
		if err != nil || why != "" {
			known.Why, known.Left = why, nil
			return known, err
		}
		known.Left = append(known.Left, one)
		if !replaced(mine.Snapshot, one, mine.Deletes) {
			known.knew = slices.DeleteFunc(known.knew, func(attempt string) bool { return x.Pending[x.position(attempt)].Manifest == hash })
		}
	}
	switch {
	case x.Verified != nil:
		known.Snapshots = known.Left
	case len(known.Left) > 0 && !slices.ContainsFunc(x.Pending, func(d Deployed) bool { return !d.Announced && d.Attempt != mine.Attempt }):
		known.Left = slices.Insert(known.Left, 0, site.Snapshot{}) // nobody need have deployed
	}
	return known, nil
}

// manifest reads a snapshot; why says what is wrong with it.
func (s *State) manifest(ctx context.Context, of, hash string) (_ site.Snapshot, why string, err error) {
	key := manifestKey(of, hash)
	body, _, err := s.get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	if body == nil {
		return nil, s.URI(key) + " is missing", nil
	}
	m, err := site.Decode(body, of)
	if err != nil {
		return nil, fmt.Sprintf("%s: %v", s.URI(key), err), nil
	}
	return m.Snapshot, "", nil
}

// keep writes a manifest and gives its hash, "" for a release that is not known.
func (s *State) keep(ctx context.Context, of, name string, snapshot site.Snapshot) (string, error) {
	if snapshot == nil {
		return "", nil
	}
	body := site.Manifest{Distribution: of, Release: name, Snapshot: snapshot}.Encode()
	hash := sumOf(body)
	err := s.put(ctx, manifestKey(of, hash), body, "", true)
	if errors.Is(err, errChanged) {
		err = nil // it is there already
	}
	return hash, err
}
