package templates

import (
	"maps"
	"net/http"
	"slices"

	"github.com/unstale/unstale/rehearsal/front"
)

// xmlDeclared is a declared parameter as ValidateTemplate and GetTemplateSummary show it.
type xmlDeclared struct {
	ParameterKey  string
	DefaultValue  *string `xml:",omitempty"`
	ParameterType string  `xml:",omitempty"`
	NoEcho        bool
	Description   string   `xml:",omitempty"`
	AllowedValues []string `xml:"ParameterConstraints>AllowedValues>member,omitempty"`
}

func (t *Template) declarations(summary bool) []xmlDeclared {
	var out []xmlDeclared
	for _, k := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[k]
		x := xmlDeclared{ParameterKey: k, DefaultValue: p.Default, Description: p.Description, NoEcho: bool(p.NoEcho)}
		if summary {
			x.ParameterType, x.AllowedValues = p.Type, p.AllowedValues
		}
		out = append(out, x)
	}
	return out
}

func (s *Service) serveValidate(r *http.Request, call front.Call) (any, error) {
	if err := s.authorize(call.Caller, "ValidateTemplate", "*"); err != nil {
		return nil, err
	}
	t, err := Load([]byte(r.Form.Get("TemplateBody")))
	if err != nil {
		return nil, err
	}
	if err := t.check(s.types); err != nil {
		return nil, err
	}
	return struct {
		Parameters  []xmlDeclared `xml:"Parameters>member"`
		Description string
	}{t.declarations(false), t.Description}, nil
}

// serveSummary describes a template, given or of a stack, without deploying it.
func (s *Service) serveSummary(r *http.Request, call front.Call) (any, error) {
	name, body := r.Form.Get("StackName"), r.Form.Get("TemplateBody")
	if (name == "") == (body == "") {
		return nil, invalid("You must specify only one of the following parameters: StackName, TemplateBody, TemplateURL")
	}
	var t *Template
	if name != "" {
		st, err := s.existing(call.Caller, call.Region, "GetTemplateSummary", name)
		if err != nil {
			return nil, err
		}
		t = st.template
	} else {
		if err := s.authorize(call.Caller, "GetTemplateSummary", "*"); err != nil {
			return nil, err
		}
		var err error
		if t, err = Load([]byte(body)); err != nil {
			return nil, err
		}
	}
	if t == nil {
		return nil, invalid("Stack with id %s has no template yet: it is in review", name)
	}
	out := struct {
		Parameters    []xmlDeclared `xml:"Parameters>member"`
		Description   string        `xml:",omitempty"`
		Capabilities  []string      `xml:"Capabilities>member"`
		ResourceTypes []string      `xml:"ResourceTypes>member"`
	}{Parameters: t.declarations(true), Description: t.Description}
	if need := t.capability(); need != "" {
		out.Capabilities = []string{need}
	}
	types := map[string]bool{}
	for _, d := range t.Resources {
		types[d.Type] = true
	}
	out.ResourceTypes = slices.Sorted(maps.Keys(types))
	return out, nil
}
