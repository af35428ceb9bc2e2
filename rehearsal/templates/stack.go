package templates

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// pseudoNames are the pseudo parameters known. Source: CloudFormation User Guide, "Pseudo parameters".
var pseudoNames = map[string]bool{
	"AWS::AccountId": true, "AWS::Region": true, "AWS::Partition": true, "AWS::StackName": true, "AWS::StackId": true,
	"AWS::URLSuffix": true, "AWS::NoValue": true,
}

// Service is CloudFormation for all accounts. Make it with New, then Register.
type Service struct {
	deps  Deps
	types map[string]Type

	mu     sync.Mutex
	stacks map[string]*Stack // by account/region/name; a deleted one is replaced by its successor
	group  sync.WaitGroup
}

// Deps is what the service works with.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Journal   *journal.Journal
}

// Stack is one stack as its owner sees it.
type Stack struct {
	ID, Name, Account, Region string
	Status, Reason            string
	Created, Updated          time.Time
	Parameters                map[string]string
	Capabilities              []string
	Outputs                   map[string]string
	Events                    []Event // oldest first
	template                  *Template
	order                     []string // logical IDs in the order they were made
	made                      map[string]Resource
	properties                map[string]map[string]any
	caller                    accounts.Caller
}

// Event is a change of state of a stack or of one of its resources; it is also the Data of the
// journal's "StackEvent".
type Event struct {
	Time                        time.Time
	Account, Stack, StackID, ID string
	LogicalID, PhysicalID, Type string
	Status, Reason              string
}

// New makes the service; it knows no resource types until Register.
func New(d Deps) *Service {
	return &Service{deps: d, types: map[string]Type{}, stacks: map[string]*Stack{}}
}

// Register offers resource types to templates. Call it before anything is deployed.
func (s *Service) Register(types ...Type) {
	for _, t := range types {
		s.types[t.Name] = t
	}
}

// Wait returns when no stack is being worked on.
func (s *Service) Wait() { s.group.Wait() }

// Input is a request to make or change a stack.
type Input struct {
	Name         string
	Template     []byte
	Parameters   map[string]string
	Capabilities []string
	KeepFailed   bool // DisableRollback
}

// Create checks everything that can be checked before, then makes the stack in the background.
func (s *Service) Create(ctx context.Context, caller accounts.Caller, region string, in Input) (*Stack, error) {
	if err := s.authorize(caller, "CreateStack", stackARN(region, caller.Account, in.Name, "*")); err != nil {
		return nil, err
	}
	sc, err := s.prepare(caller.Account, region, in)
	if err != nil {
		return nil, err
	}
	order, err := sc.order()
	if err != nil {
		return nil, err
	}
	key := caller.Account + "/" + region + "/" + in.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.stacks[key]; old != nil && old.Status != "DELETE_COMPLETE" {
		return nil, wire.Errorf(400, "AlreadyExistsException", "Stack [%s] already exists", in.Name)
	}
	st := &Stack{
		ID: stackARN(region, caller.Account, in.Name, random.UUID()), Name: in.Name, Account: caller.Account, Region: region,
		// Set here and not by the work: who asks right after the answer must already see it.
		Status:  "CREATE_IN_PROGRESS",
		Created: s.deps.Clock.Now(), Parameters: sc.parameters, Capabilities: in.Capabilities, Outputs: map[string]string{},
		template: sc.template, made: sc.made, properties: map[string]map[string]any{}, caller: caller,
	}
	sc.pseudo["AWS::StackId"] = st.ID
	s.stacks[key] = st
	s.start(st, func() { s.create(context.WithoutCancel(ctx), st, sc, order, in.KeepFailed) })
	return st, nil
}

// prepare loads, binds, checks and decides the conditions.
func (s *Service) prepare(account, region string, in Input) (*scope, error) {
	if !stackName.MatchString(in.Name) {
		return nil, invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: %s", in.Name, stackName)
	}
	t, err := Load(in.Template)
	if err != nil {
		return nil, err
	}
	if err := t.check(s.types); err != nil {
		return nil, err
	}
	if err := t.capabilities(in.Capabilities); err != nil {
		return nil, err
	}
	parameters, err := t.bind(in.Parameters)
	if err != nil {
		return nil, err
	}
	sc := &scope{
		template: t, parameters: parameters, made: map[string]Resource{},
		pseudo: map[string]string{
			"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": in.Name,
		},
	}
	return sc, sc.decideConditions()
}

