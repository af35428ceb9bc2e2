package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/unstale/unstale/internal/nearest"
	"github.com/unstale/unstale/templates"
)

// The tags by which a stack is known as ours.
const (
	nameTag    = "unstale:name"
	versionTag = "unstale:version"
)

// ErrDeclined is returned when Confirm says no. What was made before stays.
var ErrDeclined = errors.New("declined")

// Options say what to deploy, and who is asked and told.
type Options struct {
	Route       string // one of templates.Routes
	Name        string // prefix of everything that is made; empty: "unstale"
	OwnPipeline bool   // only what an existing pipeline needs
	Pipeline    aws.Config
	Delivery    aws.Config        // not used by the route same-account
	Parameters  map[string]string // of any template of the route, by name
	Version     string            // of this program; a tag of the stacks; empty: none
	Step        time.Duration     // between two looks at AWS; 0: 2 s
	// Code is the zip of a function ("pipeline-job", "invalidator") for a processor ("arm64", "x86_64").
	Code    func(function, architecture string) ([]byte, error)
	Confirm func(Proposal) (bool, error) // decides whether a stack is made or changed
	Remove  func(Removal) (bool, error)  // decides whether everything is taken away
	Event   func(account string, e Event)
	Say     func(text string) // what is done besides; one line each
}

// withdrawal is how long taking back a change set may take.
const withdrawal = 20 * time.Second

// Proposal is what would happen to one stack.
type Proposal struct {
	Account, Stack string
	Create         bool
	Changes        []Change // empty: tags or outputs only
}

// Deployment is the stacks of a route. Make it with Open.
type Deployment struct {
	options  Options
	sides    map[templates.Side]*side
	external string // the ExternalId, once it was needed
}

// side is one account.
type side struct {
	*Deployer
	name               templates.Side
	account, partition string
	bucket             string // of its code, once there is one
}

// Open finds out which accounts the configurations belong to. It changes nothing.
func Open(ctx context.Context, o Options) (*Deployment, error) {
	o.Name = cmp.Or(o.Name, "unstale")
	d := &Deployment{options: o, sides: map[templates.Side]*side{}}
	steps, err := d.steps()
	if err != nil {
		return nil, err
	}
	if err := d.checkNames(steps); err != nil {
		return nil, err
	}
	for _, s := range steps {
		if d.sides[s.Side] != nil {
			continue
		}
		cfg := o.Pipeline
		if s.Side == templates.Delivery {
			cfg = o.Delivery
		}
		at := &side{Deployer: New(cfg, o.Step), name: s.Side}
		if at.partition, at.account, err = at.identity(ctx); err != nil {
			return nil, &Unknown{s.Side, err}
		}
		d.sides[s.Side] = at
	}
	a, b := d.sides[templates.Pipeline], d.sides[templates.Delivery]
	if a != nil && b != nil && a.account == b.account {
		return nil, &OneAccount{o.Route, a.account}
	}
	return d, nil
}

// Unknown is an account of which the configuration's credentials do not tell which it is, most often since
// there are none or they have expired.
type Unknown struct {
	Side templates.Side
	Err  error
}

func (u *Unknown) Error() string { return fmt.Sprintf("%s account: %v", u.Side, u.Err) }

func (u *Unknown) Unwrap() error { return u.Err }

// OneAccount is a route of two accounts whose configurations both belong to one.
type OneAccount struct{ Route, Account string }

func (o *OneAccount) Error() string {
	return fmt.Sprintf("route %s joins two accounts, but both configurations belong to %s: within one account take the route same-account", o.Route, o.Account)
}

// Accounts are the IDs of the pipeline's and the site's account, the latter empty on the route same-account.
func (d *Deployment) Accounts() (pipeline, delivery string) {
	if s := d.sides[templates.Delivery]; s != nil {
		delivery = s.account
	}
	return d.sides[templates.Pipeline].account, delivery
}

