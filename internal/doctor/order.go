package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/target"
)

// order is the judgement on where a pipeline's actions stand: what is announced, deployed and purged, in this order and
// in one stage. Between two stages another execution can deploy.
type order struct {
	facts
	deploys, announces, purges, unclear []action
	wrong, noted                        []string
}

const ordered = "the pipeline's actions stand in order"

// order judges from stages and run orders, and from what the climb found of each action.
func (f facts) order() Rung {
	o := &order{facts: f}
	var relevant []action
	for _, a := range f.all() {
		switch a.part() {
		case other:
			o.others = append(slices.Clip(o.others), a)
			continue
		case unclear:
			o.unclear = append(o.unclear, a)
		case deploying:
			o.deploys = append(o.deploys, a)
		case announcing:
			o.announces = append(o.announces, a)
		case purging:
			o.purges = append(o.purges, a)
		}
		relevant = append(relevant, a)
	}
	r := Rung{Name: ordered, Account: f.account, Subject: cmp.Or(f.arn, f.name), State: OK, Why: sequence(relevant)}
	if len(o.purges) == 0 {
		if r.State, r.Why = o.unpurged(); r.State == Unknown && o.unclear == nil {
			r.Try = "look at the pipeline, as said above"
		}
		return r
	}
	for _, p := range o.purges {
		o.purge(p)
	}
	for _, d := range o.deploys {
		o.deploy(d)
	}
	for _, a := range o.announces {
		o.announce(a)
	}
	for _, p := range o.purges {
		o.unannounced(p)
	}
	if f.parallel {
		o.note("executions run in PARALLEL mode, in which another release can deploy before this one is purged: choose SUPERSEDED or QUEUED")
	}
	switch {
	case o.wrong != nil:
		r.State, r.Why = Broken, strings.Join(o.wrong, "; also: ")
	case o.noted != nil:
		r.State, r.Why = Note, strings.Join(o.noted, "; also: ")
	}
	return r
}

func (o *order) fault(format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}

func (o *order) note(format string, args ...any) {
	o.noted = append(o.noted, fmt.Sprintf(format, args...))
}

// unpurged is what to say of a pipeline in which nothing is known to purge.
func (o *order) unpurged() (State, string) {
	var may []string
	for _, a := range o.others {
		// What runs before the deploy has nothing to purge.
		if len(o.deploys) == 0 || slices.ContainsFunc(o.deploys, func(d action) bool { return placed(d, a) < 0 }) {
			may = append(may, a.runs())
		}
	}
	anything := "action " + strings.Join(may, " or ")
	switch {
	case o.unclear != nil:
		a := o.unclear[0]
		return Unknown, fmt.Sprintf("whether %s purges is not known: %s", a.where(), a.why())
	case o.deploys == nil && may == nil:
		return Unknown, "no action is known to deploy or to purge: is it the right pipeline?"
	case o.deploys == nil:
		return Unknown, fmt.Sprintf("no action is known to deploy or to purge; what %s does, cannot be read here", anything)
	}
	d := o.deploys[len(o.deploys)-1]
	missing := fmt.Sprintf("nothing purges what %s deploys: add the action Purge, which unstale deploy %s --own-pipeline prints, to stage %s with a runOrder above %d",
		d.where(), cmp.Or(o.route, "ROUTE"), d.stage, d.runOrder)
	if may != nil {
		return Unknown, fmt.Sprintf("%s, unless %s purges it, which cannot be read here", missing, anything)
	}
	return Broken, missing
}

// runs is an action by what it runs, for people.
func (a action) runs() string {
	if a.function != "" {
		return fmt.Sprintf("%s (function %s, which has no %s)", a.name, a.function, target.TargetsVariable)
	}
	return fmt.Sprintf("%s (%s)", a.name, a.provider)
}

// purge judges one action that purges: it follows, in their stage, an action that deploys what it purges.
func (o *order) purge(p action) {
	its := p.of(o.deploys)
	switch {
	case len(o.deploys) == 0:
		o.note("no action deploys to S3, so whether %s follows what deploys is not known: it belongs into the same stage, after it", p.where())
	case len(its) == 0:
		o.note("no action deploys to S3 what %s purges, so whether it follows what deploys is not known: it belongs into the same stage, after it", p.where())
	case !slices.ContainsFunc(its, func(d action) bool { return d.before(p) }):
		o.misplaced(p, its)
	case p.artifact != "" && !slices.ContainsFunc(its, func(d action) bool { return d.artifact == p.artifact }):
		o.fault("action %s purges for artifact %s, and action %s deploys %s: give %s the artifact %s too", p.name, p.artifact, its[0].name, its[0].artifact, p.name, its[0].artifact)
	}
}

