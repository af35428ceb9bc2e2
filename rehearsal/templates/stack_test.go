package templates_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const account = "111111111111"

// shop makes things for templates and remembers in which order they came and went.
type shop struct {
	mu    sync.Mutex
	log   []string
	loose bool // nothing is stuck any more
}

func (s *shop) unstick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loose = true
}

func (s *shop) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

type thing struct {
	Name, Tag, Kind string
	Size            templates.Int
	On, Fail, Stuck templates.Bool
}

func (s *shop) kind() templates.Type {
	return templates.Type{
		Name: "Test::Thing", Attributes: []string{"Arn"}, Fixed: []string{"Name", "Kind"}, Named: "Name",
		Create: func(_ context.Context, r templates.Request) (templates.Resource, error) {
			p, err := templates.Decode[thing]("Test::Thing", r.Properties)
			if err != nil {
				return templates.Resource{}, err
			}
			if p.Fail {
				return templates.Resource{}, wire.Errorf(409, "AlreadyExists", "%s is taken", p.Name)
			}
			s.note("+%s", p.Name)
			return templates.Resource{Ref: p.Name, Attributes: map[string]string{"Arn": "arn:" + p.Name}}, nil
		},
		Update: func(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
			p, err := templates.Decode[thing]("Test::Thing", r.Properties)
			if err == nil {
				note := "~" + p.Name
				if p.Size != 0 {
					note += fmt.Sprintf(" %d", p.Size)
				}
				s.note("%s", note)
			}
			return e.Resource, err
		},
		Delete: func(_ context.Context, e templates.Existing) error {
			s.mu.Lock()
			loose := s.loose
			s.mu.Unlock()
			if stuck, _ := e.Properties["Stuck"].(bool); stuck && !loose {
				return wire.Errorf(409, "BucketNotEmpty", "%s is not empty", e.Resource.Ref)
			}
			s.note("-%s", e.Resource.Ref)
			return nil
		},
	}
}

// world is CloudFormation behind its front door, and a client of the account's root.
func world(t *testing.T) (*shop, *templates.Service, *cloudformation.Client) {
	t.Helper()
	c, j := clock.New(true), &journal.Journal{}
	t.Cleanup(c.Close)
	d := accounts.New(c, j)
	root, err := d.Add(account)
	if err != nil {
		t.Fatal(err)
	}
	s, made := templates.New(templates.Deps{Directory: d, Clock: c, Journal: j}), &shop{}
	other := made.kind()
	other.Name = "Test::Else"
	s.Register(made.kind(), other)
	url := fronttest.Serve(t, d, c, j, templates.SigningName, s, wire.WriteXMLError)
	client := cloudformation.New(cloudformation.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{},
		Credentials: fronttest.Keys(root), HTTPClient: fronttest.HTTPClient(t),
	})
	return made, s, client
}

const pair = `{"Parameters":{"Name":{"Type":"String"}},"Resources":{
	"A":{"Type":"Test::Thing","Properties":{"Name":{"Fn::Sub":"${B}-a"},"Size":"3","On":"true"}},
	"B":{"Type":"Test::Thing","Properties":{"Name":{"Ref":"Name"}},"DeletionPolicy":"Retain"}},
	"Outputs":{"Arn":{"Value":{"Fn::GetAtt":"A.Arn"},"Description":"of A"}}}`

func create(t *testing.T, s *templates.Service, c *cloudformation.Client, text string, change ...func(*cloudformation.CreateStackInput)) types.Stack {
	t.Helper()
	in := &cloudformation.CreateStackInput{
		StackName: aws.String("st"), TemplateBody: aws.String(text),
		Parameters: []types.Parameter{{ParameterKey: aws.String("Name"), ParameterValue: aws.String("b")}},
	}
	for _, f := range change {
		f(in)
	}
	if _, err := c.CreateStack(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	return describe(t, c)
}

func describe(t *testing.T, c *cloudformation.Client) types.Stack {
	t.Helper()
	out, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("st")})
	if err != nil || len(out.Stacks) != 1 {
		t.Fatalf("DescribeStacks = %v, %v", out, err)
	}
	return out.Stacks[0]
}

func TestCreateAndDelete(t *testing.T) {
	made, s, c := world(t)
	st := create(t, s, c, pair)
	if st.StackStatus != types.StackStatusCreateComplete || len(st.Outputs) != 1 || aws.ToString(st.Outputs[0].OutputValue) != "arn:b-a" {
		t.Errorf("stack = %s %v", st.StackStatus, st.Outputs)
	}
	resources, err := c.DescribeStackResources(t.Context(), &cloudformation.DescribeStackResourcesInput{StackName: aws.String("st")})
	if err != nil || len(resources.StackResources) != 2 || aws.ToString(resources.StackResources[0].PhysicalResourceId) != "b-a" {
		t.Errorf("resources = %v, %v", resources, err)
	}
	text, err := c.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: aws.String("st")})
	if err != nil || aws.ToString(text.TemplateBody) != pair {
		t.Errorf("template = %v, %v", text, err)
	}
	if _, err := c.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("st")}); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	// What A needs comes first and goes last, and what is to be retained stays.
	if diff := cmp.Diff([]string{"+b", "+b-a", "-b-a"}, made.log); diff != "" {
		t.Errorf("made and removed (-want +got)\n%s", diff)
	}
	if _, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("st")}); err == nil {
		t.Error("a deleted stack can still be described by name")
	}
}