// Sought says in words which stacks belong to the deployment: the name, the route, the accounts, the Regions.
func (d *Deployment) Sought() string {
	text := fmt.Sprintf("stacks of the name %s, of route %s or any other", d.options.Name, d.options.Route)
	word := ", in account "
	for _, name := range []templates.Side{templates.Pipeline, templates.Delivery} {
		if s := d.sides[name]; s != nil {
			text += fmt.Sprintf("%s%s (%s)", word, s.account, s.region)
			word = " and account "
		}
	}
	return text
}

// Run makes or changes all stacks, one after the other, and returns the outputs of all. Before the first it
// looks at what would make one fail: see [Unusable] and [Taken]. What is as it
// should be is left alone, so that a run that broke off goes on with the next.
func (d *Deployment) Run(ctx context.Context) (map[string]string, error) {
	steps, err := d.steps()
	if err != nil {
		return nil, err
	}
	if err := d.before(ctx, steps); err != nil {
		return nil, err
	}
	known := d.predicted()
	all := map[string]string{}
	for _, step := range steps {
		at := d.sides[step.Side]
		got, err := d.deploy(ctx, at, step, known)
		if err != nil {
			return all, fmt.Errorf("account %s: %w", at.account, err)
		}
		if step.Template == BucketTemplate {
			at.bucket = got["CodeBucket"]
			continue
		}
		maps.Copy(all, got)
		maps.Copy(known, got)
	}
	return all, nil
}

func (d *Deployment) stackName(template string) string { return d.options.Name + "-" + template }

func (d *Deployment) deploy(ctx context.Context, at *side, step templates.Step, known map[string]string) (map[string]string, error) {
	name := d.stackName(step.Template)
	st, err := d.settle(ctx, at, name)
	if err != nil {
		return nil, err
	}
	text, err := Template(step.Template)
	if err != nil {
		return nil, err
	}
	r := request{Stack: Stack{Name: name, Template: text}, tags: map[string]string{nameTag: d.options.Name}}
	if d.options.Version != "" {
		r.tags[versionTag] = d.options.Version
	}
	if err := d.fill(ctx, &r, at, step, st, known); err != nil {
		return nil, fmt.Errorf("stack %s: %w", name, err)
	}
	set, err := at.propose(ctx, r, st == nil)
	if err != nil {
		return nil, err
	}
	if set == nil {
		d.options.Say(fmt.Sprintf("%s %s: no changes", at.account, name))
		return outputs(st), nil
	}
	yes, err := d.options.Confirm(Proposal{Account: at.account, Stack: name, Create: set.create, Changes: set.changes})
	if err == nil && !yes {
		err = fmt.Errorf("stack %s: %w", name, ErrDeclined)
	}
	if err != nil {
		// Also after an interruption: nobody else would take back what was proposed.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawal)
		defer cancel()
		return nil, errors.Join(err, at.withdraw(ctx, set))
	}
	st, err = at.execute(ctx, set, d.show(at))
	if err != nil {
		return nil, err
	}
	return outputs(st), nil
}

func (d *Deployment) show(at *side) func(Event) {
	return func(e Event) { d.options.Event(at.account, e) }
}

// Foreign is a stack that has the name of one of ours and was not made by this package.
type Foreign struct{ Account, Stack string }

func (f *Foreign) Error() string {
	return fmt.Sprintf("stack %s was not made by unstale deploy (it has no tag %s), so it is left alone", f.Stack, nameTag)
}

