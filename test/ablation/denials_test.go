package ablation

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/templates"
)

// The Deny statements allow nothing that a release could miss. Each is shown to stop whom it is there
// for: the bucket's policy as deployed decides the request of somebody who may do everything, over plain
// HTTP or to write what only the job may, with the statement and without it; and its condition lets those
// pass who are meant to.
func TestEveryDenialIsNeeded(t *testing.T) {
	for _, route := range templates.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			checkDenials(t, route)
		})
	}
}

func checkDenials(t *testing.T, route string) {
	w, err := enter(t, route, cloudfront.ReuseDocumented, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries(t, route) {
		if !e.deny {
			continue
		}
		if e.layer != "resource" {
			t.Errorf("%s: nobody shows what this Deny is for", e)
			continue
		}
		checkDenial(t, w.policyAt(t, e), e)
	}
}

func checkDenial(t *testing.T, p deployedPolicy, e entry) {
	t.Helper()
	i := slices.IndexFunc(p.document.Statements, func(s iam.Statement) bool { return s.Sid == e.sid })
	s := p.document.Statements[i]
	d, known := denials[e.sid]
	if want := (iam.Conditions{d.operator: {d.key: s.Condition[d.operator][d.key]}}); !known || !reflect.DeepEqual(s.Condition, want) {
		t.Errorf("%s: its condition is %v, and only %v is shown to be needed", e, s.Condition, want)
		return
	}
	meant := iam.Request{
		Principal: iam.Principal{ARN: "arn:aws:iam::" + p.account + ":root", Account: p.account},
		Action:    d.action, Resource: p.arn + "/index.html", ResourceAccount: p.account,
		Context: map[string][]string{"aws:SecureTransport": {"true"}},
	}
	let := d.let(meant, s)
	for _, in := range d.out {
		r := in.instead(meant, d.key)
		if d := p.decide(r); d.Allowed || !d.Explicit || d.Statement != e.sid {
			t.Errorf("%s: %s is decided %+v", e, in.who, d)
		}
		without := p
		without.document.Statements = slices.Delete(slices.Clone(p.document.Statements), i, i+1)
		if d := without.decide(r); !d.Allowed {
			t.Errorf("%s: even without it %s is refused: %s", e, in.who, d.Reason)
		}
	}
	if d := p.decide(let); !d.Allowed {
		t.Errorf("%s: who is meant to pass is refused: %s", e, d.Reason)
	}
	if d := p.without(i, d.operator, d.key).decide(let); d.Allowed {
		t.Errorf("%s: without its condition who is meant to pass is allowed all the same", e)
	}
}

// denial is what a Deny of the templates is for.
type denial struct {
	operator, key string // of its condition
	action        string
	out           []intruder                                       // whom it stops, made of the account's root
	let           func(r iam.Request, s iam.Statement) iam.Request // whom it lets pass
}

// denials are by Sid. It is read only.
var denials = map[string]denial{
	"DenyInsecureTransport": {
		operator: "Bool", key: "aws:SecureTransport", action: "s3:GetObject",
		out: []intruder{
			{"plain HTTP", func(r iam.Request, key string) iam.Request { return carrying(r, key, "false") }},
		},
		let: func(r iam.Request, _ iam.Statement) iam.Request { return r },
	},
	"OnlyTheJobWrites": {
		operator: "ArnNotEquals", key: "aws:PrincipalArn", action: "s3:PutObject",
		out: append([]intruder{
			{"the account's root", func(r iam.Request, _ string) iam.Request { return r }},
		}, intruders["aws:principalarn"]...),
		let: func(r iam.Request, s iam.Statement) iam.Request {
			r.Principal = session(s.Condition["ArnNotEquals"]["aws:PrincipalArn"][0])
			return r
		},
	},
}

// What was deployed is written by the job function alone, when the calls are real: whoever may do everything in that account
// is refused, its root and the roles of the pipeline among them, and reads it all the same.
func TestNobodyButTheJobWritesState(t *testing.T) {
	for _, route := range templates.Routes() {
		if route == "states" {
			continue // has no job function, and keeps nothing
		}
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			w, err := enter(t, route, cloudfront.ReuseDocumented, nil)
			if err != nil {
				t.Fatal(err)
			}
			account := w.jobAccount()
			pipeline, _ := story.AccountsOf(route)
			for who, cfg := range map[string]aws.Config{
				"the account's root":           w.Config(account),
				"another role of that account": w.as(t, w.stranger(t, account)),
				"the pipeline's role":          w.as(t, "arn:aws:iam::"+pipeline+":role/unstale-pipeline"),
			} {
				if err := w.writeState(t, cfg); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
					t.Errorf("%s writes: %v", who, err)
				}
			}
			if err := w.writeState(t, w.as(t, "arn:aws:iam::"+account+":role/"+job)); err != nil {
				t.Errorf("the job function may not write: %v", err)
			}
			bucket := w.bucketOf(t, "JobStateBucketPolicy")
			if _, err := stateClient(w.Config(account)).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket}); err != nil {
				t.Errorf("the account's root may not look: %v", err)
			}
		})
	}
}

func stateClient(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

func (w *world) writeState(t *testing.T, cfg aws.Config) error {
	t.Helper()
	_, err := stateClient(cfg).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(w.bucketOf(t, "JobStateBucketPolicy")), Key: aws.String("history/E1/index.json"), Body: strings.NewReader("{}"),
	})
	return err
}
