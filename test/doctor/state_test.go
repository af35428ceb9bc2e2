package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/rehearsal/accounts"
)

// planning is who is who on a route whose job function plans purges.
type planning struct {
	account     string // of the job function
	looker      string // who looks at the origin: the name of a role
	lookerAt    string // its account
	lookerNamed string // how the doctor calls it
}

var plannings = map[string]planning{
	"assume":       {story.PipelineAccount, "unstale-purge", story.DeliveryAccount, "the purge role"},
	"relay":        {story.PipelineAccount, "unstale-invalidator", story.DeliveryAccount, "the invalidator's role"},
	"direct":       {story.DeliveryAccount, "unstale-job", story.DeliveryAccount, "the job function's role"},
	"same-account": {story.PipelineAccount, "unstale-job", story.PipelineAccount, "the job function's role"},
}

func roleOf(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// without takes a statement from a role's policies until the test is over.
func without(t *testing.T, s *story.Stage, role, sid string) {
	t.Helper()
	found := false
	change := func(f func(r *accounts.Role)) {
		t.Helper()
		if err := s.World.Directory().UpdateRole(role, func(r *accounts.Role) error { f(r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var before map[string]iam.Document
	change(func(r *accounts.Role) {
		before = r.Inline
		r.Inline = map[string]iam.Document{}
		for name, d := range before {
			kept := slices.DeleteFunc(slices.Clone(d.Statements), func(s iam.Statement) bool { return s.Sid == sid })
			found = found || len(kept) < len(d.Statements)
			if d.Statements = kept; len(kept) > 0 {
				r.Inline[name] = d
			}
		}
	})
	t.Cleanup(func() { change(func(r *accounts.Role) { r.Inline = before }) })
	if !found {
		t.Fatalf("%s has no statement %s", role, sid)
	}
}

// rewritten changes the text of a bucket's policy until the test is over.
func rewritten(t *testing.T, s *story.Stage, account, bucket string, change func(policy iam.Document) iam.Document) {
	t.Helper()
	c := s3.NewFromConfig(s.Config(account), func(o *s3.Options) { o.UsePathStyle = true })
	old, err := c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) {
		t.Helper()
		_, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &text})
		if err != nil {
			t.Error(err)
		}
	}
	d, err := iam.Parse([]byte(aws.ToString(old.Policy)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(change(d))
	if err != nil {
		t.Fatal(err)
	}
	put(string(text))
	t.Cleanup(func() {
		if _, err := c.PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: old.Policy}); err != nil {
			t.Error(err)
		}
	})
}

// Each statement that planning needs, taken away, is named exactly: which statement, in which account, to
// which resource, and nothing besides.
func TestPlanningNeedsEachStatement(t *testing.T) {
	for route, who := range plannings {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := set(t, route)
			d := profiles(t, s).doctor(t)
			job, looker := roleOf(who.account, "unstale-job"), roleOf(who.lookerAt, who.looker)
			state, site := "unstale-state-"+who.account+"-"+story.Region, "arn:aws:s3:::"+s.Outputs["SiteBucketName"]
			only := fmt.Sprintf(`{"Sid":"OnlyTheJobWrites","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::%s/*",`+
				`"Condition":{"ArnNotEquals":{"aws:PrincipalArn":"%%s"}}}`, state)
			for _, tt := range []struct {
				name    string
				away    func(t *testing.T)
				rung    string
				state   doctor.State
				changes []string
			}{
				{
					"KeepState", func(t *testing.T) { without(t, s, job, "KeepState") }, "the job function's role may read and write the state", doctor.Broken,
					[]string{"add " + who.account + " identity " + job + ` {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::` + state + `/*"}`},
				},
				{
					"FindState", func(t *testing.T) { without(t, s, job, "FindState") }, "the job function's role may list the state", doctor.Broken,
					[]string{"add " + who.account + " identity " + job + ` {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::` + state + `"}`},
				},
				{
					"ReadSite", func(t *testing.T) { without(t, s, looker, "ReadSite") }, who.lookerNamed + " may look whether the origin serves a release", doctor.Broken,
					[]string{"add " + who.lookerAt + " identity " + looker + ` {"Effect":"Allow","Action":"s3:GetObject","Resource":"` + site + `/*"}`},
				},
				{
					"OnlyTheJobWrites", func(t *testing.T) {
						rewritten(t, s, who.account, state, func(d iam.Document) iam.Document {
							d.Statements = slices.DeleteFunc(d.Statements, func(s iam.Statement) bool { return s.Sid == "OnlyTheJobWrites" })
							return d
						})
					}, "nobody else may write the state", doctor.Note,
					[]string{"add " + who.account + " resource arn:aws:s3:::" + state + " " + fmt.Sprintf(only, job)},
				},
				{
					"a policy that admits another", func(t *testing.T) {
						rewritten(t, s, who.account, state, func(d iam.Document) iam.Document {
							for i, one := range d.Statements {
								if one.Sid == "OnlyTheJobWrites" {
									d.Statements[i].Condition = iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": {roleOf(who.account, "other")}}}
								}
							}
							return d
						})
					}, "the job function's role may read and write the state", doctor.Broken,
					[]string{
						"remove " + who.account + " resource arn:aws:s3:::" + state + " " + fmt.Sprintf(only, roleOf(who.account, "other")),
						"add " + who.account + " resource arn:aws:s3:::" + state + " " + fmt.Sprintf(only, job),
					},
				},
				{"nothing", func(*testing.T) {}, "the state bucket exists", doctor.OK, nil},
			} {
				t.Run(tt.name, func(t *testing.T) {
					tt.away(t)
					report, err := d.Check(t.Context(), ask(t, route))
					if err != nil {
						t.Fatal(err)
					}
					r := find(t, report, tt.rung)
					var got []string
					for _, rung := range report.Rungs {
						if rung.State != doctor.OK && rung.Name != tt.rung {
							t.Errorf("%s is %s too: %s", rung.Name, rung.State, rung.Why)
						}
						for _, c := range rung.Changes {
							got = append(got, strings.Join([]string{c.Do, c.Account, c.Layer, c.To, string(c.Statement)}, " "))
						}
					}
					if r.State != tt.state || !slices.Equal(got, tt.changes) {
						t.Errorf("%s: %s: %s\n%s\nwant\n%s", r.Name, r.State, r.Why, strings.Join(got, "\n"), strings.Join(tt.changes, "\n"))
					}
				})
			}
			gone(t, s, d, route, who.account, state)
		})
	}
}

