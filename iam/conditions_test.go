package iam

import (
	"fmt"
	"strings"
	"testing"
)

// conditionCase is one entry of testdata/conditions-*.json: whether a Condition is met by a request
// of those keys. Each is run twice: on an Allow, where the request must be allowed exactly if it is
// met, and on a Deny beside a broad Allow, where it must be denied exactly if it is met.
type conditionCase struct {
	Name      string
	Source    string
	Version   string // of the policy language; the later one where empty
	Condition Conditions
	Context   map[string][]string
	Met       bool
	Denies    *bool // whether it is met on a Deny, where that differs
}

func (c conditionCase) decide(effect Effect) Decision {
	version := c.Version
	if version == "" {
		version = Version2012
	}
	statements := []Statement{{Effect: effect, Action: []string{"*"}, Resource: []string{"*"}, Condition: c.Condition}}
	if effect == Deny {
		statements = append(statements, Statement{Effect: Allow, Action: []string{"*"}, Resource: []string{"*"}})
	}
	return Decide(Request{
		Principal: Principal{
			ARN: "arn:aws:sts::111111111111:assumed-role/unstale-job/i-1", Account: "111111111111",
			RoleARN: "arn:aws:iam::111111111111:role/unstale-job", UniqueID: "AROAJOB0000000000001A",
		},
		Action: "s3:ListBucket", Resource: "arn:aws:s3:::site-a", ResourceAccount: "111111111111", Context: c.Context,
	}, Policies{Identity: []Policy{{Name: "p", Document: Document{Version: version, Statements: statements}}}})
}

func TestConditions(t *testing.T) {
	for topic, cases := range readCases[conditionCase](t, "conditions-*.json") {
		for _, c := range cases {
			t.Run(topic+"/"+c.Name, func(t *testing.T) {
				if c.Source == "" {
					t.Error("it has no source")
				}
				if got := c.decide(Allow); got.Allowed != c.Met {
					t.Errorf("on an Allow: met is %t, want %t: %s", got.Allowed, c.Met, got.Reason)
				}
				denies := c.Met
				if c.Denies != nil {
					denies = *c.Denies
				}
				if got := c.decide(Deny); got.Explicit != denies || got.Allowed == denies {
					t.Errorf("on a Deny: met is %t, want %t: %s", got.Explicit, denies, got.Reason)
				}
			})
		}
	}
}

// awsOperators is the list of reference_policies_elements_condition_operators.
func awsOperators() []string {
	return []string{
		"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
		"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
		"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "Null",
	}
}

// TestConditionCasesAreComplete keeps the cases from going stale: every operator, bare, with
// IfExists and with either set qualifier, must be seen both met and unmet, and with its key missing.
func TestConditionCasesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, cases := range readCases[conditionCase](t, "conditions-*.json") {
		for _, c := range cases {
			for operator, keys := range c.Condition {
				for key := range keys {
					if _, present := c.Context[key]; !present {
						seen[operator+" missing"] = true
					}
				}
				if len(c.Condition) == 1 {
					seen[fmt.Sprintf("%s %t", operator, c.Met)] = true
				}
			}
		}
	}
	for _, base := range awsOperators() {
		forms := []string{base, base + "IfExists", "ForAllValues:" + base, "ForAnyValue:" + base}
		if base == "Null" {
			forms = forms[:1]
		}
		for _, form := range forms {
			if _, err := parseTest(form); err != nil {
				t.Errorf("%s: %v", form, err)
			}
			for _, outcome := range []string{"true", "false", "missing"} {
				if !seen[form+" "+outcome] {
					t.Errorf("no case has %s with outcome %s", form, outcome)
				}
			}
		}
	}
}

func TestUnknownOperators(t *testing.T) {
	for _, name := range []string{
		"", "Equals", "stringEquals", "StringEqual", "NumericLike", "DateLike", "NullIfExists", "ForAllValues:Null",
		"ForSomeValues:StringEquals", "StringEqualsIfExistsIfExists", "ForAnyValue:ForAllValues:StringEquals", "ArnNotLikes",
	} {
		if _, err := parseTest(name); err == nil || !strings.Contains(err.Error(), "operator") {
			t.Errorf("%q: got %v, want an error that names the operator", name, err)
		}
		// A document built by hand may hold one all the same: it must widen nothing.
		c := conditionCase{Condition: Conditions{name: {"aws:userid": {"x"}}}}
		if c.decide(Allow).Allowed {
			t.Errorf("%q: an Allow with an unknown operator allowed", name)
		}
		if c.decide(Deny).Allowed {
			t.Errorf("%q: a Deny with an unknown operator did not deny", name)
		}
	}
}

func TestReasonNamesTheConditionThatFailed(t *testing.T) {
	c := conditionCase{
		Condition: Conditions{"StringEquals": {"sts:ExternalId": {"a", "b"}}},
		Context:   map[string][]string{"sts:ExternalId": {"c"}},
	}
	want := `its Condition is not met: StringEquals wants sts:ExternalId "a" or "b", the request has "c"`
	if got := c.decide(Allow).Reason; !strings.Contains(got, want) {
		t.Errorf("reason %q lacks %q", got, want)
	}
}