// misplaced says where an action that purges belongs.
func (o *order) misplaced(p action, its []action) {
	d := its[len(its)-1] // it follows all of them then, if they are of one stage
	here := slices.DeleteFunc(slices.Clone(its), func(d action) bool { return d.at != p.at })
	if len(here) > 0 {
		d = here[len(here)-1]
		if slices.ContainsFunc(o.partners(p, o.purges), func(q action) bool { return d.before(q) }) {
			o.fault(`%s does not follow %s, and purges, since its UserParameters do not say "announce": true; let them say it, or take it out`, p.where(), d.where())
			return
		}
		o.fault("%s does not follow %s: it may purge before the release is there, and caches take the old one again; give %s a runOrder above %d",
			p.where(), d.where(), p.name, d.runOrder)
		return
	}
	o.fault("%s is in another stage than %s: between two stages another execution can deploy, and then the wrong release is purged; move %s into stage %s, with a runOrder above %d",
		p.where(), d.where(), p.name, d.stage, d.runOrder)
}

// deploy judges one action that deploys: what it deploys is purged after it. One that is not need not be for viewers.
func (o *order) deploy(d action) {
	var its []action
	followed, misplaced := false, true
	for _, p := range o.purges {
		of := p.of(o.deploys)
		if !slices.ContainsFunc(of, d.is) {
			continue
		}
		its = append(its, p)
		followed = followed || d.before(p)
		misplaced = misplaced && !slices.ContainsFunc(of, func(d action) bool { return d.before(p) }) // it is said of the action that purges
	}
	sure := slices.ContainsFunc(its, func(p action) bool { return p.purgesOf(d) == surely })
	switch {
	case followed || its != nil && misplaced:
	case sure:
		o.fault("nothing purges after %s, and its bucket %s is what viewers get: purge after it, in stage %s with a runOrder above %d", d.where(), d.bucket, d.stage, d.runOrder)
	default:
		o.note("nothing purges after %s; where a distribution serves its bucket %s, purge after it, in stage %s", d.where(), d.bucket, d.stage)
	}
}

// is reports whether both are the same action: no stage has two of one name.
func (a action) is(b action) bool { return a.at == b.at && a.name == b.name }

// announce judges one action that announces: it ends before the deploy begins that is purged for it. Where it is not
// sure which that is, one will do.
func (o *order) announce(a action) {
	for _, p := range o.partners(a, o.purges) {
		its := p.of(o.deploys)
		if before := slices.DeleteFunc(slices.Clone(its), func(d action) bool { return !d.before(p) }); len(before) > 0 {
			its = before
		}
		if its == nil {
			its = []action{p} // what deploys between the two is not known
		}
		late := slices.DeleteFunc(slices.Clone(its), a.before)
		if len(late) > 0 && (p.purgesOf(late[0]) == surely || len(late) == len(its)) {
			o.late(a, late[0])
			return
		}
	}
}

// late says where an action that announces belongs.
func (o *order) late(a, d action) {
	const cost = "if the stage is stopped, the next release may not know what was deployed"
	switch {
	case a.at != d.at:
		o.fault("%s is in another stage than %s: between two stages another execution can pass, and what was announced need not be what is deployed; move %s into stage %s, with a runOrder below that of %s",
			a.where(), d.where(), a.name, d.stage, d.name)
	case d.runOrder == 1:
		o.fault("%s does not end before %s begins: %s; leave runOrder 1 to %s, and raise that of the others in the stage", a.where(), d.where(), cost, a.name)
	default:
		o.fault("%s does not end before %s begins: %s; give %s a runOrder below %d", a.where(), d.where(), cost, a.name, d.runOrder)
	}
}

// unannounced notes what it costs that nothing announces for an action that purges, where something could. Of an
// announcement that misses its purge it is said elsewhere.
func (o *order) unannounced(p action) {
	amiss := slices.ContainsFunc(o.announces, func(a action) bool { return len(o.partners(a, o.purges)) == 0 }) ||
		slices.ContainsFunc(o.unclear, func(a action) bool { return o.invokes(a) == o.invokes(p) })
	if p.function == "" || !p.found.remembers || !p.inputs || p.told.Items != nil || amiss || len(o.partners(p, o.announces)) > 0 {
		return
	}
	o.note("no action announces the release that %s purges: where the stage is stopped between deploy and purge, the next release does not know of this one, and leaves it in caches; "+
		"add the action Announce, which unstale deploy %s --own-pipeline prints, before the deploy and in the same stage", p.where(), cmp.Or(o.route, "ROUTE"))
}

// sequence is the order for people: stage by stage, each action with its run order.
func sequence(actions []action) string {
	var out []string
	for i, a := range actions {
		if i == 0 || actions[i-1].at != a.at {
			out = append(out, fmt.Sprintf("stage %s: %s (runOrder %d)", a.stage, a.name, a.runOrder))
			continue
		}
		out[len(out)-1] += fmt.Sprintf(", %s (%d)", a.name, a.runOrder)
	}
	return strings.Join(out, "; ")
}
