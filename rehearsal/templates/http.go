package templates

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what CloudFormation clients sign with.
const SigningName = "cloudformation"

const namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// operations are what is served: the parameters each takes (numbered members by their first part)
// and what answers it.
var operations = map[string]struct {
	parameters []string
	serve      func(*Service, *http.Request, front.Call) (any, error)
}{
	"CreateStack": {
		[]string{"StackName", "TemplateBody", "Parameters", "Capabilities", "Tags", "DisableRollback", "OnFailure"},
		(*Service).serveCreate,
	},
	"UpdateStack": {
		[]string{"StackName", "TemplateBody", "UsePreviousTemplate", "Parameters", "Capabilities", "Tags"},
		(*Service).serveUpdate,
	},
	"CreateChangeSet": {
		[]string{"StackName", "ChangeSetName", "ChangeSetType", "Description", "TemplateBody", "UsePreviousTemplate", "Parameters", "Capabilities", "Tags"},
		(*Service).servePropose,
	},
	"DescribeChangeSet":      {[]string{"StackName", "ChangeSetName"}, (*Service).serveChangeSet},
	"ExecuteChangeSet":       {[]string{"StackName", "ChangeSetName", "DisableRollback"}, (*Service).serveExecute},
	"DeleteChangeSet":        {[]string{"StackName", "ChangeSetName"}, (*Service).serveWithdraw},
	"ListChangeSets":         {[]string{"StackName"}, (*Service).serveChangeSets},
	"DeleteStack":            {[]string{"StackName"}, (*Service).serveDelete},
	"DescribeStacks":         {[]string{"StackName"}, (*Service).serveDescribe},
	"DescribeStackEvents":    {[]string{"StackName"}, (*Service).serveEvents},
	"DescribeStackResources": {[]string{"StackName"}, (*Service).serveResources},
	"GetTemplate":            {[]string{"StackName", "TemplateStage"}, (*Service).serveTemplate},
	"ValidateTemplate":       {[]string{"TemplateBody"}, (*Service).serveValidate},
	"GetTemplateSummary":     {[]string{"StackName", "TemplateBody"}, (*Service).serveSummary},
}

// ServeHTTP speaks the query protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	out, action, err := s.route(r, call)
	if err != nil {
		wire.WriteXMLError(w, call.RequestID, err)
		return
	}
	wire.WriteQuery(w, call.RequestID, namespace, action, out)
}

func (s *Service) route(r *http.Request, call front.Call) (any, string, error) {
	if err := r.ParseForm(); err != nil {
		return nil, "", wire.Errorf(400, "MalformedInput", "read the form: %v", err)
	}
	action := r.Form.Get("Action")
	op, ok := operations[action]
	if !ok {
		return nil, action, wire.NotEmulated("cloudformation:%s", action)
	}
	for name := range r.Form {
		base, _, _ := strings.Cut(name, ".")
		if base != "Action" && base != "Version" && !slices.Contains(op.parameters, base) {
			return nil, action, wire.NotEmulated("the parameter %s of cloudformation:%s", name, action)
		}
	}
	out, err := op.serve(s, r, call)
	return out, action, err
}

func (s *Service) serveCreate(r *http.Request, call front.Call) (any, error) {
	in, err := readInput(r.Form)
	if err == nil {
		err = readFailure(r.Form, &in)
	}
	if err != nil {
		return nil, err
	}
	st, err := s.Create(r.Context(), call.Caller, call.Region, in)
	if err != nil {
		return nil, err
	}
	return struct {
		StackID string `xml:"StackId"`
	}{st.ID}, nil
}

func (s *Service) serveDelete(r *http.Request, call front.Call) (any, error) {
	return nil, s.Delete(r.Context(), call.Caller, call.Region, r.Form.Get("StackName"))
}

// existing finds the stack a request names and decides the action on it.
func (s *Service) existing(caller accounts.Caller, region, action, name string) (Stack, error) {
	s.mu.Lock()
	st := s.find(caller.Account, region, name)
	var found Stack
	if st != nil {
		found = st.snapshot()
	}
	s.mu.Unlock()
	arn := stackARN(region, caller.Account, name, "*")
	if st != nil {
		arn = st.ID
	}
	if err := s.authorize(caller, action, arn); err != nil {
		return Stack{}, err
	}
	if st == nil || found.Status == "DELETE_COMPLETE" && name != found.ID {
		return Stack{}, invalid("Stack with id %s does not exist", name)
	}
	return found, nil
}

type xmlParameter struct {
	ParameterKey, ParameterValue string
}

type xmlOutput struct {
	OutputKey, OutputValue string
	Description            string `xml:",omitempty"`
}

