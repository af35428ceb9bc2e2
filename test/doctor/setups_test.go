package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/rehearsal"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/templates"
)

// find is the rung of a name.
func find(t *testing.T, r doctor.Report, name string) doctor.Rung {
	t.Helper()
	for _, rung := range r.Rungs {
		if strings.Contains(rung.Name, name) {
			return rung
		}
	}
	t.Fatalf("no check is named %q:\n%s", name, ladder(r))
	return doctor.Rung{}
}

// Set-ups that no mistake of the rehearsal has.
func TestSetups(t *testing.T) {
	const (
		release   = `\"release\":\"#{codepipeline.PipelineExecutionId}\"`
		purges    = release + `}` // how the Purge action's UserParameters end
		announces = release + `,\"announce\":true}`
	)
	tests := []struct {
		name, old, new string // a part of the template, and what stands there instead
		rung           string
		state          doctor.State
		why            string
		broken         int
	}{
		{"a disabled distribution", `"Enabled": true`, `"Enabled": false`, "distribution exists", doctor.Broken, "disabled", 1},
		{"a target that is not configured", `[\"${Target}\"],` + purges, `[\"shop\"],` + purges, "knows its targets", doctor.Broken, `name target "shop"`, 1},
		{"parameters that are none", `{\"targets\":[\"${Target}\"],` + purges, `{\"target\":[\"${Target}\"],` + purges, "knows its targets", doctor.Broken, `no field "target"`, 1},
		{"tags that nobody reads", `{\"targets\":[\"${Target}\"],` + purges, `{\"items\":[\"#a\"],\"targets\":[\"${Target}\"],` + purges, "reads cache tags", doctor.Broken, "reads none", 1},
		{"an announcement of a target that is not configured", `[\"${Target}\"],` + announces, `[\"shop\"],` + announces, "knows its targets", doctor.Broken, `action Announce: UserParameters name target "shop"`, 1},
		{"a function that is not there", `"FunctionName": {
                    "Ref": "JobFunction"
                  },
                  "UserParameters"`, `"FunctionName": "nobody",
                  "UserParameters"`, "function of action Purge exists", doctor.Broken, "no function nobody", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, met := options(t, "same-account"), false
			o.Template = func(_ string, text []byte) []byte {
				met = strings.Contains(string(text), tt.old)
				return []byte(strings.ReplaceAll(string(text), tt.old, tt.new))
			}
			s, err := story.Set(t.Context(), o)
			if err != nil || !met {
				t.Fatalf("the template has the part: %v, %v", met, err)
			}
			t.Cleanup(func() { closeStage(t, s) })
			report := examine(t, s, ask(t, "same-account"))
			r := find(t, report, tt.rung)
			if r.State != tt.state || !strings.Contains(r.Why, tt.why) || report.Broken != tt.broken {
				t.Errorf("%s: %s\n%s", r.State, r.Why, ladder(report))
			}
		})
	}
}

