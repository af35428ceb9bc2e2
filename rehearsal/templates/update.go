package templates

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// update is a stack on its way to a revision. Nothing is deleted before all else was done, so that it can
// go back until then.
type update struct {
	*Service
	caller accounts.Caller
	st     *Stack
	next   *revision
	before *Template
	done   []step
}

// step is one resource that an update made or changed; old is what was there.
type step struct {
	id       string
	made     bool // added, or made to replace old
	replaces bool
	old      leftover
}

// Update changes a stack in the background. Source of statuses and order: CloudFormation User Guide,
// "Understand stack creation events", and API Reference, UpdateStack.
func (s *Service) Update(ctx context.Context, caller accounts.Caller, region string, in Input) (*Stack, error) {
	old, err := s.existing(caller, region, "UpdateStack", in.Name)
	if err != nil {
		return nil, err
	}
	next, err := s.prepare(caller.Account, region, &old, in)
	if err != nil {
		return nil, err
	}
	next.pseudo["AWS::StackId"] = old.ID
	changes, err := s.compare(old, next)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(caller.Account, region, in.Name)
	if err := st.updatable(); err != nil {
		return nil, err
	}
	if !differs(old, next, changes) {
		return nil, invalid("No updates are to be performed.")
	}
	st.changeSets = nil
	s.startUpdate(ctx, caller, st, next, func(bool) {})
	return st, nil
}

// updatable says why a stack cannot be changed now. The caller holds mu.
func (st *Stack) updatable() error {
	switch st.Status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE":
		return nil
	case "CREATE_FAILED", "UPDATE_ROLLBACK_FAILED":
		return wire.NotEmulated("changing a stack in the state %s", st.Status)
	}
	return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
}

// startUpdate changes a stack in the background and then tells end whether it is what was asked for. The
// caller holds mu.
func (s *Service) startUpdate(ctx context.Context, caller accounts.Caller, st *Stack, next *revision, end func(ok bool)) {
	st.Status = "UPDATE_IN_PROGRESS"
	next.made = map[string]Resource{}
	u := &update{Service: s, caller: caller, st: st, next: next, before: st.template}
	s.start(func() { end(u.run(context.WithoutCancel(ctx))) })
}

func (u *update) run(ctx context.Context) bool {
	u.tellStack(u.st, "UPDATE_IN_PROGRESS", "User Initiated")
	for _, id := range u.next.order {
		if err := u.apply(ctx, id); err != nil {
			u.back(ctx, id, err)
			return false
		}
	}
	outputs, err := u.next.outputs()
	if err != nil {
		u.back(ctx, "Outputs", err)
		return false
	}
	u.mu.Lock()
	st := u.st
	st.template, st.Parameters, st.Capabilities, st.Tags, st.Outputs = u.next.template, u.next.parameters, u.next.capabilities, u.next.tags, outputs
	u.mu.Unlock()
	u.tellStack(st, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
	u.clean(ctx)
	u.tellStack(st, "UPDATE_COMPLETE", "")
	return true
}

// apply makes, changes or replaces one resource, or leaves it as it is.
func (u *update) apply(ctx context.Context, id string) error {
	st, d := u.st, u.next.template.Resources[id]
	before, exists := st.properties[id]
	if !exists {
		u.done = append(u.done, step{id: id, made: true})
		if err := u.makeResource(ctx, u.caller, st, u.next.scope, id); err != nil {
			u.done = u.done[:len(u.done)-1]
			u.tell(st, id, d.Type, "CREATE_FAILED", reason(err))
			return err
		}
		return nil
	}
	old := leftover{st.made[id], before}
	v, err := u.next.value(id, d.Properties)
	if err != nil {
		u.tell(st, id, d.Type, "UPDATE_FAILED", reason(err))
		return err
	}
	after, _ := v.(map[string]any)
	names, t := changed(before, after), u.types[d.Type]
	switch {
	case len(names) == 0:
		u.next.made[id] = old.Resource
		return nil
	case slices.ContainsFunc(names, t.fixed):
		return u.replace(ctx, id, t, old, after)
	}
	u.done = append(u.done, step{id: id, old: old}) // a change that failed half way is taken back, too
	u.tell(st, id, d.Type, "UPDATE_IN_PROGRESS", "")
	made, err := t.Update(ctx, u.st.request(u.caller, id, after, u.next.tags), u.existingOf(old))
	if err != nil {
		u.tell(st, id, d.Type, "UPDATE_FAILED", reason(err))
		return err
	}
	u.set(id, leftover{made, after})
	u.tell(st, id, d.Type, "UPDATE_COMPLETE", "")
	return nil
}

// replace makes a resource anew; what it replaces goes at the end. Source of the refusal: CloudFormation
// User Guide, "Troubleshooting CloudFormation", custom-named resources.
func (u *update) replace(ctx context.Context, id string, t Type, old leftover, after map[string]any) error {
	u.tell(u.st, id, t.Name, "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence creating one.")
	made, err := Resource{}, error(nil)
	if name, named := after[t.Named]; named && t.Named != "" && name == old.Properties[t.Named] {
		err = invalid("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %v and update the stack again.", name)
	} else {
		made, err = t.Create(ctx, u.st.request(u.caller, id, after, u.next.tags))
	}
	if err != nil {
		u.tell(u.st, id, t.Name, "UPDATE_FAILED", reason(err))
		return err
	}
	u.done = append(u.done, step{id: id, made: true, replaces: true, old: old})
	u.set(id, leftover{made, after})
	u.tell(u.st, id, t.Name, "UPDATE_COMPLETE", "")
	return nil
}

func (u *update) existingOf(l leftover) Existing {
	return Existing{Caller: u.caller, Account: u.st.Account, Region: u.st.Region, Resource: l.Resource, Properties: l.Properties}
}

func (u *update) set(id string, l leftover) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.st.made[id], u.next.made[id], u.st.properties[id] = l.Resource, l.Resource, l.Properties
}

