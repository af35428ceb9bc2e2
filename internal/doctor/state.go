package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/doctor/repair"
	"github.com/unstale/unstale/internal/store"
)

// stateVariable names the bucket in which a job function remembers releases.
const stateVariable = "UNSTALE_STATE"

// bucket is where a job function keeps its state.
type bucket struct {
	name, arn string
	objects   string // what the ARNs of its objects begin with
	prefix    string // of its keys
	owner     string // account
}

// state checks the bucket in which the job function remembers releases. It reports whether a purge waits
// until the origin serves the release: it does where it knows the release, and what was served before.
func (w *walk) state(ctx context.Context, a action, fn function, caller *role) (gated bool) {
	account, location := accountOf(fn.arn), fn.environment[stateVariable]
	r := Rung{Name: "the job function remembers releases", Account: account, Subject: fn.arn, State: OK, Why: location}
	if location == "" {
		r.State, r.Why = Note, "everything is purged each time: no state bucket ("+stateVariable+" is not set)"
		w.add(r)
		return false
	}
	s, err := store.NewState(aws.Config{}, location) // it reads the location as the function does
	if err != nil {
		r.State, r.Why = Broken, fmt.Sprintf("%s: %v", stateVariable, err)
		w.add(r)
		return false
	}
	if !a.inputs {
		r.State, r.Why = Note, fmt.Sprintf("everything is purged each time: action %s has no input artifact, so what changed is not known", a.name)
	}
	w.add(r)
	b := bucket{owner: account}
	b.name, b.prefix, _ = strings.Cut(strings.TrimPrefix(s.URI(""), "s3://"), "/")
	b.arn = "arn:" + partition(fn.arn) + ":s3:::" + b.name
	b.objects = b.arn + "/" + b.prefix
	w.keeps(ctx, b, caller)
	return a.inputs
}

// keeps checks that the bucket is there, and that the job's role may use it and nobody else may write it.
func (w *walk) keeps(ctx context.Context, b bucket, caller *role) {
	policy, err := w.bucketPolicy(ctx, b.owner, b.name)
	r := Rung{Name: "the state bucket exists", Account: b.owner, Subject: b.arn, State: OK, Why: "its policy can be read"}
	switch {
	case errors.Is(err, errNoBucket):
		r.State, r.Why = Broken, fmt.Sprintf("account %s has no bucket %s: every job fails before it purges anything", b.owner, b.name)
	case err != nil:
		r.State, r.Why = Unknown, err.Error()
	}
	if w.add(r); r.State == Broken || caller.missing {
		return
	}
	w.read("s3:GetBucketPolicy", b.name)
	rung := w.decide(link{
		name: "the job function's role may read and write the state", caller: caller, actions: []string{"s3:GetObject", "s3:PutObject"},
		resource: b.objects + "any", written: b.objects + "*", account: b.owner, policy: policy, err: err, kind: iam.ResourcePolicy, context: overTLS(b.owner),
	})
	only := onlyWriter(b, caller.principal.RoleARN)
	if slices.ContainsFunc(rung.Changes, func(c repair.Change) bool { return c.Do == repair.Remove && c.To == b.arn }) {
		rung.Changes = append(rung.Changes, only) // instead of the Deny that names another
	}
	w.add(rung)
	// Without it S3 does not tell a missing object from a forbidden one. Source: S3 API Reference, GetObject.
	listing := overTLS(b.owner)
	listing["s3:prefix"] = []string{b.prefix + "any"}
	w.read("s3:GetBucketPolicy", b.name)
	w.check(link{
		name: "the job function's role may list the state", caller: caller, actions: []string{"s3:ListBucket"},
		resource: b.arn, account: b.owner, policy: policy, err: err, kind: iam.ResourcePolicy, context: listing,
	})
	if err == nil && rung.State != Broken {
		w.sealed(b, policy, only)
	}
}

// sealed looks whether others may write what releases are planned by: whoever does can make a purge leave
// something out. It is decided for a role of the account that may do everything.
func (w *walk) sealed(b bucket, policy *iam.Policy, only repair.Change) {
	request := iam.Request{
		Principal: iam.Principal{
			ARN: "arn:aws:sts::" + b.owner + ":assumed-role/another/s", Account: b.owner, RoleARN: "arn:aws:iam::" + b.owner + ":role/another",
		},
		Action: "s3:PutObject", Resource: b.objects + "any", ResourceAccount: b.owner, Context: overTLS(b.owner),
	}
	policies := iam.Policies{Identity: []iam.Policy{{Name: "all", Document: anything(nil, true)}}, Resource: policy, Kind: iam.ResourcePolicy}
	d := iam.Decide(request, policies)
	r := Rung{Name: "nobody else may write the state", Account: b.owner, Subject: b.arn, State: OK, Why: d.Reason}
	switch doubt := unsure(request, policies, d); {
	case doubt != "":
		r.State, r.Why = Note, doubt
	case d.Allowed:
		r.State, r.Changes = Note, []repair.Change{only}
		r.Why = "whoever may write to the buckets of account " + b.owner + " can make a purge leave something out"
	}
	w.add(r)
}

// onlyWriter is the statement of a bucket's policy that keeps all but one role from writing.
func onlyWriter(b bucket, role string) repair.Change {
	s := iam.Statement{
		Sid: "OnlyTheJobWrites", Effect: iam.Deny, Principal: &iam.Principals{Everyone: true}, Action: []string{"s3:PutObject"},
		Resource: []string{b.objects + "*"}, Condition: iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": {role}}},
	}
	return repair.Change{Do: repair.Add, Account: b.owner, To: b.arn, Layer: string(iam.LayerResource), Statement: []byte(s.String())}
}