func TestFailureRollsBack(t *testing.T) {
	made, s, c := world(t)
	broken := strings.Replace(pair, `"On":"true"`, `"Fail":true`, 1)
	st := create(t, s, c, strings.Replace(broken, `,"DeletionPolicy":"Retain"`, "", 1))
	if st.StackStatus != types.StackStatusRollbackComplete {
		t.Errorf("status = %s", st.StackStatus)
	}
	if diff := cmp.Diff([]string{"+b", "-b"}, made.log); diff != "" {
		t.Errorf("made and removed (-want +got)\n%s", diff)
	}
	events, err := c.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("st")})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events.StackEvents, func(e types.StackEvent) bool {
		return e.ResourceStatus == types.ResourceStatusCreateFailed && strings.Contains(aws.ToString(e.ResourceStatusReason), "b-a is taken (Error Code: AlreadyExists)")
	}) {
		t.Errorf("no event says why: %v", events.StackEvents)
	}
}

func TestUnknownPropertyIsAHardError(t *testing.T) {
	_, s, c := world(t)
	st := create(t, s, c, strings.Replace(pair, `"On"`, `"Colour"`, 1), func(in *cloudformation.CreateStackInput) { in.DisableRollback = aws.Bool(true) })
	events, err := c.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("st")})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(st.StackStatus)
	for _, e := range events.StackEvents {
		text += aws.ToString(e.ResourceStatusReason)
	}
	if st.StackStatus != types.StackStatusCreateFailed || !strings.Contains(text, `does not emulate the property "Colour" of Test::Thing`) {
		t.Errorf("got %s", text)
	}
}

func TestRefusedBeforeAnythingIsMade(t *testing.T) {
	for name, c := range map[string]struct {
		text, code, want string
		change           func(*cloudformation.CreateStackInput)
	}{
		"unknown type":      {text: strings.Replace(pair, "Test::Thing", "Test::Other", 1), code: "NotEmulated", want: "the resource type Test::Other (Resources.A)"},
		"unknown attribute": {text: strings.Replace(pair, "A.Arn", "A.Id", 1), code: "NotEmulated", want: "the attribute Id of Test::Thing (Outputs.Arn)"},
		"unknown name":      {text: strings.Replace(pair, "${B}", "${C}", 1), code: "ValidationError", want: "refers to C"},
		"unknown parameter": {
			text: pair, code: "ValidationError", want: "Parameters: [X] do not exist",
			change: func(in *cloudformation.CreateStackInput) {
				in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String("X"), ParameterValue: aws.String("1")})
			},
		},
		"bad stack name": {
			text: pair, code: "ValidationError", want: "stackName",
			change: func(in *cloudformation.CreateStackInput) { in.StackName = aws.String("1x") },
		},
		"a role of CloudFormation's own": {
			text: pair, code: "NotEmulated", want: "the parameter RoleARN of cloudformation:CreateStack",
			change: func(in *cloudformation.CreateStackInput) {
				in.RoleARN = aws.String("arn:aws:iam::111111111111:role/cfn")
			},
		},
		"template by URL": {
			code: "NotEmulated", want: "TemplateURL",
			change: func(in *cloudformation.CreateStackInput) {
				in.TemplateBody, in.TemplateURL = nil, aws.String("https://x")
			},
		},
		"roles without the capability": {
			text: `{"Resources":{"R":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"r"}}}}`, code: "InsufficientCapabilitiesException", want: "CAPABILITY_NAMED_IAM",
			change: func(in *cloudformation.CreateStackInput) { in.Parameters = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			made, s, client := world(t)
			s.Register(templates.Type{Name: "AWS::IAM::Role"})
			in := &cloudformation.CreateStackInput{
				StackName: aws.String("st"), TemplateBody: aws.String(c.text),
				Parameters: []types.Parameter{{ParameterKey: aws.String("Name"), ParameterValue: aws.String("b")}},
			}
			if c.change != nil {
				c.change(in)
			}
			_, err := client.CreateStack(t.Context(), in)
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != c.code || !strings.Contains(api.ErrorMessage(), c.want) {
				t.Errorf("err = %v, want %s with %q", err, c.code, c.want)
			}
			if s.Wait(); len(made.log) > 0 {
				t.Errorf("made %v all the same", made.log)
			}
		})
	}
}

func TestSecondStackOfANameIsRefused(t *testing.T) {
	_, s, c := world(t)
	create(t, s, c, pair)
	_, err := c.CreateStack(t.Context(), &cloudformation.CreateStackInput{
		StackName: aws.String("st"), TemplateBody: aws.String(pair),
		Parameters: []types.Parameter{{ParameterKey: aws.String("Name"), ParameterValue: aws.String("c")}},
	})
	var exists *types.AlreadyExistsException
	if !errors.As(err, &exists) {
		t.Errorf("err = %v, want AlreadyExistsException", err)
	}
}
