package templates

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// readInput reads what all requests that bring a template have in common.
func readInput(form url.Values) (Input, error) {
	in := Input{
		Name: form.Get("StackName"), Template: []byte(form.Get("TemplateBody")), PreviousTemplate: form.Get("UsePreviousTemplate") == "true",
		Parameters: map[string]string{}, Tags: map[string]string{},
	}
	if len(in.Template) == 0 && !in.PreviousTemplate {
		return Input{}, wire.NotEmulated("a stack without TemplateBody")
	}
	for i := 1; form.Has("Parameters.member." + strconv.Itoa(i) + ".ParameterKey"); i++ {
		p := "Parameters.member." + strconv.Itoa(i)
		for name := range form {
			if strings.HasPrefix(name, p+".") && !slices.Contains([]string{".ParameterKey", ".ParameterValue", ".UsePreviousValue"}, name[len(p):]) {
				return Input{}, wire.NotEmulated("%s of cloudformation:CreateStack", name)
			}
		}
		key := form.Get(p + ".ParameterKey")
		if form.Get(p+".UsePreviousValue") != "true" {
			in.Parameters[key] = form.Get(p + ".ParameterValue")
			continue
		}
		if form.Has(p + ".ParameterValue") {
			return Input{}, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true and non empty value for a parameter", key)
		}
		in.Previous = append(in.Previous, key)
	}
	for i := 1; form.Has("Capabilities.member." + strconv.Itoa(i)); i++ {
		in.Capabilities = append(in.Capabilities, form.Get("Capabilities.member."+strconv.Itoa(i)))
	}
	for i := 1; form.Has("Tags.member." + strconv.Itoa(i) + ".Key"); i++ {
		t := "Tags.member." + strconv.Itoa(i)
		in.Tags[form.Get(t+".Key")] = form.Get(t + ".Value")
	}
	return in, nil
}

// readFailure reads what is to become of a stack that could not be made.
func readFailure(form url.Values, in *Input) error {
	switch failure := form.Get("OnFailure"); failure {
	case "", "ROLLBACK":
	case "DO_NOTHING":
		in.KeepFailed = true
	default:
		return wire.NotEmulated("OnFailure %s", failure)
	}
	in.KeepFailed = in.KeepFailed || form.Get("DisableRollback") == "true"
	return nil
}

func (s *Service) serveUpdate(r *http.Request, call front.Call) (any, error) {
	in, err := readInput(r.Form)
	if err != nil {
		return nil, err
	}
	st, err := s.Update(r.Context(), call.Caller, call.Region, in)
	if err != nil {
		return nil, err
	}
	return struct {
		StackID string `xml:"StackId"`
	}{st.ID}, nil
}

func (s *Service) servePropose(r *http.Request, call front.Call) (any, error) {
	in, err := readInput(r.Form)
	if err != nil {
		return nil, err
	}
	p := Proposal{Input: in, ChangeSet: r.Form.Get("ChangeSetName"), Description: r.Form.Get("Description")}
	switch kind := r.Form.Get("ChangeSetType"); kind {
	case "", "UPDATE":
	case "CREATE":
		p.Create = true
	default:
		return nil, wire.NotEmulated("a change set of type %s", kind)
	}
	st, c, err := s.Propose(r.Context(), call.Caller, call.Region, p)
	if err != nil {
		return nil, err
	}
	return struct {
		ID      string `xml:"Id"`
		StackID string `xml:"StackId"`
	}{c.ID, st.ID}, nil
}

type xmlTarget struct {
	Attribute          string
	Name               string `xml:",omitempty"`
	RequiresRecreation string
}

type xmlDetail struct {
	Target     xmlTarget
	Evaluation string
}

type xmlResourceChange struct {
	Action             string
	PolicyAction       string      `xml:",omitempty"`
	LogicalResourceID  string      `xml:"LogicalResourceId"`
	PhysicalResourceID string      `xml:"PhysicalResourceId,omitempty"`
	ResourceType       string      //
	Replacement        string      `xml:",omitempty"`
	Scope              []string    `xml:"Scope>member"`
	Details            []xmlDetail `xml:"Details>member"`
}

type xmlChange struct {
	Type           string
	ResourceChange xmlResourceChange
}

func newXMLChange(c Change) xmlChange {
	out := xmlResourceChange{
		Action: c.Action, PolicyAction: c.Policy, LogicalResourceID: c.LogicalID, PhysicalResourceID: c.PhysicalID,
		ResourceType: c.Type, Replacement: c.Replacement, Scope: c.Scope,
	}
	for _, d := range c.Details {
		evaluation := "Static"
		if d.Dynamic {
			evaluation = "Dynamic"
		}
		out.Details = append(out.Details, xmlDetail{xmlTarget{d.Attribute, d.Name, d.Recreation}, evaluation})
	}
	return xmlChange{"Resource", out}
}

// xmlSummary is what lists and descriptions of change sets have in common.
type xmlSummary struct {
	ChangeSetID     string `xml:"ChangeSetId"`
	ChangeSetName   string
	StackID         string `xml:"StackId"`
	StackName       string
	Description     string `xml:",omitempty"`
	CreationTime    string
	Status          string
	StatusReason    string `xml:",omitempty"`
	ExecutionStatus string
}

func newXMLSummary(st *Stack, c *ChangeSet) xmlSummary {
	return xmlSummary{c.ID, c.Name, st.ID, st.Name, c.Description, stamp(c.Created), c.Status, c.Reason, c.Execution}
}

func (s *Service) serveChangeSet(r *http.Request, call front.Call) (any, error) {
	st, c, err := s.changeSet(call.Caller, call.Region, "DescribeChangeSet", r.Form.Get("StackName"), r.Form.Get("ChangeSetName"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := struct {
		xmlSummary
		Parameters   []xmlParameter `xml:"Parameters>member"`
		Capabilities []string       `xml:"Capabilities>member"`
		Tags         []xmlTag       `xml:"Tags>member"`
		Changes      []xmlChange    `xml:"Changes>member"`
	}{
		xmlSummary: newXMLSummary(st, c), Parameters: newXMLParameters(c.next.template, c.next.parameters),
		Capabilities: c.next.capabilities, Tags: newXMLTags(c.next.tags),
	}
	for _, change := range c.Changes {
		out.Changes = append(out.Changes, newXMLChange(change))
	}
	return out, nil
}

func (s *Service) serveExecute(r *http.Request, call front.Call) (any, error) {
	return struct{}{}, s.Execute(r.Context(), call.Caller, call.Region, r.Form.Get("StackName"), r.Form.Get("ChangeSetName"), r.Form.Get("DisableRollback") == "true")
}

func (s *Service) serveWithdraw(r *http.Request, call front.Call) (any, error) {
	return struct{}{}, s.Withdraw(call.Caller, call.Region, r.Form.Get("StackName"), r.Form.Get("ChangeSetName"))
}

func (s *Service) serveChangeSets(r *http.Request, call front.Call) (any, error) {
	st, err := s.existing(call.Caller, call.Region, "ListChangeSets", r.Form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out struct {
		Summaries []xmlSummary `xml:"Summaries>member"`
	}
	for _, c := range st.changeSets {
		out.Summaries = append(out.Summaries, newXMLSummary(&st, c))
	}
	return out, nil
}
