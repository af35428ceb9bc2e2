package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/templates"
)

// Removal is what taking a route away comes to, in the order in which it is done.
type Removal struct {
	Stacks  []Doomed
	Left    []Leftover
	Callers []Caller // of what goes
	Missing []Item   // was named, and is not found; it has no physical ID
}

// Doomed is a stack that is to go.
type Doomed struct {
	Account, Stack string
	Goes           []Item // with the stack
	Stays          []Item // after it, because the template retains it and nobody named it

	at         *side
	step       templates.Step
	status     types.StackStatus
	id         string
	body       string
	parameters map[string]string
}

// Item is a resource of a stack.
type Item struct {
	LogicalID, PhysicalID, Type string
	Name                        string // what people call it: a repository's physical ID is a number
	Objects                     int    // in a bucket, with former versions
	retained                    bool
}

// among says whether a list names the item.
func (i Item) among(names []string) bool {
	return slices.Contains(names, i.LogicalID) || slices.Contains(names, i.PhysicalID) || slices.Contains(names, i.Name)
}

const (
	bucketType     = "AWS::S3::Bucket"
	repositoryType = "AWS::CodeCommit::Repository"
	// KeyType is the type of items that CloudFormation does not delete at once: it schedules keys for
	// deletion, 30 days ahead unless the template says otherwise (User Guide, AWS::KMS::Key).
	KeyType = "AWS::KMS::Key"
)

// NotRetained is a name in a list of what to delete that no stack keeps.
type NotRetained struct {
	Name string
	Kept []string // what could be named
}

func (n *NotRetained) Error() string {
	if len(n.Kept) == 0 {
		return fmt.Sprintf("nothing that is kept has the name %s; the stacks keep nothing", n.Name)
	}
	return fmt.Sprintf("nothing that is kept has the name %s; kept are %s", n.Name, strings.Join(n.Kept, ", "))
}

// TwoAccounts is a stack that a route of two accounts made, while only one account was given: the other's
// stacks would stay unnoticed.
type TwoAccounts struct{ Account, Stack string }

func (t *TwoAccounts) Error() string {
	return fmt.Sprintf("account %s: stack %s was made by a route of two accounts, and what that made in the other account would stay", t.Account, t.Stack)
}

// Destroy removes every stack of the name from the accounts, whichever route made it, with or without a
// pipeline, in reverse order once Remove agrees. Buckets that go are emptied first. What
// templates retain, because people's content is in it, goes only if also names it, by logical or physical ID
// or by name; whether its stack is still there or went before.
func (d *Deployment) Destroy(ctx context.Context, also []string) (Removal, error) {
	r, err := d.inventory(ctx, also)
	if err != nil || len(r.Stacks) == 0 && !slices.ContainsFunc(r.Left, func(l Leftover) bool { return l.Goes }) {
		return r, err
	}
	r.Callers = d.callers(ctx, r)
	yes, err := d.options.Remove(r)
	if err != nil {
		return r, err
	}
	if !yes {
		return r, ErrDeclined
	}
	for _, s := range r.Stacks {
		if err := d.destroy(ctx, s); err != nil {
			return r, fmt.Errorf("account %s: %w", s.Account, err)
		}
	}
	for _, l := range r.Left {
		if !l.Goes {
			continue
		}
		if err := d.erase(ctx, l); err != nil {
			return r, fmt.Errorf("account %s: %w", l.Account, err)
		}
	}
	return r, nil
}

// inventory looks at everything, and changes nothing but stacks that were never made.
func (d *Deployment) inventory(ctx context.Context, also []string) (Removal, error) {
	steps, err := d.backwards()
	if err != nil {
		return Removal{}, err
	}
	asked, err := d.steps()
	if err != nil {
		return Removal{}, err
	}
	var r Removal
	var gone []templates.Step
	kinds := map[string]string{} // what could be named, by logical ID
	for _, step := range steps {
		at, name := d.sides[step.Side], d.stackName(step.Template)
		mine := slices.ContainsFunc(asked, func(s templates.Step) bool { return s.Template == step.Template && s.Side == step.Side })
		text, err := Template(step.Template)
		if err != nil {
			return Removal{}, err
		}
		retained, err := retains(text)
		if err != nil {
			return Removal{}, err
		}
		s, err := d.doomed(ctx, at, name, also)
		var foreign *Foreign
		if errors.As(err, &foreign) && !mine {
			continue // somebody's, under a name that is not asked for
		}
		if err != nil {
			return Removal{}, fmt.Errorf("account %s: %w", at.account, err)
		}
		if s != nil && d.sides[templates.Delivery] == nil && !ofRoute(d.options.Route, step.Template) {
			return Removal{}, &TwoAccounts{at.account, name}
		}
		if s != nil || mine { // what is gone may be named again by a run that goes on where another broke off
			maps.Copy(kinds, retained)
		}
		if s == nil {
			gone = append(gone, step)
			continue
		}
		s.step = step
		r.Stacks = append(r.Stacks, *s)
	}
	var others []*NotOurs
	if r.Left, others, err = d.leftovers(ctx, gone, r.Stacks, also); err != nil {
		return Removal{}, err
	}
	for _, l := range r.Left {
		kinds[l.LogicalID] = l.Type
	}
	if err := r.heed(also, kinds, others); err != nil {
		return Removal{}, err
	}
	return r, nil
}

// retains lists what a template retains: types by logical ID.
func retains(body []byte) (map[string]string, error) {
	all, err := resources(body)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for id, r := range all {
		if strings.HasPrefix(r.DeletionPolicy, "Retain") {
			out[id] = r.Type
		}
	}
	return out, nil
}

