package ablation

import (
	"reflect"
	"slices"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/templates"
)

// The Deny statements allow nothing that a release could miss. Each is shown to stop what it is there
// for: the bucket's policy as deployed decides a request over plain HTTP by somebody who may do
// everything, with the statement and without it; and its condition lets HTTPS pass.
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
	condition := p.document.Statements[i].Condition
	if want := (iam.Conditions{"Bool": {"aws:SecureTransport": {"false"}}}); !reflect.DeepEqual(condition, want) {
		t.Errorf("%s: its condition is %v, and only %v is shown to be needed", e, condition, want)
	}
	plain := iam.Request{
		Principal: iam.Principal{ARN: "arn:aws:iam::" + p.account + ":root", Account: p.account},
		Action:    "s3:GetObject", Resource: p.arn + "/index.html", ResourceAccount: p.account,
		Context: map[string][]string{"aws:SecureTransport": {"false"}},
	}
	secure := carrying(plain, "aws:SecureTransport", "true")
	if d := p.decide(plain); d.Allowed || !d.Explicit || d.Statement != e.sid {
		t.Errorf("%s: plain HTTP is decided %+v", e, d)
	}
	if d := p.decide(secure); !d.Allowed {
		t.Errorf("%s: HTTPS is refused: %s", e, d.Reason)
	}
	if d := p.without(i, "Bool", "aws:SecureTransport").decide(secure); d.Allowed {
		t.Errorf("%s: without its condition HTTPS is allowed all the same", e)
	}
	p.document.Statements = slices.Delete(slices.Clone(p.document.Statements), i, i+1)
	if d := p.decide(plain); !d.Allowed {
		t.Errorf("%s: even without it plain HTTP is refused: %s", e, d.Reason)
	}
}
