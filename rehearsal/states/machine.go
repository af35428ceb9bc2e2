package states

import (
	"cmp"
	"context"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// machine is a state machine. Its role and definition change under the service's lock; an execution
// keeps those it began with.
type machine struct {
	name, arn, account, region string
	role                       string
	text                       string // of the definition, as given
	definition                 *definition
	created                    time.Time
	revision                   string
}

// Machine is what to make or how to change it. An empty Role or Definition stays as it is.
type Machine struct {
	Name       string
	Type       string // STANDARD, which is the default
	Role       string // ARN
	Definition string
}

// Create makes a state machine in the caller's account. The same request again answers the same
// machine (H: API Reference, CreateStateMachine).
func (s *Service) Create(ctx context.Context, c accounts.Caller, region string, in Machine) (arn string, created time.Time, err error) {
	arn = machineARN(region, c.Account, in.Name)
	if err := s.authorize(c, "CreateStateMachine", arn); err != nil {
		return "", created, err
	}
	if err := checkName(in.Name); err != nil {
		return "", created, err
	}
	if t := cmp.Or(in.Type, "STANDARD"); t != "STANDARD" {
		return "", created, wire.NotEmulated("state machines of the type %s", t)
	}
	m := &machine{name: in.Name, arn: arn, account: c.Account, region: region, created: s.Clock.Now().Truncate(time.Millisecond)}
	if err := s.fit(ctx, c, m, in); err != nil {
		return "", created, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.machines[arn]; old != nil {
		if old.role == m.role && old.text == m.text {
			return arn, old.created, nil
		}
		return "", created, wire.Errorf(400, "StateMachineAlreadyExists", "State Machine Already Exists: '%s'", arn)
	}
	s.machines[arn] = m
	return arn, m.created, nil
}

// fit gives m the role and the definition, if the caller may and they are good.
func (s *Service) fit(ctx context.Context, c accounts.Caller, m *machine, in Machine) error {
	if in.Role != "" {
		if !roleARN.MatchString(in.Role) {
			return wire.Errorf(400, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", in.Role)
		}
		if err := s.Directory.PassRole(c, in.Role, Principal, "AccessDeniedException"); err != nil {
			return err
		}
		// Step Functions tries the role when it is given one (M: the text is known from many issues).
		if _, err := s.assumeMachineRole(ctx, m, in.Role); err != nil {
			return err
		}
		m.role = in.Role
	}
	if in.Definition != "" {
		d, err := parse(in.Definition)
		if err != nil {
			return err
		}
		m.text, m.definition = in.Definition, d
	}
	m.revision = random.UUID()
	if m.role == "" || m.definition == nil {
		return wire.Errorf(400, "ValidationException", "a state machine needs a role and a definition")
	}
	return nil
}

// Update changes a machine's role, definition or both. Executions under way go on as they began.
func (s *Service) Update(ctx context.Context, c accounts.Caller, arn string, in Machine) (revision string, err error) {
	old, err := s.machine(c, "UpdateStateMachine", arn)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	m := *old
	s.mu.Unlock()
	if err := s.fit(ctx, c, &m, in); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old.role, old.text, old.definition, old.revision = m.role, m.text, m.definition, m.revision
	return m.revision, nil
}

// Delete removes a machine. AWS stops its executions first, in its own time; here they stop at once.
// One that is gone is no error (H: DeleteStateMachine does not know that one).
func (s *Service) Delete(c accounts.Caller, arn string) error {
	if err := checkARN(arn, machineKind); err != nil {
		return err
	}
	if err := s.authorize(c, "DeleteStateMachine", arn); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.machines, arn)
	for _, e := range s.order {
		if e.Machine == arn && e.Status == Running {
			e.cancel(errStopped)
		}
	}
	return nil
}

// machine finds one, once the action on it is allowed.
func (s *Service) machine(c accounts.Caller, action, arn string) (*machine, error) {
	if err := checkARN(arn, machineKind); err != nil {
		return nil, err
	}
	if err := s.authorize(c, action, arn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.machines[arn]; m != nil {
		return m, nil
	}
	return nil, noMachine(arn)
}

func noMachine(arn string) error {
	return wire.Errorf(400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn)
}
