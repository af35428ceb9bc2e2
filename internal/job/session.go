package job

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/site"
)

// session is the work on one job.
type session struct {
	*Handler
	log   *slog.Logger
	event event

	params   Parameters
	bind     binding
	gateways map[string]purge.Gateway // by target; complete when prepare is done
	release  site.Snapshot            // nil when there is no artifact
	records  []string                 // URIs of the evidence, by target; "" where there is none

	mu    sync.Mutex // guards what follows, and bind as soon as ready
	token token
	ready bool // bind and token are set
}

func newSession(h *Handler, log *slog.Logger, e event) *session {
	return &session{Handler: h, log: log, event: e}
}

// configError is a mistake in the function's or the pipeline's configuration.
type configError struct{ error }

func (e *configError) Unwrap() error { return e.error }

// work does what the job asks for, as far as the context allows.
func (s *session) work(ctx context.Context) Answer {
	if err := s.prepare(ctx); err != nil {
		if ctx.Err() != nil { // the artifact was too slow; the next job begins it anew
			return s.handOver()
		}
		return s.refuse(s.log, err)
	}
	s.log.Info("working", "targets", s.bind.targets, "release", s.params.Release, "attempt", s.token.attempt,
		"continued", s.event.token != "", "objects", len(s.release))
	if s.params.Announce {
		if err := s.announceable(); err != nil {
			return s.refuse(s.log, err)
		}
	}
	verdicts := make([]purge.Verdict, len(s.bind.targets))
	s.records = make([]string, len(s.bind.targets))
	var wg sync.WaitGroup
	for i := range s.bind.targets { // at most maxTargets
		wg.Go(func() { verdicts[i] = s.purge(ctx, i) })
	}
	wg.Wait()
	return s.conclude(verdicts)
}

