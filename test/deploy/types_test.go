package deploy

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/deploy"
)

// Of each resource type that changes in place, one; TEXT changes, and NAME by replacement.
const inPlace = `{"Resources":{
"Key":{"Type":"AWS::KMS::Key","Properties":{"Description":"TEXT","EnableKeyRotation":ON,"KeyPolicy":{"Version":"2012-10-17","Statement":{"Sid":"TEXT","Effect":"Allow",
	"Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"kms:*","Resource":"*"}}}},
"Alias":{"Type":"AWS::KMS::Alias","Properties":{"AliasName":"alias/NAME","TargetKeyId":{"Ref":"Key"}}},
"Role":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"NAME","Description":"TEXT","MaxSessionDuration":LONG,
	"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":{"Sid":"TEXT","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}},
	"Policies":[{"PolicyName":"TEXT","PolicyDocument":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}}]}},
"Policy":{"Type":"AWS::IAM::RolePolicy","Properties":{"RoleName":{"Ref":"Role"},"PolicyName":"more","PolicyDocument":{"Version":"2012-10-17",
	"Statement":{"Sid":"TEXT","Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}}},
"Access":{"Type":"AWS::CloudFront::OriginAccessControl","Properties":{"OriginAccessControlConfig":{"Name":"TEXT","OriginAccessControlOriginType":"s3","SigningBehavior":"always","SigningProtocol":"sigv4"}}},
"Repository":{"Type":"AWS::CodeCommit::Repository","Properties":{"RepositoryName":"fixed","RepositoryDescription":"TEXT"}},
"Log":{"Type":"AWS::Logs::LogGroup","Properties":{"LogGroupName":"NAME","RetentionInDays":DAYS}}
},"Outputs":{"Access":{"Value":{"Ref":"Access"}}}}`

func filled(text, name, on, long, days string) []byte {
	return []byte(strings.NewReplacer("TEXT", text, "NAME", name, "ON", on, "LONG", long, "DAYS", days).Replace(inPlace))
}

// update changes the stack "types" and waits.
func (w *world) update(client *cloudformation.Client, body []byte) types.Stack {
	w.t.Helper()
	for len(w.ended) > 0 {
		<-w.ended
	}
	in := &cloudformation.UpdateStackInput{
		StackName: aws.String("types"), TemplateBody: aws.String(string(body)), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam},
	}
	if _, err := client.UpdateStack(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
	for {
		select {
		case <-w.t.Context().Done():
			w.t.Fatal(w.t.Context().Err())
		case <-w.ended:
		}
		out, err := client.DescribeStacks(w.t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("types")})
		if err != nil {
			w.t.Fatal(err)
		}
		if !strings.HasSuffix(string(out.Stacks[0].StackStatus), "_IN_PROGRESS") {
			return out.Stacks[0]
		}
	}
}

func (w *world) changedEvents(client *cloudformation.Client) (done []string) {
	w.t.Helper()
	out, err := client.DescribeStackEvents(w.t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("types")})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range out.StackEvents { // newest first
		if e.ResourceStatus == types.ResourceStatusUpdateInProgress && aws.ToString(e.ResourceType) == "AWS::CloudFormation::Stack" {
			break
		}
		if e.ResourceStatus == types.ResourceStatusUpdateComplete && aws.ToString(e.ResourceType) != "AWS::CloudFormation::Stack" {
			done = append(done, aws.ToString(e.LogicalResourceId))
		}
	}
	slices.Sort(done)
	return done
}

func TestTypesThatChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := cloudformation.NewFromConfig(w.config(accountA))
	outputs, err := deploy.New(w.config(accountA), time.Millisecond).Create(t.Context(), deploy.Stack{Name: "types", Template: filled("before", "one", "false", "3600", "7")})
	if err != nil {
		t.Fatal(err)
	}
	st := w.update(client, filled("after", "one", "true", "7200", "30"))
	if st.StackStatus != types.StackStatusUpdateComplete {
		t.Fatalf("stack is %s: %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	if done := w.changedEvents(client); !slices.Equal(done, []string{"Access", "Key", "Log", "Policy", "Repository", "Role"}) {
		t.Errorf("changed %q", done)
	}
	w.checkRole("one", "after", 7200)
	control, err := cloudfront.NewFromConfig(w.config(accountA)).GetOriginAccessControl(t.Context(), &cloudfront.GetOriginAccessControlInput{Id: aws.String(outputs["Access"])})
	if err != nil || aws.ToString(control.OriginAccessControl.OriginAccessControlConfig.Name) != "after" {
		t.Errorf("access control %v, %v", control, err)
	}
	// A broken policy at the end of all: everything is as before.
	broken := strings.Replace(string(filled("later", "one", "false", "3600", "7")), `"PolicyName":"more","PolicyDocument":{"Version":"2012-10-17"`, `"PolicyName":"more","PolicyDocument":{"Version":"2"`, 1)
	if st := w.update(client, []byte(broken)); st.StackStatus != types.StackStatusUpdateRollbackComplete {
		t.Errorf("stack is %s: %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	w.checkRole("one", "after", 7200)
	// Other names: alias, role, its policy and the log group are replaced, and the former go.
	if st := w.update(client, filled("after", "two", "true", "7200", "30")); st.StackStatus != types.StackStatusUpdateComplete {
		t.Errorf("stack is %s: %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	w.checkRole("two", "after", 7200)
	if got := w.list(accountA); !slices.Equal(got, []string{"stack types", "role two"}) {
		t.Errorf("there is %q", got)
	}
}

func (w *world) checkRole(name, text string, longest int32) {
	w.t.Helper()
	client := sdkiam.NewFromConfig(w.config(accountA))
	out, err := client.GetRole(w.t.Context(), &sdkiam.GetRoleInput{RoleName: aws.String(name)})
	if err != nil {
		w.t.Fatal(err)
	}
	trust, err := url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument))
	if err != nil || aws.ToString(out.Role.Description) != text || aws.ToInt32(out.Role.MaxSessionDuration) != longest || !strings.Contains(trust, text) {
		w.t.Errorf("role %s has the description %q, %d s, and %s, %v", name, aws.ToString(out.Role.Description), aws.ToInt32(out.Role.MaxSessionDuration), trust, err)
	}
	policies, err := client.ListRolePolicies(w.t.Context(), &sdkiam.ListRolePoliciesInput{RoleName: aws.String(name)})
	if err != nil || !slices.Equal(policies.PolicyNames, []string{text, "more"}) {
		w.t.Errorf("role %s has the policies %v, %v", name, policies, err)
	}
}

// CloudFormation's own actions are decided, and each resource's calls with the rights of who executes.
func TestRightsOfWhoeverDeploys(t *testing.T) {
	t.Parallel()
	const all = `"cloudformation:CreateChangeSet","cloudformation:DescribeChangeSet","cloudformation:ExecuteChangeSet","cloudformation:Describe*","cloudformation:ListChangeSets","cloudformation:DeleteStack","cloudformation:DeleteChangeSet"`
	for name, c := range map[string]struct{ actions, want string }{
		"none":              {`"s3:*"`, "is not authorized to perform: cloudformation:DescribeStacks"},
		"no change sets":    {`"cloudformation:Describe*"`, "is not authorized to perform: cloudformation:CreateChangeSet"},
		"no execution":      {strings.Replace(all, `"cloudformation:ExecuteChangeSet",`, "", 1), "is not authorized to perform: cloudformation:ExecuteChangeSet"},
		"not the resources": {all, "ROLLBACK_COMPLETE: CodeBucket: User: arn:aws:iam::111111111111:user/deployer is not authorized to perform: s3:CreateBucket"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			policy, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[` + c.actions + `],"Resource":"*"}}`))
			if err != nil {
				t.Fatal(err)
			}
			user, err := w.aws.Directory().AddUser(accountA, "deployer", policy)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.open(sameOnly, func(o *deploy.Options) { o.Pipeline = w.as(user) }).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want %q", err, c.want)
			}
		})
	}
}
