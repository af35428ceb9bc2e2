package infra

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestStatementRenders(t *testing.T) {
	for _, c := range []struct {
		name string
		in   statement
		want string
	}{
		{
			"identity",
			statement{sid: "S", actions: []string{"a:B"}, resources: []string{"*"}},
			`{"Action":"a:B","Effect":"Allow","Resource":"*","Sid":"S"}`,
		},
		{
			"several",
			statement{sid: "S", actions: []string{"a:B", "a:A"}, resources: []string{"r", "q"}},
			`{"Action":["a:B","a:A"],"Effect":"Allow","Resource":["r","q"],"Sid":"S"}`,
		},
		{
			"trust",
			statement{sid: "S", principal: service("x.amazonaws.com"), actions: []string{"sts:AssumeRole"}},
			`{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Sid":"S"}`,
		},
		{
			"denial",
			statement{sid: "S", deny: true, principal: anyone, actions: []string{"a:*"}, resources: []string{"r"}},
			`{"Action":"a:*","Effect":"Deny","Principal":"*","Resource":"r","Sid":"S"}`,
		},
		{
			"condition",
			statement{sid: "S", actions: []string{"a:B"}, resources: []string{"r"}, when: onlyRole("arn")},
			`{"Action":"a:B","Condition":{"ArnEquals":{"aws:PrincipalArn":"arn"}},"Effect":"Allow","Resource":"r","Sid":"S"}`,
		},
	} {
		got, err := json.Marshal(c.in.render())
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, error %v; want %s", c.name, got, err, c.want)
		}
	}
}

// policy is one document in a template.
type policy struct {
	template, logicalID, property string
	resourceType                  string
	statements                    []policyStatement
}

type policyStatement struct {
	Sid, Effect string
	Principal   any
	Action      any
	Resource    any
	Condition   map[string]map[string]any
}

func (p policy) String() string { return p.template + " " + p.logicalID + " " + p.property }

// kind tells trust and resource policies from identity policies.
func (p policy) identity() bool {
	return p.property == "PolicyDocument" && strings.HasPrefix(p.resourceType, "AWS::IAM::")
}

func policies(t *testing.T) []policy {
	t.Helper()
	var all []policy
	for _, name := range templateNames {
		for id, res := range load(t, name).Resources {
			collectPolicies(t, res.Properties, func(property string, statements []policyStatement) {
				all = append(all, policy{name, id, property, res.Type, statements})
			})
		}
	}
	if len(all) < 60 {
		t.Fatalf("only %d policies found", len(all))
	}
	return all
}

func collectPolicies(t *testing.T, value any, add func(string, []policyStatement)) {
	t.Helper()
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			collectPolicies(t, item, add)
		}
	case map[string]any:
		for key, item := range value {
			if document, ok := item.(map[string]any); ok && document["Statement"] != nil {
				add(key, decodeStatements(t, document))
				continue
			}
			collectPolicies(t, item, add)
		}
	}
}

func decodeStatements(t *testing.T, document map[string]any) []policyStatement {
	t.Helper()
	if document["Version"] != "2012-10-17" {
		t.Errorf("policy version %v", document["Version"])
	}
	body, err := json.Marshal(document["Statement"])
	if err != nil {
		t.Fatal(err)
	}
	var statements []policyStatement
	if err := json.Unmarshal(body, &statements); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return statements
}