// prepare reads everything that can be wrong before anything is done.
func (s *session) prepare(ctx context.Context) error {
	var err error
	if s.params, err = ParseParameters(s.event.parameters); err != nil {
		return err
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	bind := binding{s.Function, names}
	t := token{attempt: s.event.id, started: s.Now().UTC(), progress: make([]purge.Progress, len(names))}
	if s.event.token != "" {
		if t, err = bind.open(s.event.token, s.Now()); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.bind, s.token, s.ready = bind, t, true
	s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	s.release, err = s.artifact(ctx)
	return err
}

// open opens the way to every target of the job. What is done there is named after the release, or
// after the action's first job where the release has no name, so that both accounts' logs tell it.
func (s *session) open() error {
	s.gateways = map[string]purge.Gateway{}
	for _, name := range s.bind.targets {
		g, err := s.Gateway(s.Targets[name], cmp.Or(s.params.Release, s.token.attempt))
		if err != nil {
			return &configError{err}
		}
		s.gateways[name] = g
	}
	return nil
}

// names are the targets of the job, sorted: tokens rely on their order.
func (s *session) names() ([]string, error) {
	names := slices.Sorted(slices.Values(s.params.Targets))
	known := target.Names(s.Targets)
	if names == nil {
		names = known
	}
	if len(names) > maxTargets {
		return nil, refused("%d targets, more than the %d one action can take; name some in each of several actions",
			len(names), maxTargets)
	}
	for _, name := range names {
		if _, found := s.Targets[name]; !found {
			return nil, refused("there is no target %q; this function has %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

// artifact reads what the release holds; nil when the action has no input artifact.
func (s *session) artifact(ctx context.Context) (site.Snapshot, error) {
	switch len(s.event.inputs) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, &configError{fmt.Errorf("choose input artifact: the action has %d; give it the one that is deployed, or none",
			len(s.event.inputs))}
	}
	in := s.event.inputs[0]
	r, size, err := s.Artifacts(s.event.credentials).Artifact(ctx, in.bucket, in.key)
	if err != nil {
		return nil, fmt.Errorf("open input artifact %q: %w", in.name, err)
	}
	snapshot, err := site.FromZip(onlyOwnErrors{r}, size)
	if errors.As(err, new(*readError)) {
		return nil, fmt.Errorf("open input artifact %q: %w", in.name, err)
	}
	if err != nil {
		return nil, &configError{fmt.Errorf("open input artifact %q: %w", in.name, err)}
	}
	return snapshot, nil
}

// readError tells a failed read from an archive that is wrong.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

type onlyOwnErrors struct{ r io.ReaderAt }

func (o onlyOwnErrors) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}

// announceable says why a release cannot be announced.
func (s *session) announceable() error {
	switch {
	case s.State == nil:
		return &configError{errors.New("announce release: this function keeps nothing between actions; name a bucket in UNSTALE_STATE, or take the action out")}
	case s.release == nil:
		return &configError{errors.New("announce release: the action has no input artifact; give it the one that is deployed after it")}
	}
	return nil
}

// purge carries out one target's part. A panic in it is a failure of that target.
func (s *session) purge(ctx context.Context, i int) (v purge.Verdict) {
	name := s.bind.targets[i]
	log := s.log.With("target", name)
	s.mu.Lock()
	from := s.token.progress[i]
	s.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			v = purge.Verdict{Target: name, Release: s.params.Release, Outcome: purge.Failed, Progress: s.at(i)}
			v.Failure = &purge.Failure{Stage: v.Progress.Stage, Err: panicked(log, r)}
		}
	}()
	p := purge.Purge{
		Gateway: s.gateways[name], Viewer: s.Viewer, Now: s.Now, Schedule: s.Schedule, Retry: s.Retry, Log: log,
	}
	run := release.New(release.Release{
		Target: s.Targets[name], Name: s.params.Release, Attempt: s.token.attempt, Snapshot: s.release,
		Items: s.params.Items, Verify: s.params.Verify, Announce: s.params.Announce, Function: s.Function, State: s.State, Started: s.token.started, Now: s.Now,
	})
	order := run.Order(s.token.started.Add(s.params.Wait), func(p purge.Progress) { s.save(i, p) })
	if s.params.Announce {
		return p.Announce(ctx, order)
	}
	v = p.Run(ctx, order, from)
	s.save(i, v.Progress)
	s.end(ctx, log, i, run, &v, from)
	return v
}

// end records what came of a target, once. An earlier job of the action may have done so.
func (s *session) end(ctx context.Context, log *slog.Logger, i int, run *release.Run, v *purge.Verdict, from purge.Progress) {
	switch {
	case v.Outcome == purge.Unfinished:
		return
	case from.Stage.Final():
		s.records[i] = run.Record(v.Progress)
		return
	}
	s.records[i] = run.Conclude(ctx, v)
	for _, note := range v.Notes {
		log.Info("note", "text", note)
	}
	if s.Metrics == nil {
		return
	}
	line, err := run.Metrics(*v)
	if err == nil {
		_, err = s.Metrics.Write(append(line, '\n'))
	}
	if err != nil {
		log.Warn("no metrics are told", "error", err.Error())
	}
}

func (s *session) save(i int, p purge.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token.progress[i] = p
}

func (s *session) at(i int) purge.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.progress[i]
}

// handOver answers with the progress as it is known.
func (s *session) handOver() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return s.refuse(s.log, errors.New("begin job: the function's time was over before it was read; raise its timeout"))
	}
	if s.Now().After(s.token.started.Add(s.params.Wait)) {
		return s.refuse(s.log, fmt.Errorf("%s: not finished %s after it began, and not answering; raise wait or the function's timeout",
			s.params.verb(), s.Now().Sub(s.token.started).Round(time.Second)))
	}
	text, err := s.bind.seal(s.token)
	if err != nil {
		return s.refuse(s.log, &configError{err})
	}
	var summary bytes.Buffer
	percent := 0
	for i, p := range s.token.progress {
		percent += percentOf[p.Stage] / len(s.token.progress)
		if i > 0 {
			summary.WriteString("; ")
		}
		if s.params.Announce {
			summary.WriteString(s.bind.targets[i] + ": waiting to be announced")
			continue
		}
		v := purge.Verdict{Target: s.bind.targets[i], Outcome: purge.Unfinished, Progress: p}
		if p.Stage.Final() {
			v.Outcome = purge.Viewed
		}
		summary.WriteString(v.String())
	}
	return Answer{Token: text, Summary: summary.String(), Percent: percent, External: externalID(s.token.progress)}
}

// percentOf is how far a stage is; the pipeline's page shows it.
var percentOf = map[purge.Stage]int{purge.Created: 40, purge.Completed: 80, purge.Seen: 100, purge.Restricted: 100}

// externalID names the invalidations, for CodePipeline's pages.
func externalID(all []purge.Progress) string { return strings.Join(ids(all), " ") }

func ids(all []purge.Progress) []string {
	var ids []string
	for _, p := range all {
		if p.ID != "" {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// about is what the log says beside an answer.
func (s *session) about() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return nil
	}
	references := make([]string, len(s.token.progress))
	for i, p := range s.token.progress {
		references[i] = p.Reference
	}
	return []any{"targets", s.bind.targets, "release", s.params.Release, "references", references}
}

// itemsOf lists what was purged, each item once, as far as this job knows: those of targets that were
// finished in earlier jobs of the action stand in their evidence.
func (s *session) itemsOf(verdicts []purge.Verdict) []string {
	var items []string
	for _, v := range verdicts {
		items = append(items, v.Items...)
	}
	slices.Sort(items)
	return slices.Compact(items)
}