// doomed describes a stack; nil when there is none. What is under way is waited for.
func (d *Deployment) doomed(ctx context.Context, at *side, name string, also []string) (*Doomed, error) {
	var st *types.Stack
	for {
		var err error
		st, err = at.look(ctx, name)
		if st == nil || err != nil || st.StackStatus == types.StackStatusDeleteComplete {
			return nil, err
		}
		if st.StackStatus == types.StackStatusReviewInProgress {
			return nil, d.clearReview(ctx, at, st)
		}
		if tag(st, nameTag) != d.options.Name {
			return nil, &Foreign{at.account, name}
		}
		if !busy(st.StackStatus) {
			break
		}
		d.options.Say(fmt.Sprintf("%s %s: it is %s; waiting", at.account, name, st.StackStatus))
		if _, err := at.follow(ctx, aws.ToString(st.StackId), "", func(Event) {}); err != nil {
			return nil, err
		}
	}
	s := &Doomed{Account: at.account, Stack: name, at: at, status: st.StackStatus, id: aws.ToString(st.StackId), parameters: parametersOf(st)}
	template, err := at.stacks.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: st.StackId, TemplateStage: types.TemplateStageOriginal})
	if err != nil {
		return nil, fmt.Errorf("read the template of stack %s: %w", name, err)
	}
	s.body = aws.ToString(template.TemplateBody)
	return s, d.list(ctx, s, also)
}

// list sorts a stack's resources into those that go and those that stay.
func (d *Deployment) list(ctx context.Context, s *Doomed, also []string) error {
	declared, err := resources([]byte(s.body))
	if err != nil {
		return fmt.Errorf("stack %s: %w", s.Stack, err)
	}
	out, err := s.at.stacks.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: aws.String(s.id)})
	if err != nil {
		return fmt.Errorf("list the resources of stack %s: %w", s.Stack, err)
	}
	for _, r := range out.StackResources {
		if r.ResourceStatus == types.ResourceStatusDeleteComplete || aws.ToString(r.PhysicalResourceId) == "" {
			continue
		}
		i := Item{LogicalID: aws.ToString(r.LogicalResourceId), PhysicalID: aws.ToString(r.PhysicalResourceId), Type: aws.ToString(r.ResourceType)}
		i.Name = i.PhysicalID
		switch i.Type {
		case bucketType:
			if i.Objects, err = s.at.count(ctx, i.PhysicalID); err != nil {
				return err
			}
		case repositoryType:
			i.Name = cmp.Or(d.called(s.at, declared[i.LogicalID]), i.Name)
		}
		i.retained = strings.HasPrefix(declared[i.LogicalID].DeletionPolicy, "Retain")
		if i.retained && !i.among(also) {
			s.Stays = append(s.Stays, i)
		} else {
			s.Goes = append(s.Goes, i)
		}
	}
	return nil
}

// destroy empties the buckets that go and deletes the stack.
func (d *Deployment) destroy(ctx context.Context, s Doomed) error {
	if slices.ContainsFunc(s.Goes, func(i Item) bool { return i.retained }) {
		if err := d.release(ctx, s); err != nil {
			return err
		}
	}
	for _, i := range s.Goes {
		if i.Type != bucketType {
			continue
		}
		if i.Objects > 0 {
			d.options.Say(fmt.Sprintf("%s %s: empty bucket %s (%s)", s.Account, s.Stack, i.PhysicalID, plural.Of(i.Objects, "object")))
		}
		if err := s.at.empty(ctx, i.PhysicalID); err != nil { // also of what came since it was counted
			return err
		}
	}
	return s.at.remove(ctx, s.id, d.show(s.at))
}

// release lets the stack delete what its template would retain. CloudFormation takes a changed
// DeletionPolicy only together with something else (User Guide, DeletionPolicy), so an output says it.
func (d *Deployment) release(ctx context.Context, s Doomed) error {
	switch s.status {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateRollbackComplete:
	default:
		return fmt.Errorf("stack %s is %s: nothing that it retains can be released from it: take it away without that, and that afterwards", s.Stack, s.status)
	}
	var t map[string]any
	if err := json.Unmarshal([]byte(s.body), &t); err != nil {
		return fmt.Errorf("read the template of stack %s: %w", s.Stack, err)
	}
	resources, _ := t["Resources"].(map[string]any)
	var released []string
	for _, i := range s.Goes {
		if r, ok := resources[i.LogicalID].(map[string]any); ok && i.retained {
			r["DeletionPolicy"] = "Delete"
			released = append(released, i.LogicalID)
		}
	}
	outputs, _ := t["Outputs"].(map[string]any)
	outputs = maps.Clone(outputs)
	if outputs == nil {
		outputs = map[string]any{}
	}
	outputs["Released"] = map[string]any{"Description": "What is deleted with this stack though it was to be retained", "Value": strings.Join(released, ",")}
	t["Outputs"] = outputs
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("change the template of stack %s: %w", s.Stack, err)
	}
	parameters, err := readParameters(body)
	if err != nil {
		return err
	}
	st, err := s.at.look(ctx, s.id)
	if err != nil || st == nil {
		return errors.Join(err, fmt.Errorf("stack %s went away meanwhile", s.Stack))
	}
	r := request{Stack: Stack{Name: s.Stack, Template: body}, previous: slices.Sorted(maps.Keys(parameters)), tags: map[string]string{}}
	for _, t := range st.Tags {
		r.tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	set, err := s.at.propose(ctx, r, false)
	if err != nil || set == nil { // nil: an earlier run released it
		return err
	}
	d.options.Say(fmt.Sprintf("%s %s: release %s", s.Account, s.Stack, strings.Join(released, ", ")))
	_, err = s.at.execute(ctx, set, d.show(s.at))
	return err
}