func listOf(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

func actionsOf(s policyStatement) []string {
	var actions []string
	for _, action := range listOf(s.Action) {
		actions = append(actions, action.(string))
	}
	return actions
}

func TestEveryStatementHasItsOwnSid(t *testing.T) {
	for _, p := range policies(t) {
		seen := map[string]bool{}
		for _, s := range p.statements {
			if s.Sid == "" || seen[s.Sid] {
				t.Errorf("%s: Sid %q is empty or there twice", p, s.Sid)
			}
			seen[s.Sid] = true
		}
	}
}

func TestResourceStarOnlyWithoutResourceLevel(t *testing.T) {
	const key, answer, find = `in a key policy "*" is the key`, "PutJob*Result have no resource level", "ListFunctions has no resource level"
	allowed := map[string]string{
		"pipeline-base ArtifactsKey KeyPolicy AccountDelegates":              key,
		"pipeline-base ArtifactsKey KeyPolicy DeployRoleDecrypts":            key,
		"pipeline-base ArtifactsKey KeyPolicy DeployRoleUsesKeyAsDocumented": key,
		"same-account ArtifactsKey KeyPolicy AccountDelegates":               key,
		"pipeline-base CallbackRole PolicyDocument AnswerJob":                answer,
		"pipeline-callback CallbackRole PolicyDocument AnswerJob":            answer,
		"pipeline-assume JobPolicy PolicyDocument AnswerJob":                 answer,
		"pipeline-relay JobPolicy PolicyDocument AnswerJob":                  answer,
		"pipeline-job JobPolicy PolicyDocument AnswerJob":                    answer,
		"same-account JobPolicy PolicyDocument AnswerJob":                    answer,
		"pipeline-assume PipelinePolicy PolicyDocument FindJob":              find,
		"pipeline-relay PipelinePolicy PolicyDocument FindJob":               find,
		"same-account PipelinePolicy PolicyDocument FindJob":                 find,
		"delivery-direct JobActionRole PolicyDocument FindJob":               find,
	}
	for _, p := range policies(t) {
		for _, s := range p.statements {
			if !slices.Contains(listOf(s.Resource), any("*")) {
				continue
			}
			key := fmt.Sprintf("%s %s", p, s.Sid)
			if allowed[key] == "" {
				t.Errorf("%s: Resource \"*\"", key)
			}
			delete(allowed, key)
		}
	}
	for key := range allowed {
		t.Errorf("%s is gone: strike it from the list", key)
	}
}

func TestActionsAreNamedOneByOne(t *testing.T) {
	for _, p := range policies(t) {
		for _, s := range p.statements {
			if s.Effect == "Deny" || s.Sid == "AccountDelegates" || strings.HasSuffix(s.Sid, "AsDocumented") {
				continue
			}
			for _, action := range actionsOf(s) {
				if strings.Contains(action, "*") {
					t.Errorf("%s %s allows %s", p, s.Sid, action)
				}
			}
		}
	}
}

// A principal of the other account is its root, narrowed to one role: a role by name would have to exist first.
func TestForeignPrincipalsAreRootsNarrowedToOneRole(t *testing.T) {
	narrowed := 0
	for _, p := range policies(t) {
		for _, s := range p.statements {
			if p.identity() {
				if s.Principal != nil {
					t.Errorf("%s %s: a principal in an identity policy", p, s.Sid)
				}
				continue
			}
			if s.Principal == "*" {
				if s.Effect != "Deny" {
					t.Errorf("%s %s allows anyone", p, s.Sid)
				}
				continue
			}
			arn := s.Principal.(map[string]any)["AWS"]
			if arn == nil || s.Sid == "AccountDelegates" {
				continue
			}
			body, _ := json.Marshal(arn)
			if !strings.Contains(string(body), `:root"`) || strings.Contains(string(body), ":role/") {
				t.Errorf("%s %s: principal %s is not an account's root", p, s.Sid, body)
			}
			if s.Condition["ArnEquals"]["aws:PrincipalArn"] == nil {
				t.Errorf("%s %s: the whole account is allowed", p, s.Sid)
			}
			narrowed++
		}
	}
	// The base: two for the key, two for the bucket, the callback role, which is also a template of its own; each delivery
	// template: its deploy role; two purge roles and one action role.
	if want := 5 + 1 + 4 + 3; narrowed != want {
		t.Errorf("%d statements for the other account, want %d", narrowed, want)
	}
}

func TestEveryBucketDeniesPlainHTTP(t *testing.T) {
	buckets := 0
	for _, p := range policies(t) {
		if p.resourceType != "AWS::S3::BucketPolicy" {
			continue
		}
		buckets++
		s := p.statements[0]
		if s.Effect != "Deny" || s.Principal != "*" || s.Condition["Bool"]["aws:SecureTransport"] != "false" || len(listOf(s.Resource)) != 2 {
			t.Errorf("%s: first statement is %+v", p, s)
		}
	}
	// Base; each delivery template; both in one account; and beside each job function its state.
	if want := 1 + 4 + 2 + 5; buckets != want {
		t.Errorf("%d bucket policies, want %d", buckets, want)
	}
}

func TestDemandedIsExactlyWhatStandsAsDocumented(t *testing.T) {
	listed := map[string]bool{}
	for _, d := range Demanded() {
		key := strings.Join([]string{d.Template, d.LogicalID, d.Sid, d.Action}, " ")
		if listed[key] || d.Source == "" {
			t.Errorf("%s: twice, or without a source", key)
		}
		listed[key] = true
	}
	for _, p := range policies(t) {
		for _, s := range p.statements {
			for _, action := range actionsOf(s) {
				key := strings.Join([]string{p.template, p.logicalID, s.Sid, action}, " ")
				documented := strings.HasSuffix(s.Sid, "AsDocumented") || s.Sid == "DistributionSeesWhatIsMissing"
				if documented != listed[key] {
					t.Errorf("%s: documented %v, listed %v", key, documented, listed[key])
				}
				delete(listed, key)
			}
		}
	}
	for key := range listed {
		t.Errorf("%s is listed but stands in no template", key)
	}
}

// Otherwise taking an exercised grant away would go unnoticed.
func TestDocumentedGrantsDoNotCoverExercisedOnes(t *testing.T) {
	for _, p := range policies(t) {
		for _, wide := range p.statements {
			if !strings.HasSuffix(wide.Sid, "AsDocumented") {
				continue
			}
			for _, exact := range p.statements {
				if exact.Sid != wide.Sid && exact.Effect == "Allow" {
					reportCovered(t, p, wide, exact)
				}
			}
		}
	}
}

func reportCovered(t *testing.T, p policy, wide, exact policyStatement) {
	t.Helper()
	for _, pattern := range actionsOf(wide) {
		for _, action := range actionsOf(exact) {
			// The root of a key's own account may do all by the key policy; that is not what a release exercises.
			if covered, _ := path.Match(pattern, action); covered {
				t.Errorf("%s: %s of %s covers %s of %s", p, pattern, wide.Sid, action, exact.Sid)
			}
		}
	}
}