// start runs work on a stack in the background while the clock counts as busy. The caller holds mu.
func (s *Service) start(st *Stack, work func()) {
	s.group.Add(1)
	done := s.deps.Clock.Busy()
	go func() {
		defer s.group.Done()
		defer done()
		work()
	}()
}

func (s *Service) create(ctx context.Context, st *Stack, sc *scope, order []string, keepFailed bool) {
	s.tell(st, st.Name, "AWS::CloudFormation::Stack", "CREATE_IN_PROGRESS", "User Initiated")
	for _, id := range order {
		if err := s.makeResource(ctx, st, sc, id); err != nil {
			s.tell(st, id, sc.template.Resources[id].Type, "CREATE_FAILED", reason(err))
			s.fail(ctx, st, id, keepFailed)
			return
		}
	}
	outputs, err := sc.outputs()
	if err != nil {
		s.tell(st, st.Name, "AWS::CloudFormation::Stack", "CREATE_FAILED", reason(err))
		s.fail(ctx, st, "Outputs", keepFailed)
		return
	}
	s.mu.Lock()
	st.Outputs = outputs
	s.mu.Unlock()
	s.tell(st, st.Name, "AWS::CloudFormation::Stack", "CREATE_COMPLETE", "")
}

func (s *Service) makeResource(ctx context.Context, st *Stack, sc *scope, id string) error {
	d := sc.template.Resources[id]
	s.tell(st, id, d.Type, "CREATE_IN_PROGRESS", "")
	v, err := sc.value(id, d.Properties)
	if err != nil {
		return err
	}
	properties, _ := v.(map[string]any)
	made, err := s.types[d.Type].Create(ctx, Request{
		Caller: st.caller, Account: st.Account, Region: st.Region, Stack: st.Name, LogicalID: id, Properties: properties,
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	sc.made[id] = made
	st.properties[id] = properties
	st.order = append(st.order, id)
	s.mu.Unlock()
	s.tell(st, id, d.Type, "CREATE_COMPLETE", "")
	return nil
}

// fail ends a creation: everything made is removed again, unless the owner wants to look at it.
func (s *Service) fail(ctx context.Context, st *Stack, id string, keep bool) {
	why := fmt.Sprintf("The following resource(s) failed to create: [%s]. ", id)
	if keep {
		s.tell(st, st.Name, "AWS::CloudFormation::Stack", "CREATE_FAILED", why)
		return
	}
	s.tell(st, st.Name, "AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS", why+"Rollback requested by user.")
	status := "ROLLBACK_COMPLETE"
	if !s.remove(ctx, st, st.caller, func(d Declaration) bool { return d.DeletionPolicy == "Retain" }) {
		status = "ROLLBACK_FAILED"
	}
	s.tell(st, st.Name, "AWS::CloudFormation::Stack", status, "")
}

// remove deletes the stack's resources in reverse order, but those to keep. It reports whether all went.
func (s *Service) remove(ctx context.Context, st *Stack, caller accounts.Caller, keep func(Declaration) bool) bool {
	s.mu.Lock()
	order := slices.Clone(st.order)
	s.mu.Unlock()
	all := true
	for _, id := range slices.Backward(order) {
		d := st.template.Resources[id]
		if keep(d) {
			s.tell(st, id, d.Type, "DELETE_SKIPPED", "")
			continue
		}
		s.tell(st, id, d.Type, "DELETE_IN_PROGRESS", "")
		err := s.types[d.Type].Delete(ctx, Existing{
			Caller: caller, Account: st.Account, Region: st.Region, Resource: st.made[id], Properties: st.properties[id],
		})
		if err != nil {
			all = false
			s.tell(st, id, d.Type, "DELETE_FAILED", reason(err))
			continue
		}
		s.mu.Lock()
		st.order = slices.DeleteFunc(st.order, func(x string) bool { return x == id })
		s.mu.Unlock()
		s.tell(st, id, d.Type, "DELETE_COMPLETE", "")
	}
	return all
}

// Delete removes a stack in the background. A stack that does not exist is no error, as on AWS.
func (s *Service) Delete(ctx context.Context, caller accounts.Caller, region, name string) error {
	if err := s.authorize(caller, "DeleteStack", stackARN(region, caller.Account, name, "*")); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.find(caller.Account, region, name)
	if st == nil || st.Status == "DELETE_COMPLETE" {
		return nil
	}
	if strings.HasSuffix(st.Status, "_IN_PROGRESS") {
		return invalid("Stack [%s] cannot be deleted while in status %s", name, st.Status)
	}
	st.Status = "DELETE_IN_PROGRESS"
	s.start(st, func() {
		ctx := context.WithoutCancel(ctx)
		s.tell(st, st.Name, "AWS::CloudFormation::Stack", "DELETE_IN_PROGRESS", "User Initiated")
		status := "DELETE_COMPLETE"
		if !s.remove(ctx, st, caller, func(d Declaration) bool { return strings.HasPrefix(d.DeletionPolicy, "Retain") }) {
			status = "DELETE_FAILED"
		}
		s.tell(st, st.Name, "AWS::CloudFormation::Stack", status, "")
	})
	return nil
}

// find looks a stack up by name or ID. The caller holds mu.
func (s *Service) find(account, region, name string) *Stack {
	for _, st := range s.stacks {
		if st.Account == account && st.Region == region && (st.Name == name || st.ID == name) {
			return st
		}
	}
	return nil
}

// snapshot is a copy of what may change, for reading without the lock. The caller holds mu.
func (st *Stack) snapshot() Stack {
	out := *st
	out.Events = slices.Clone(st.Events)
	out.Outputs = maps.Clone(st.Outputs)
	out.order = slices.Clone(st.order)
	out.made = maps.Clone(st.made)
	return out
}

// tell records an event in the stack and shows it to the journal's observers.
func (s *Service) tell(st *Stack, id, typeName, status, why string) {
	e := Event{
		Time: s.deps.Clock.Now(), Account: st.Account, Stack: st.Name, StackID: st.ID, ID: random.UUID(), LogicalID: id, Type: typeName, Status: status, Reason: why,
	}
	s.mu.Lock()
	if typeName == "AWS::CloudFormation::Stack" {
		st.Status, st.Reason, st.Updated = status, why, e.Time
		e.PhysicalID = st.ID
	} else {
		e.PhysicalID = st.made[id].Ref
	}
	st.Events = append(st.Events, e)
	s.mu.Unlock()
	s.deps.Journal.Tell(journal.Event{Time: e.Time, Source: "cloudformation", Name: "StackEvent", Data: e})
}

func (s *Service) authorize(caller accounts.Caller, action, resource string) error {
	return s.deps.Directory.Authorize(accounts.Check{Caller: caller, Action: "cloudformation:" + action, Resource: resource})
}

// outputs resolves the outputs whose condition holds.
func (s *scope) outputs() (map[string]string, error) {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.template.Outputs)) {
		o := s.template.Outputs[name]
		if !s.wanted(o.Condition) {
			continue
		}
		v, err := s.value("Outputs."+name, o.Value)
		if err != nil {
			return nil, err
		}
		if out[name], err = asText("Outputs."+name, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// capabilities demands what AWS demands of templates that make IAM roles. Source: CloudFormation
// User Guide, "Acknowledging IAM resources in CloudFormation templates".
func (t *Template) capabilities(given []string) error {
	need := ""
	for _, d := range t.Resources {
		if !strings.HasPrefix(d.Type, "AWS::IAM::") {
			continue
		}
		_, named := d.Properties["RoleName"]
		if d.Type == "AWS::IAM::Role" && named {
			need = "CAPABILITY_NAMED_IAM"
			break
		}
		need = "CAPABILITY_IAM"
	}
	if need == "" || slices.Contains(given, need) || slices.Contains(given, "CAPABILITY_NAMED_IAM") {
		return nil
	}
	return wire.Errorf(400, "InsufficientCapabilitiesException", "Requires capabilities : [%s]", need)
}

func reason(err error) string {
	e := wire.AsError(err)
	text := fmt.Sprintf("%s (Error Code: %s)", e.Message, e.Code)
	if e.Cause != "" {
		text += " " + e.Cause
	}
	return text
}

func stackARN(region, account, name, id string) string {
	return fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", region, account, name, id)
}