// clean deletes what was replaced and what the revision has no more. What cannot be deleted stays
// behind, and the update is complete all the same, as on AWS.
func (u *update) clean(ctx context.Context) {
	for _, s := range slices.Backward(u.done) {
		if d := u.next.template.Resources[s.id]; s.replaces {
			u.drop(ctx, s.id, d.Type, s.old, strings.HasPrefix(d.UpdateReplacePolicy, "Retain"))
		}
	}
	u.mu.Lock()
	order := slices.Clone(u.st.order)
	u.mu.Unlock()
	for _, id := range slices.Backward(order) {
		if slices.Contains(u.next.order, id) {
			continue
		}
		d := u.before.Resources[id]
		u.drop(ctx, id, d.Type, leftover{u.st.made[id], u.st.properties[id]}, strings.HasPrefix(d.DeletionPolicy, "Retain"))
		u.mu.Lock()
		u.st.forget(id)
		delete(u.st.made, id)
		u.mu.Unlock()
	}
	u.mu.Lock()
	u.st.order = slices.Clone(u.next.order)
	u.mu.Unlock()
}

func (u *update) drop(ctx context.Context, id, typeName string, l leftover, retain bool) {
	if retain {
		u.tell(u.st, id, typeName, "DELETE_SKIPPED", "")
		return
	}
	u.removeResource(ctx, u.caller, u.st, id, typeName, l)
}

// back undoes the steps in reverse order; id is the resource that could not be done.
func (u *update) back(ctx context.Context, id string, cause error) {
	st := u.st
	why := fmt.Sprintf("The following resource(s) failed to update: [%s]. ", id)
	if _, exists := st.properties[id]; !exists {
		why = fmt.Sprintf("The following resource(s) failed to create: [%s]. ", id)
	}
	if id == "Outputs" {
		why = reason(cause)
	}
	u.tellStack(st, "UPDATE_ROLLBACK_IN_PROGRESS", why)
	var failed []string
	var leave []step
	for _, s := range slices.Backward(u.done) {
		switch {
		case s.replaces:
			leave = append(leave, step{id: s.id, old: leftover{st.made[s.id], st.properties[s.id]}})
			u.set(s.id, s.old)
		case s.made:
			leave = append(leave, step{id: s.id, made: true, old: leftover{st.made[s.id], st.properties[s.id]}})
		default:
			if !u.restore(ctx, s) {
				failed = append(failed, s.id)
			}
		}
	}
	if len(failed) > 0 {
		u.tellStack(st, "UPDATE_ROLLBACK_FAILED", fmt.Sprintf("The following resource(s) failed to update: [%s]. ", strings.Join(failed, ", ")))
		return
	}
	u.tellStack(st, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	for _, s := range leave {
		d := u.next.template.Resources[s.id]
		u.drop(ctx, s.id, d.Type, s.old, d.DeletionPolicy == "Retain")
		if s.made {
			u.mu.Lock()
			st.forget(s.id)
			delete(st.made, s.id)
			u.mu.Unlock()
		}
	}
	u.tellStack(st, "UPDATE_ROLLBACK_COMPLETE", "")
}

// restore gives a resource its former properties.
func (u *update) restore(ctx context.Context, s step) bool {
	d := u.before.Resources[s.id]
	u.tell(u.st, s.id, d.Type, "UPDATE_IN_PROGRESS", "")
	now := leftover{u.st.made[s.id], u.st.properties[s.id]}
	made, err := u.types[d.Type].Update(ctx, u.st.request(u.caller, s.id, s.old.Properties, u.st.Tags), u.existingOf(now))
	if err != nil {
		u.tell(u.st, s.id, d.Type, "UPDATE_FAILED", reason(err))
		return false
	}
	u.set(s.id, leftover{made, s.old.Properties})
	u.tell(u.st, s.id, d.Type, "UPDATE_COMPLETE", "")
	return true
}

// keep fills in what a request takes over from the stack as it is.
func (in *Input) keep(old *Stack) error {
	if in.PreviousTemplate {
		if old == nil || old.template == nil {
			return invalid("Template must be specified: the stack %s has none yet", in.Name)
		}
		in.Template = []byte(old.template.Text)
	}
	if len(in.Previous) > 0 {
		in.Parameters = maps.Clone(in.Parameters)
	}
	for _, name := range in.Previous {
		if old == nil || !has(old.Parameters, name) {
			return invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name)
		}
		in.Parameters[name] = old.Parameters[name]
	}
	return nil
}

func has(m map[string]string, name string) bool {
	_, ok := m[name]
	return ok
}
