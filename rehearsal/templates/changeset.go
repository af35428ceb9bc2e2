package templates

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// inReview is the status of a stack that only has change sets.
const inReview = "REVIEW_IN_PROGRESS"

// noChanges is what the AWS CLI's deploy looks for in a failed change set's reason.
const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// ChangeSet is a revision that waits for its execution.
type ChangeSet struct {
	ID, Name, Description     string
	Status, Reason, Execution string
	Created                   time.Time
	Changes                   []Change
	next                      *revision
}

// Proposal is a request for a change set.
type Proposal struct {
	Input
	ChangeSet, Description string
	Create                 bool // of a stack that does not exist yet
}

var changeSetName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// Propose makes a change set; a stack that does not exist is opened for review. The changes are found in
// the background.
func (s *Service) Propose(_ context.Context, caller accounts.Caller, region string, in Proposal) (*Stack, ChangeSet, error) {
	if err := s.authorize(caller, "CreateChangeSet", stackARN(region, caller.Account, in.Name, "*")); err != nil {
		return nil, ChangeSet{}, err
	}
	if !changeSetName.MatchString(in.ChangeSet) {
		return nil, ChangeSet{}, invalid("1 validation error detected: Value '%s' at 'changeSetName' failed to satisfy constraint: %s", in.ChangeSet, changeSetName)
	}
	s.mu.Lock()
	var old *Stack
	if st := s.find(caller.Account, region, in.Name); st != nil && st.Status != "DELETE_COMPLETE" {
		found := st.snapshot()
		old = &found
	}
	s.mu.Unlock()
	if err := in.fits(old); err != nil {
		return nil, ChangeSet{}, err
	}
	next, err := s.prepare(caller.Account, region, old, in.Input)
	if err != nil {
		return nil, ChangeSet{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(caller.Account, region, in.Name)
	if old == nil {
		st = s.open(caller.Account, region, in.Name)
		// An event goes out without the lock. What was decided on under it stands from now on, not from when that is.
		e := s.record(st, st.Name, stackType, inReview, "User Initiated")
		s.start(func() { s.publish(e) })
	}
	next.pseudo["AWS::StackId"] = st.ID
	c := &ChangeSet{
		ID:   fmt.Sprintf("arn:aws:cloudformation:%s:%s:changeSet/%s/%s", region, caller.Account, in.ChangeSet, random.UUID()),
		Name: in.ChangeSet, Description: in.Description, Status: "CREATE_IN_PROGRESS", Execution: "UNAVAILABLE", Created: s.deps.Clock.Now(),
		next: next,
	}
	st.changeSets = append(st.changeSets, c)
	now := st.snapshot()
	s.start(func() { s.study(now, c) })
	return st, *c, nil
}

// fits says why a change set cannot be made of a stack as it is; nil: there is none.
func (in Proposal) fits(old *Stack) error {
	switch {
	case in.Create && old != nil && old.Status != inReview:
		return invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", in.Name, in.ChangeSet)
	case in.Create && old == nil:
		return nil
	case old == nil || !in.Create && old.Status == inReview:
		return invalid("Stack [%s] does not exist", in.Name)
	case slices.ContainsFunc(old.changeSets, func(c *ChangeSet) bool { return c.Name == in.ChangeSet }):
		return wire.Errorf(400, "AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attributes", in.ChangeSet)
	case in.Create:
		return nil
	}
	return old.updatable()
}

// study finds out what a change set would do.
func (s *Service) study(st Stack, c *ChangeSet) {
	changes, err := s.compare(st, c.next)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Status, c.Execution, c.Changes = "CREATE_COMPLETE", "AVAILABLE", changes
	switch {
	case err != nil:
		c.Status, c.Execution, c.Reason = "FAILED", "UNAVAILABLE", reason(err)
	case !differs(st, c.next, changes):
		c.Status, c.Execution, c.Reason, c.Changes = "FAILED", "UNAVAILABLE", noChanges, nil
	}
}

// changeSet finds a change set by its ARN, or by its name and its stack, and decides the action on it.
func (s *Service) changeSet(caller accounts.Caller, region, action, stack, name string) (*Stack, *ChangeSet, error) {
	s.mu.Lock()
	var st *Stack
	var found *ChangeSet
	for _, candidate := range s.stacks {
		if candidate.Account != caller.Account || candidate.Region != region || stack != "" && candidate.Name != stack && candidate.ID != stack {
			continue
		}
		for _, c := range candidate.changeSets {
			if c.ID == name || stack != "" && c.Name == name {
				st, found = candidate, c
			}
		}
	}
	s.mu.Unlock()
	arn := stackARN(region, caller.Account, "*", "*")
	switch {
	case st != nil:
		arn = st.ID
	case stack != "":
		arn = stackARN(region, caller.Account, stack, "*")
	}
	if err := s.authorize(caller, action, arn); err != nil {
		return nil, nil, err
	}
	if stack == "" && !strings.HasPrefix(name, "arn:") {
		return nil, nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	}
	if found == nil {
		return nil, nil, wire.Errorf(404, "ChangeSetNotFound", "ChangeSet [%s] does not exist", name)
	}
	return st, found, nil
}

// Execute carries a change set out in the background. Its decisions are made anew: what was added
// meanwhile by hand is not seen, as on AWS, but values are resolved as they are then.
func (s *Service) Execute(ctx context.Context, caller accounts.Caller, region, stack, name string, keepFailed bool) error {
	st, c, err := s.changeSet(caller, region, "ExecuteChangeSet", stack, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Execution != "AVAILABLE" {
		return wire.Errorf(400, "InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current execution status of [%s]", c.ID, c.Execution)
	}
	create := st.Status == inReview
	if !create {
		if err := st.updatable(); err != nil {
			return err
		}
		if keepFailed {
			return wire.NotEmulated("an update without a rollback (DisableRollback)")
		}
	}
	// The others compare with what will be no more. Source: User Guide, "Execute a change set".
	st.changeSets = []*ChangeSet{c}
	c.Execution = "EXECUTE_IN_PROGRESS"
	end := func(ok bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.Execution = "EXECUTE_FAILED"
		if ok {
			c.Execution = "EXECUTE_COMPLETE"
		}
	}
	if !create {
		s.startUpdate(ctx, caller, st, c.next, end)
		return nil
	}
	s.begin(st, c.next, "CREATE_IN_PROGRESS")
	s.start(func() {
		s.create(context.WithoutCancel(ctx), caller, st, c.next, keepFailed)
		s.mu.Lock()
		ok := st.Status == "CREATE_COMPLETE"
		s.mu.Unlock()
		end(ok)
	})
	return nil
}

// Withdraw deletes a change set. One that is not there, by its name, is no error; a stack in review stays
// until it is deleted.
func (s *Service) Withdraw(caller accounts.Caller, region, stack, name string) error {
	st, c, err := s.changeSet(caller, region, "DeleteChangeSet", stack, name)
	if err != nil {
		if wire.AsError(err).Code == "ChangeSetNotFound" && stack != "" {
			_, err = s.existing(caller, region, "DeleteChangeSet", stack)
		}
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Execution == "EXECUTE_IN_PROGRESS" || strings.HasSuffix(c.Status, "_IN_PROGRESS") {
		return wire.Errorf(400, "InvalidChangeSetStatus", "ChangeSet [%s] cannot be deleted in status %s", c.ID, c.Status)
	}
	st.changeSets = slices.DeleteFunc(st.changeSets, func(x *ChangeSet) bool { return x == c })
	return nil
}
