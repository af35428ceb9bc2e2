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
	Tags                      map[string]string
	Outputs                   map[string]string
	Events                    []Event   // oldest first
	template                  *Template // nil while the stack is in review
	order                     []string  // logical IDs in the order they were made
	made                      map[string]Resource
	properties                map[string]map[string]any
	changeSets                []*ChangeSet
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
	Name             string
	Template         []byte
	PreviousTemplate bool // the stack's own, in place of Template
	Parameters       map[string]string
	Previous         []string // parameters that keep their value
	Capabilities     []string
	Tags             map[string]string
	KeepFailed       bool // DisableRollback
}

// Create checks everything that can be checked before, then makes the stack in the background.
func (s *Service) Create(ctx context.Context, caller accounts.Caller, region string, in Input) (*Stack, error) {
	if err := s.authorize(caller, "CreateStack", stackARN(region, caller.Account, in.Name, "*")); err != nil {
		return nil, err
	}
	next, err := s.prepare(caller.Account, region, nil, in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.find(caller.Account, region, in.Name); old != nil && old.Status != "DELETE_COMPLETE" {
		return nil, wire.Errorf(400, "AlreadyExistsException", "Stack [%s] already exists", in.Name)
	}
	st := s.open(caller.Account, region, in.Name)
	// Set here and not by the work: who asks right after the answer must already see it.
	s.begin(st, next, "CREATE_IN_PROGRESS")
	s.start(func() { s.create(context.WithoutCancel(ctx), caller, st, next, in.KeepFailed) })
	return st, nil
}

// open makes a stack that has nothing yet. The caller holds mu.
func (s *Service) open(account, region, name string) *Stack {
	st := &Stack{
		ID: stackARN(region, account, name, random.UUID()), Name: name, Account: account, Region: region, Created: s.deps.Clock.Now(),
		Outputs: map[string]string{}, made: map[string]Resource{}, properties: map[string]map[string]any{},
	}
	s.stacks[account+"/"+region+"/"+name] = st
	return st
}

// begin makes a stack what a request asks for, but for its resources. The caller holds mu.
func (s *Service) begin(st *Stack, next *revision, status string) {
	st.Status, st.template, st.Parameters, st.Capabilities, st.Tags = status, next.template, next.parameters, next.capabilities, next.tags
	next.pseudo["AWS::StackId"] = st.ID
	next.made = st.made
}

// revision is a template with everything decided that can be before resources are made.
type revision struct {
	*scope
	order        []string // logical IDs, each after what it depends on
	capabilities []string
}

// prepare loads, binds, checks, decides the conditions and the order. old is the stack to change, or nil.
func (s *Service) prepare(account, region string, old *Stack, in Input) (*revision, error) {
	if !stackName.MatchString(in.Name) {
		return nil, invalid("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: %s", in.Name, stackName)
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := in.keep(old); err != nil {
		return nil, err
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
	next := &revision{capabilities: in.Capabilities, scope: &scope{
		template: t, parameters: parameters, made: map[string]Resource{}, tags: in.Tags,
		pseudo: map[string]string{
			"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": in.Name,
		},
	}}
	if err := next.decideConditions(); err != nil {
		return nil, err
	}
	next.order, err = next.scope.order()
	return next, err
}

// start runs work in the background while the clock counts as busy.
func (s *Service) start(work func()) {
	s.group.Add(1)
	done := s.deps.Clock.Busy()
	go func() {
		defer s.group.Done()
		defer done()
		work()
	}()
}

func (s *Service) create(ctx context.Context, caller accounts.Caller, st *Stack, next *revision, keepFailed bool) {
	s.tellStack(st, "CREATE_IN_PROGRESS", "User Initiated")
	for _, id := range next.order {
		if err := s.makeResource(ctx, caller, st, next.scope, id); err != nil {
			s.tell(st, id, next.template.Resources[id].Type, "CREATE_FAILED", reason(err))
			s.fail(ctx, caller, st, id, keepFailed)
			return
		}
	}
	outputs, err := next.outputs()
	if err != nil {
		s.tellStack(st, "CREATE_FAILED", reason(err))
		s.fail(ctx, caller, st, "Outputs", keepFailed)
		return
	}
	s.mu.Lock()
	st.Outputs = outputs
	s.mu.Unlock()
	s.tellStack(st, "CREATE_COMPLETE", "")
}

func (s *Service) makeResource(ctx context.Context, caller accounts.Caller, st *Stack, sc *scope, id string) error {
	d := sc.template.Resources[id]
	s.tell(st, id, d.Type, "CREATE_IN_PROGRESS", "")
	v, err := sc.value(id, d.Properties)
	if err != nil {
		return err
	}
	properties, _ := v.(map[string]any)
	made, err := s.types[d.Type].Create(ctx, st.request(caller, id, properties, sc.tags))
	if err != nil {
		return err
	}
	s.mu.Lock()
	sc.made[id], st.made[id] = made, made
	st.properties[id] = properties
	st.order = append(st.order, id)
	s.mu.Unlock()
	s.tell(st, id, d.Type, "CREATE_COMPLETE", "")
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
	out.made, out.properties = maps.Clone(st.made), maps.Clone(st.properties)
	out.changeSets = slices.Clone(st.changeSets)
	return out
}

const stackType = "AWS::CloudFormation::Stack"

// tellStack records a change of the stack's own status.
func (s *Service) tellStack(st *Stack, status, why string) {
	s.tell(st, st.Name, stackType, status, why)
}

// tell records an event in the stack and shows it to the journal's observers.
func (s *Service) tell(st *Stack, id, typeName, status, why string) {
	s.mu.Lock()
	e := s.record(st, id, typeName, status, why)
	s.mu.Unlock()
	s.publish(e)
}

// record notes an event in the stack; the lock is held.
func (s *Service) record(st *Stack, id, typeName, status, why string) Event {
	e := Event{
		Time: s.deps.Clock.Now(), Account: st.Account, Stack: st.Name, StackID: st.ID, ID: random.UUID(), LogicalID: id, Type: typeName, Status: status, Reason: why,
	}
	if typeName == stackType {
		st.Status, st.Reason, st.Updated = status, why, e.Time
		e.PhysicalID = st.ID
	} else {
		e.PhysicalID = st.made[id].Ref
	}
	st.Events = append(st.Events, e)
	return e
}

func (s *Service) publish(e Event) {
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

// capabilities demands what AWS demands of templates that make IAM roles.
func (t *Template) capabilities(given []string) error {
	need := t.capability()
	if need == "" || slices.Contains(given, need) || slices.Contains(given, "CAPABILITY_NAMED_IAM") {
		return nil
	}
	return wire.Errorf(400, "InsufficientCapabilitiesException", "Requires capabilities : [%s]", need)
}

// capability is what whoever deploys a template has to acknowledge, or empty. Source: CloudFormation User
// Guide, "Acknowledging IAM resources in CloudFormation templates".
func (t *Template) capability() string {
	need := ""
	for _, d := range t.Resources {
		if !strings.HasPrefix(d.Type, "AWS::IAM::") {
			continue
		}
		_, named := d.Properties["RoleName"]
		if d.Type == "AWS::IAM::Role" && named {
			return "CAPABILITY_NAMED_IAM"
		}
		need = "CAPABILITY_IAM"
	}
	return need
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
