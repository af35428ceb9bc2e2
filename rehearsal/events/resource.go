package events

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const ruleType = "AWS::Events::Rule"

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

type ruleProperties struct {
	Name, Description, State string
	EventPattern             map[string]any
	Targets                  []targetProperties
}

type targetProperties struct {
	ID      string `json:"Id"`
	ARN     string `json:"Arn"`
	RoleARN string `json:"RoleArn"`
}

// ResourceTypes is AWS::Events::Rule.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{{
		Name: ruleType, Attributes: []string{"Arn"}, Fixed: []string{"Name"}, Named: "Name",
		Create: func(_ context.Context, r templates.Request) (templates.Resource, error) { return s.put(r) },
		Update: func(_ context.Context, r templates.Request, _ templates.Existing) (templates.Resource, error) {
			return s.put(r)
		},
		Delete: func(_ context.Context, e templates.Existing) error {
			return s.remove(e.Caller, e.Resource.Attributes["Arn"])
		},
	}}
}

// put makes or replaces a rule with the caller's permissions: PutRule, PutTargets and, for each
// target's role, PassRole.
func (s *Service) put(r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[ruleProperties](ruleType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	rule, err := newRule(r, p)
	if err != nil {
		return templates.Resource{}, err
	}
	for _, action := range []string{"events:PutRule", "events:PutTargets"} {
		if err := s.Directory.Authorize(accounts.Check{Caller: r.Caller, Action: action, Resource: rule.ARN}); err != nil {
			return templates.Resource{}, err
		}
	}
	for _, t := range rule.Targets {
		if err := s.Directory.PassRole(r.Caller, t.RoleARN, Principal, "ValidationException"); err != nil {
			return templates.Resource{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules[rule.ARN] = rule
	return templates.Resource{Ref: rule.Name, Attributes: map[string]string{"Arn": rule.ARN}}, nil
}

func newRule(r templates.Request, p ruleProperties) (Rule, error) {
	rule := Rule{
		Name: cmp.Or(p.Name, r.Stack+"-"+r.LogicalID), Description: p.Description, Account: r.Account, Region: r.Region,
		Disabled: p.State == "DISABLED",
	}
	rule.ARN = fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", r.Region, r.Account, rule.Name)
	switch {
	case !ruleName.MatchString(rule.Name):
		return rule, invalid("the rule's name %q is not 1 to 64 characters of [.-_A-Za-z0-9]", rule.Name)
	case p.State != "" && p.State != "ENABLED" && p.State != "DISABLED":
		return rule, wire.NotEmulated("a rule in the state %q", p.State)
	case len(p.Targets) > 5: // EventBridge quotas: five targets a rule (H)
		return rule, invalid("the rule %s has %d targets, five are allowed", rule.Name, len(p.Targets))
	}
	raw, err := json.Marshal(p.EventPattern)
	if err != nil {
		return rule, invalid("read the event pattern: %v", err)
	}
	if rule.Pattern, err = ParsePattern(raw); err != nil {
		return rule, err
	}
	for _, t := range p.Targets {
		if !strings.HasPrefix(t.ARN, "arn:aws:codepipeline:") {
			return rule, wire.NotEmulated("a rule target other than a pipeline (%s)", t.ARN)
		}
		if t.RoleARN == "" {
			return rule, invalid("RoleArn is required for target %s.", t.ARN)
		}
		rule.Targets = append(rule.Targets, Target(t))
	}
	return rule, nil
}

func (s *Service) remove(caller accounts.Caller, arn string) error {
	for _, action := range []string{"events:RemoveTargets", "events:DeleteRule"} {
		if err := s.Directory.Authorize(accounts.Check{Caller: caller, Action: action, Resource: arn}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rules, arn)
	return nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "ValidationException", format, args...)
}
