package mistakes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor/repair"
	"github.com/unstale/unstale/rehearsal/journal"
)

// Finding is what a rehearsed mistake teaches.
type Finding struct {
	Mistake  string   `json:"mistake"`
	Route    string   `json:"route"`
	Summary  string   `json:"summary"`
	FailedAt string   `json:"failedAt"` // "stack NAME", "STAGE/ACTION" or "viewers"
	Said     string   `json:"said"`     // by whoever failed
	Seconds  float64  `json:"seconds"`  // rehearsal time from the push to the end; 0 when nothing was pushed
	Why      string   `json:"why"`      // the decision in one sentence; empty where no decision knows
	Lesson   string   `json:"lesson"`
	Changes  []Change `json:"changes"` // that repair it
}

// Play makes the mistake in a story and watches it fail. It is an error when the story does not fail, or
// fails somewhere else than the mistake says. then, which may be nil, sees the stage as the failure left it.
func (m Mistake) Play(ctx context.Context, o story.Options, n story.Narrator, then func(*story.Stage, Finding) error) (Finding, story.Report, error) {
	f := Finding{Mistake: m.Name, Route: o.Route, Summary: m.Summary, Lesson: m.Lesson}
	w := m.on(o.Route)
	if w == nil {
		return f, story.NewReport(o.Route), fmt.Errorf("make the mistake %s on route %s: it is made on %s", m.Name, o.Route, strings.Join(m.Routes(), ", "))
	}
	p := &play{way: w, seen: map[string]bool{}}
	p.prepare(&o)
	stage, err := story.Set(ctx, o)
	if err != nil {
		return f, story.NewReport(o.Route), err
	}
	report, ended := p.run(ctx, stage, n, &f)
	err = p.judge(&f, report, ended)
	if err == nil {
		err = p.explain(&f, stage, report.Calls)
	}
	if err == nil && then != nil {
		err = then(stage, f)
	}
	return f, report, errors.Join(err, stage.Close())
}

// Deploy makes the mistake and goes no further: both accounts are as the mistake leaves them, and nothing was
// pushed. A stack that fails as the mistake says is no error. Close the stage in any case where err is nil.
func (m Mistake) Deploy(ctx context.Context, o story.Options) (*story.Stage, error) {
	p := &play{way: m.on(o.Route), seen: map[string]bool{}}
	if p.way == nil {
		return nil, fmt.Errorf("make the mistake %s on route %s: it is made on %s", m.Name, o.Route, strings.Join(m.Routes(), ", "))
	}
	p.prepare(&o)
	stage, err := story.Set(ctx, o)
	if err != nil {
		return nil, err
	}
	err = p.deploy(ctx, stage)
	if stack, ok := strings.CutPrefix(p.fails, "stack "); ok && err != nil && strings.Contains(err.Error(), "create stack "+stack+":") {
		err = nil
	}
	if err = errors.Join(err, p.missed(o.Route)); err != nil {
		return nil, errors.Join(err, stage.Close())
	}
	return stage, nil
}

func (p *play) deploy(ctx context.Context, stage *story.Stage) error {
	err := stage.Deploy(ctx)
	if err == nil && p.after != nil {
		err = p.after(stage)
	}
	return err
}

// run deploys and plays the story; the error is what ended it.
func (p *play) run(ctx context.Context, stage *story.Stage, n story.Narrator, f *Finding) (story.Report, error) {
	if err := p.deploy(ctx, stage); err != nil {
		report := story.NewReport(f.Route)
		report.Calls = stage.World.Journal().Calls()
		return report, err
	}
	began := stage.World.Clock().Now()
	report, err := stage.Run(ctx, n)
	f.Seconds = stage.World.Clock().Now().Sub(began).Round(time.Second).Seconds()
	return report, err
}

// judge compares where the story failed with where the mistake was to make it fail.
func (p *play) judge(f *Finding, report story.Report, ended error) error {
	if err := p.missed(f.Route); err != nil {
		return err
	}
	f.FailedAt, f.Said = whereFailed(report, ended)
	if f.FailedAt != p.fails {
		return fmt.Errorf("make the mistake %s on route %s: it was to fail at %s, not at %q: %w", f.Mistake, f.Route, p.fails, f.FailedAt, ended)
	}
	return nil
}

// play is one mistake being made.
type play struct {
	*way
	seen map[string]bool // templates that were deployed
	err  error           // of an edit
}

// prepare puts the mistake into the story's options.
func (p *play) prepare(o *story.Options) {
	o.Template = func(name string, text []byte) []byte {
		p.seen[name] = true
		for template, edits := range p.edits {
			if named(template, o.Route) != name || p.err != nil {
				continue
			}
			changed, err := rewrite(text, edits)
			if err != nil {
				p.err = fmt.Errorf("template %s: %w", name, err)
				continue
			}
			text = changed
		}
		return text
	}
	o.Empty, o.Parameters, o.Code = true, map[string]map[string]string{}, map[string]string{}
	for template, values := range p.parameters {
		o.Parameters[named(template, o.Route)] = values
	}
	for template, code := range p.code {
		o.Code[named(template, o.Route)] = code
	}
}

// missed is an error when an edit failed, or a template that the mistake changes was never deployed.
func (p *play) missed(route string) error {
	if p.err != nil {
		return p.err
	}
	for _, template := range slices.Concat(slices.Sorted(maps.Keys(p.edits)), slices.Sorted(maps.Keys(p.parameters)), slices.Sorted(maps.Keys(p.code))) {
		if name := named(template, route); !p.seen[name] {
			return fmt.Errorf("make a mistake in template %s: it was not deployed", name)
		}
	}
	return nil
}

// whereFailed reads a report from its end: an action, or else what viewers got. A story without a
// pipeline failed in a stack.
func whereFailed(r story.Report, err error) (where, said string) {
	for _, st := range r.Pipeline.Stages {
		for _, a := range st.Actions {
			if a.Status == "Failed" {
				return st.Name + "/" + a.Name, a.Message
			}
		}
	}
	switch {
	case err == nil:
		return "", "nothing failed"
	case errors.Is(err, story.ErrStale):
		return "viewers", err.Error()
	}
	if _, after, ok := strings.Cut(err.Error(), "create stack "); ok {
		name, _, _ := strings.Cut(after, ":")
		return "stack " + name, err.Error()
	}
	return "", err.Error()
}

// explain finds the decision and takes the repair from it.
func (p *play) explain(f *Finding, stage *story.Stage, calls []journal.Call) error {
	if p.denied != "" {
		i := slices.IndexFunc(calls, func(c journal.Call) bool { return c.Decision == "deny" && c.Action == p.denied })
		if i < 0 {
			return fmt.Errorf("explain the mistake %s: no call of %s was denied", f.Mistake, p.denied)
		}
		f.Why = calls[i].Reason
		if missing := calls[i].Missing; missing != nil && p.repair == nil {
			changes, err := changesOf(*missing, p.needs)
			f.Changes = changes
			return err
		}
	}
	if p.repair == nil {
		return fmt.Errorf("explain the mistake %s: the decision names no statement", f.Mistake)
	}
	f.Changes = []Change{p.repair(stage)}
	return nil
}

// changesOf are the statements that a decision misses. It is about one call; needs are the actions of those
// that would have followed.
func changesOf(r iam.Remedy, needs []string) ([]Change, error) {
	if needs != nil {
		r.Statement.Action, r.Also = needs, slices.Clone(r.Also)
		for i := range r.Also {
			r.Also[i].Statement.Action = needs
		}
	}
	return repair.Of(r)
}
