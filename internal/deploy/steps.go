package deploy

import (
	_ "embed"
	"fmt"
	"slices"

	"github.com/unstale/unstale/templates"
)

// BucketTemplate names the template of the bucket that holds an account's Lambda code.
const BucketTemplate = "code-bucket"

//go:embed code-bucket.template.json
var codeBucket []byte

// Templates lists the names of all templates: those of the routes, and the code bucket's.
func Templates() []string {
	names := append(templates.Names(), BucketTemplate)
	slices.Sort(names)
	return names
}

// Template is the template of a name.
func Template(name string) ([]byte, error) {
	if name == BucketTemplate {
		return codeBucket, nil
	}
	body, err := templates.Get(name)
	if err != nil {
		return nil, fmt.Errorf("get template %q: there are %v", name, Templates())
	}
	return body, nil
}

// own lists the stacks of a route that purges for a pipeline of one's own, in the order of templates/README.md.
func own(route string) ([]templates.Step, error) {
	job := templates.Step{Template: "pipeline-job", Side: templates.Pipeline, Function: "pipeline-job"}
	delivery := templates.Step{Template: "delivery-" + route, Side: templates.Delivery}
	switch route {
	case "assume":
		return []templates.Step{delivery, job}, nil
	case "relay":
		delivery.Function = "invalidator"
		return []templates.Step{job, delivery}, nil
	case "direct":
		delivery.Function = "pipeline-job"
		return []templates.Step{{Template: "pipeline-callback", Side: templates.Pipeline}, delivery}, nil
	case "states":
		return []templates.Step{delivery, {Template: "pipeline-machine", Side: templates.Pipeline}}, nil
	case "same-account":
		return []templates.Step{job}, nil
	}
	_, err := templates.Deployment(route) // which names the routes
	return nil, err
}

// steps lists the stacks, each account's code bucket before the first stack that takes code there.
func (d *Deployment) steps() ([]templates.Step, error) {
	return stepsOf(d.options.Route, d.options.OwnPipeline)
}

func stepsOf(route string, ownPipeline bool) ([]templates.Step, error) {
	list := templates.Deployment
	if ownPipeline {
		list = own
	}
	all, err := list(route)
	if err != nil {
		return nil, err
	}
	var out []templates.Step
	has := map[templates.Side]bool{}
	for _, s := range all {
		if s.Function != "" && !has[s.Side] {
			has[s.Side] = true
			out = append(out, templates.Step{Template: BucketTemplate, Side: s.Side})
		}
		out = append(out, s)
	}
	return out, nil
}

// backwards lists, in the order in which they are taken away, the stacks that any route may have made in
// these accounts, with or without a pipeline; those of d's route come first. Whatever the order of making,
// the base holds what the other stacks use, and a code bucket what all use.
func (d *Deployment) backwards() ([]templates.Step, error) {
	var out []templates.Step
	type place struct {
		template string
		side     templates.Side
	}
	seen := map[place]bool{}
	for _, route := range append([]string{d.options.Route}, templates.Routes()...) {
		for _, ownPipeline := range []bool{d.options.OwnPipeline, !d.options.OwnPipeline} {
			steps, err := stepsOf(route, ownPipeline)
			if err != nil {
				return nil, err
			}
			for _, s := range slices.Backward(steps) {
				if at := (place{s.Template, s.Side}); d.sides[s.Side] != nil && !seen[at] {
					seen[at] = true
					out = append(out, s)
				}
			}
		}
	}
	last := map[string]int{"pipeline-base": 1, BucketTemplate: 2}
	slices.SortStableFunc(out, func(a, b templates.Step) int { return last[a.Template] - last[b.Template] })
	return out, nil
}

// ofRoute says whether a template belongs to a route, with or without a pipeline.
func ofRoute(route, template string) bool {
	for _, ownPipeline := range []bool{false, true} {
		steps, err := stepsOf(route, ownPipeline)
		if err == nil && slices.ContainsFunc(steps, func(s templates.Step) bool { return s.Template == template }) {
			return true
		}
	}
	return false
}

// Functions lists the functions whose code the route takes.
func (d *Deployment) Functions() []string {
	steps, err := d.steps()
	if err != nil {
		return nil // Open has asked before
	}
	var out []string
	for _, s := range steps {
		if s.Function != "" && !slices.Contains(out, s.Function) {
			out = append(out, s.Function)
		}
	}
	return out
}