// settle brings a stack into a state in which it can be changed, or made: it waits for what is under way
// and takes away what an earlier run could not finish. Nil: there is none.
func (d *Deployment) settle(ctx context.Context, at *side, name string) (*types.Stack, error) {
	for {
		st, err := at.look(ctx, name)
		if st == nil || err != nil {
			return nil, err
		}
		id := aws.ToString(st.StackId)
		switch st.StackStatus {
		case types.StackStatusReviewInProgress:
			return nil, d.clearReview(ctx, at, st)
		case types.StackStatusDeleteComplete:
			return nil, nil //nolint:nilnil // there is none
		}
		if tag(st, nameTag) != d.options.Name {
			return nil, &Foreign{at.account, name}
		}
		switch {
		case st.StackStatus == types.StackStatusCreateComplete, st.StackStatus == types.StackStatusUpdateComplete, st.StackStatus == types.StackStatusUpdateRollbackComplete:
			return st, d.clearChangeSets(ctx, at, id)
		case unfinished(st.StackStatus):
			d.options.Say(fmt.Sprintf("%s %s: it is %s from an earlier run, and is deleted first", at.account, name, st.StackStatus))
			return nil, at.remove(ctx, id, d.show(at))
		}
		if !busy(st.StackStatus) {
			return nil, fmt.Errorf("stack %s is %s, which a change set cannot mend: aws cloudformation continue-update-rollback --stack-name %s", name, st.StackStatus, name)
		}
		d.options.Say(fmt.Sprintf("%s %s: it is %s; waiting", at.account, name, st.StackStatus))
		after, err := at.lastEvent(ctx, id)
		if err != nil {
			return nil, err
		}
		if _, err := at.follow(ctx, id, after, d.show(at)); err != nil {
			return nil, err
		}
	}
}

// unfinished says whether a stack is one that an earlier run could neither make nor take away, so that it has
// to go before it can be made.
func unfinished(s types.StackStatus) bool {
	switch s {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed, types.StackStatusDeleteFailed:
		return true
	}
	return false
}

// goesFirst says whether settle will have taken a stack away before it is made anew, with what it was given.
func goesFirst(s types.StackStatus) bool {
	switch s {
	case types.StackStatusReviewInProgress, types.StackStatusRollbackInProgress, types.StackStatusDeleteInProgress, types.StackStatusDeleteComplete:
		return true
	}
	return unfinished(s)
}

// clearReview deletes a stack that has nothing but our own change sets.
func (d *Deployment) clearReview(ctx context.Context, at *side, st *types.Stack) error {
	name := aws.ToString(st.StackName)
	_, foreign, err := at.others(ctx, aws.ToString(st.StackId))
	if err != nil {
		return err
	}
	if len(foreign) > 0 {
		return &Foreign{at.account, name}
	}
	d.options.Say(fmt.Sprintf("%s %s: it has nothing but a change set of an earlier run, and is deleted first", at.account, name))
	return at.remove(ctx, aws.ToString(st.StackId), d.show(at))
}

// clearChangeSets deletes what earlier runs proposed and nobody decided.
func (d *Deployment) clearChangeSets(ctx context.Context, at *side, id string) error {
	own, _, err := at.others(ctx, id)
	if err != nil {
		return err
	}
	for _, name := range own {
		_, err := at.stacks.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{StackName: aws.String(id), ChangeSetName: aws.String(name)})
		if err != nil {
			return fmt.Errorf("delete the change set %s: %w", name, err)
		}
	}
	return nil
}

func tag(st *types.Stack, key string) string {
	for _, t := range st.Tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// checkNames refuses parameters that no template of the route has, or that are not the caller's to give.
func (d *Deployment) checkNames(steps []templates.Step) error {
	var known []string
	for _, s := range steps {
		text, err := Template(s.Template)
		if err != nil {
			return err
		}
		names, err := templates.Parameters(text)
		if err != nil {
			return err
		}
		known = append(known, names...)
	}
	known = slices.DeleteFunc(known, func(n string) bool { return slices.Contains([]string{"Name", "Route", "CodeBucket", "CodeKey"}, n) })
	slices.Sort(known)
	known = slices.Compact(known)
	for _, name := range slices.Sorted(maps.Keys(d.options.Parameters)) {
		if !slices.Contains(known, name) {
			return &UnknownParameter{name, d.options.Route, known}
		}
	}
	return nil
}

// UnknownParameter is a parameter that no template of the route takes from people.
type UnknownParameter struct {
	Name, Route string
	Known       []string
}

func (u *UnknownParameter) Error() string {
	return fmt.Sprintf("route %s has no parameter %q to give; %s", u.Route, u.Name,
		cmp.Or(nearest.Hint(u.Name, u.Known), "there are "+strings.Join(u.Known, ", ")))
}