// gone ends a stage's state bucket.
func gone(t *testing.T, s *story.Stage, d *doctor.Doctor, route, account, bucket string) {
	t.Helper()
	_, err := s3.NewFromConfig(s.Config(account), func(o *s3.Options) { o.UsePathStyle = true }).DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.Check(t.Context(), ask(t, route))
	if err != nil {
		t.Fatal(err)
	}
	r := find(t, report, "the state bucket exists")
	if r.State != doctor.Broken || report.Broken != 1 || r.Account != account || r.Subject != "arn:aws:s3:::"+bucket || !strings.Contains(r.Why, "has no bucket "+bucket) {
		t.Errorf("without the bucket: %+v\n%s", r, ladder(report))
	}
}

// Without a state bucket everything is purged each time, and nobody has to look at the origin: that is no
// fault. But nothing can be announced.
func TestWithoutState(t *testing.T) {
	for route, who := range plannings {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			o, met := options(t, route), false
			o.Template = func(_ string, text []byte) []byte {
				met = met || strings.Contains(string(text), `"UNSTALE_STATE"`)
				return []byte(strings.ReplaceAll(string(text), `"UNSTALE_STATE"`, `"UNSTALE_OTHER"`))
			}
			s, err := story.Set(t.Context(), o)
			if err != nil || !met {
				t.Fatalf("%v, %v", met, err)
			}
			t.Cleanup(func() { closeStage(t, s) })
			without(t, s, roleOf(who.lookerAt, who.looker), "ReadSite")
			p := profiles(t, s)
			report := p.check(t, ask(t, route))
			if r := find(t, report, "announces what is purged"); r.State != doctor.Broken || report.Broken != 1 || !strings.Contains(r.Why, "UNSTALE_STATE is not set") {
				t.Errorf("%d broken: %+v", report.Broken, r)
			}
			edited(t, s, func(d *types.PipelineDeclaration) { take(d, "Announce") })
			report = p.check(t, ask(t, route))
			if report.Broken+report.Unknown > 0 {
				t.Errorf("%d broken, %d unknown:\n%s", report.Broken, report.Unknown, ladder(report))
			}
			r := find(t, report, "remembers releases")
			if r.State != doctor.Note || r.Why != "everything is purged each time: no state bucket (UNSTALE_STATE is not set)" {
				t.Errorf("%+v", r)
			}
			if r := find(t, report, "look whether the origin serves"); r.State != doctor.Note || len(r.Changes) != 1 || !strings.Contains(r.Why, "without looking") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A bucket that the distribution does not read is a slip in a name: nothing would ever be purged.
func TestBucketOfNobody(t *testing.T) {
	t.Parallel()
	o, met := options(t, "assume"), false
	o.Template = func(_ string, text []byte) []byte {
		const one = `\"distribution\":\"${Distribution}\"`
		met = met || strings.Contains(string(text), one)
		return []byte(strings.ReplaceAll(string(text), one, one+`,\"planning\":{\"bucket\":\"sight\"}`))
	}
	s, err := story.Set(t.Context(), o)
	if err != nil || !met {
		t.Fatalf("%v, %v", met, err)
	}
	t.Cleanup(func() { closeStage(t, s) })
	report := profiles(t, s).check(t, ask(t, "assume"))
	if r := find(t, report, "the distribution reads bucket sight"); r.State != doctor.Broken || report.Broken != 1 || !strings.Contains(r.Why, "set bucket of the target") {
		t.Errorf("%d broken: %+v\n%s", report.Broken, r, ladder(report))
	}
}