// Managed policies and boundaries are read as inline policies are, and a Deny has to go.
func TestPoliciesOfEveryKind(t *testing.T) {
	s := set(t, "same-account")
	job := "arn:aws:iam::111111111111:role/unstale-job"
	const name = "may invalidate the distribution"
	change := func(f func(*accounts.Role)) {
		t.Helper()
		if err := s.World.Directory().UpdateRole(job, func(r *accounts.Role) error { f(r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	document := func(effect iam.Effect, actions ...string) iam.Document {
		return iam.Document{Version: iam.Version2012, Statements: []iam.Statement{{Sid: "S", Effect: effect, Action: actions, Resource: []string{"*"}}}}
	}
	p := profiles(t, s)
	check := func() doctor.Rung {
		t.Helper()
		report, err := p.doctor(t).Check(t.Context(), ask(t, "same-account"))
		if err != nil {
			t.Fatal(err)
		}
		return find(t, report, name)
	}
	change(func(r *accounts.Role) {
		for n, d := range r.Inline {
			r.Managed = append(r.Managed, accounts.ManagedPolicy{ARN: "arn:aws:iam::111111111111:policy/" + n, Document: d})
			delete(r.Inline, n)
		}
	})
	if r := check(); r.State != doctor.OK || !strings.Contains(r.Why, "managed arn:aws:iam::111111111111:policy/job") {
		t.Errorf("by a managed policy: %s: %s", r.State, r.Why)
	}
	const limit = "arn:aws:iam::111111111111:policy/limit"
	change(func(r *accounts.Role) {
		r.Boundary = &iam.Policy{Name: limit, Document: document(iam.Allow, "s3:*", "codepipeline:*", "cloudfront:Get*", "cloudfront:List*")}
	})
	if r := check(); r.State != doctor.Broken || len(r.Changes) != 1 || r.Changes[0].Layer != "boundary" || r.Changes[0].To != limit ||
		!strings.Contains(string(r.Changes[0].Statement), `"Action":"cloudfront:CreateInvalidation"`) {
		t.Errorf("by a boundary: %+v", r)
	}
	change(func(r *accounts.Role) {
		r.Boundary, r.Inline = nil, map[string]iam.Document{"no": document(iam.Deny, "cloudfront:Create*")}
	})
	if r := check(); r.State != doctor.Broken || len(r.Changes) != 1 || r.Changes[0].Do != "remove" || r.Changes[0].To != job ||
		string(r.Changes[0].Statement) != `{"Sid":"S","Effect":"Deny","Action":"cloudfront:Create*","Resource":"*"}` {
		t.Errorf("by a Deny: %+v", r)
	}
	change(func(r *accounts.Role) {
		d := document(iam.Deny, "cloudfront:*")
		d.Statements[0].Condition = iam.Conditions{"NotIpAddress": {"aws:SourceIp": {"192.0.2.0/24"}}}
		r.Inline = map[string]iam.Document{"no": d}
	})
	if r := check(); r.State != doctor.Unknown || !strings.Contains(r.Why, "depends on aws:SourceIp") {
		t.Errorf("by a condition that only the request meets: %+v", r)
	}
	p.onlyRead(t)
}

// With fifteen wildcards in progress CloudFront takes no more.
func TestNoRoom(t *testing.T) {
	o := options(t, "same-account")
	o.Median, o.World = time.Hour, func(w *rehearsal.Options) { w.ManualClock = true } // nothing completes
	s, err := story.Set(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	c := cloudfront.NewFromConfig(s.Config(story.PipelineAccount))
	for i := range 15 {
		_, err := c.CreateInvalidation(t.Context(), &cloudfront.CreateInvalidationInput{
			DistributionId: aws.String(s.Outputs["DistributionId"]),
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: aws.String(fmt.Sprint(i)), Paths: &types.Paths{Quantity: aws.Int32(1), Items: []string{fmt.Sprintf("/%d/*", i)}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	r := find(t, examine(t, s, ask(t, "same-account")), "room for another")
	if r.State != doctor.Broken || !strings.Contains(r.Why, "15 in progress, with 0 of 3000 paths and 15 of 15 wildcards: wait") {
		t.Errorf("%+v", r)
	}
}

// The stacks may stand beside a pipeline of somebody's own.
func TestBesideAPipeline(t *testing.T) {
	o := options(t, "assume")
	o.Empty = true
	s, err := story.Set(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	a, b := deploy.New(s.Config(story.PipelineAccount), time.Millisecond), deploy.New(s.Config(story.DeliveryAccount), time.Millisecond)
	zip, err := os.ReadFile(filepath.Join(lambdas(t), "pipeline-job_"+story.Architecture()+".zip"))
	if err == nil {
		err = a.Code(t.Context(), "code", "job.zip", zip)
	}
	if err != nil {
		t.Fatal(err)
	}
	job := "arn:aws:iam::" + story.PipelineAccount + ":role/unstale-job"
	out := create(t, b, "delivery-assume", map[string]string{
		"ExternalId": "agreed", "JobRoleArn": job, "PipelineAccount": story.PipelineAccount,
		"PipelineRoleArn": "", "ArtifactBucketArn": "", "ArtifactKeyArn": "",
	})
	create(t, a, "pipeline-job", map[string]string{
		"CodeBucket": "code", "CodeKey": "job.zip", "AssumableRoleArns": out["PurgeRoleArn"], "Architecture": story.Architecture(),
		"Targets": fmt.Sprintf(`{"site":{"role":%q,"externalId":"agreed","distribution":%q}}`, out["PurgeRoleArn"], out["DistributionId"]),
	})
	q := ask(t, "assume")
	q.Route = target.Route("") // it is found
	report := examine(t, s, q)
	if report.Route != "assume" || report.Broken != 0 || report.Unknown != 1 || find(t, report, "pipeline exists").State != doctor.Unknown {
		t.Errorf("route %s, %d broken, %d unknown:\n%s", report.Route, report.Broken, report.Unknown, ladder(report))
	}
	if r := find(t, report, "remembers releases"); r.State != doctor.OK {
		t.Errorf("%+v", r)
	}
	if r := find(t, report, "may assume the purge role"); r.State != doctor.OK {
		t.Errorf("%+v", r)
	}
}

func create(t *testing.T, d *deploy.Deployer, template string, parameters map[string]string) map[string]string {
	t.Helper()
	text, err := templates.Get(template)
	if err != nil {
		t.Fatal(err)
	}
	parameters["Name"] = "unstale"
	out, err := d.Create(t.Context(), deploy.Stack{Name: "unstale-" + template, Template: text, Parameters: parameters})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