type xmlStack struct {
	StackName         string
	StackID           string `xml:"StackId"`
	Description       string `xml:",omitempty"`
	CreationTime      string
	LastUpdatedTime   string `xml:",omitempty"`
	StackStatus       string
	StackStatusReason string         `xml:",omitempty"`
	DisableRollback   bool           `xml:"DisableRollback"`
	Parameters        []xmlParameter `xml:"Parameters>member"`
	Capabilities      []string       `xml:"Capabilities>member"`
	Tags              []xmlTag       `xml:"Tags>member"`
	Outputs           []xmlOutput    `xml:"Outputs>member"`
}

type xmlTag struct{ Key, Value string }

func (s *Service) serveDescribe(r *http.Request, call front.Call) (any, error) {
	var stacks []Stack
	if name := r.Form.Get("StackName"); name != "" {
		st, err := s.existing(call.Caller, call.Region, "DescribeStacks", name)
		if err != nil {
			return nil, err
		}
		stacks = append(stacks, st)
	} else {
		if err := s.authorize(call.Caller, "DescribeStacks", "*"); err != nil {
			return nil, err
		}
		stacks = s.all(call.Caller.Account, call.Region)
	}
	var out struct {
		Stacks []xmlStack `xml:"Stacks>member"`
	}
	for _, st := range stacks {
		out.Stacks = append(out.Stacks, newXMLStack(st))
	}
	return out, nil
}

// all lists the stacks of an account that exist, by name.
func (s *Service) all(account, region string) []Stack {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Stack
	for _, key := range slices.Sorted(maps.Keys(s.stacks)) {
		if st := s.stacks[key]; st.Account == account && st.Region == region && st.Status != "DELETE_COMPLETE" {
			out = append(out, st.snapshot())
		}
	}
	return out
}

func newXMLStack(st Stack) xmlStack {
	x := xmlStack{
		StackName: st.Name, StackID: st.ID, CreationTime: stamp(st.Created),
		StackStatus: st.Status, StackStatusReason: st.Reason, Capabilities: st.Capabilities, Tags: newXMLTags(st.Tags),
	}
	if st.template == nil { // in review
		return x
	}
	x.Description, x.Parameters = st.template.Description, newXMLParameters(st.template, st.Parameters)
	for _, k := range slices.Sorted(maps.Keys(st.Outputs)) {
		x.Outputs = append(x.Outputs, xmlOutput{k, st.Outputs[k], st.template.Outputs[k].Description})
	}
	return x
}

func newXMLTags(tags map[string]string) []xmlTag {
	var out []xmlTag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, xmlTag{k, tags[k]})
	}
	return out
}

func newXMLParameters(t *Template, values map[string]string) []xmlParameter {
	var out []xmlParameter
	for _, k := range slices.Sorted(maps.Keys(values)) {
		v := values[k]
		if t.Parameters[k].NoEcho {
			v = "****"
		}
		out = append(out, xmlParameter{k, v})
	}
	return out
}

func (s *Service) serveEvents(r *http.Request, call front.Call) (any, error) {
	st, err := s.existing(call.Caller, call.Region, "DescribeStackEvents", r.Form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	type event struct {
		StackID              string `xml:"StackId"`
		EventID              string `xml:"EventId"`
		StackName            string
		LogicalResourceID    string `xml:"LogicalResourceId"`
		PhysicalResourceID   string `xml:"PhysicalResourceId"`
		ResourceType         string
		Timestamp            string
		ResourceStatus       string
		ResourceStatusReason string `xml:",omitempty"`
	}
	var out struct {
		Events []event `xml:"StackEvents>member"`
	}
	for _, e := range slices.Backward(st.Events) {
		out.Events = append(out.Events, event{e.StackID, e.ID, e.Stack, e.LogicalID, e.PhysicalID, e.Type, stamp(e.Time), e.Status, e.Reason})
	}
	return out, nil
}

func (s *Service) serveResources(r *http.Request, call front.Call) (any, error) {
	st, err := s.existing(call.Caller, call.Region, "DescribeStackResources", r.Form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	type resource struct {
		StackName          string
		StackID            string `xml:"StackId"`
		LogicalResourceID  string `xml:"LogicalResourceId"`
		PhysicalResourceID string `xml:"PhysicalResourceId"`
		ResourceType       string
		Timestamp          string
		ResourceStatus     string
	}
	latest := map[string]Event{}
	for _, e := range st.Events {
		latest[e.LogicalID] = e
	}
	var out struct {
		Resources []resource `xml:"StackResources>member"`
	}
	for _, id := range slices.Sorted(maps.Keys(st.made)) {
		e := latest[id]
		out.Resources = append(out.Resources, resource{st.Name, st.ID, id, st.made[id].Ref, e.Type, stamp(e.Time), e.Status})
	}
	return out, nil
}

func (s *Service) serveTemplate(r *http.Request, call front.Call) (any, error) {
	st, err := s.existing(call.Caller, call.Region, "GetTemplate", r.Form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	if st.template == nil {
		return nil, invalid("Stack with id %s has no template yet: it is in review", st.Name)
	}
	return struct {
		TemplateBody    string
		StagesAvailable []string `xml:"StagesAvailable>member"`
	}{st.template.Text, []string{"Original"}}, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
