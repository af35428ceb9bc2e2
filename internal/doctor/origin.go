package doctor

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/gateway/assume"
	"github.com/unstale/unstale/internal/target"
)

// gateway checks all that a gateway does with a role of the distribution's account.
func (w *walk) gateway(ctx context.Context, who string, caller *role, t target.Target, gated bool) {
	if t.Account == "" {
		t.Account = caller.principal.Account
	}
	w.purge(ctx, who, caller, t.Distribution, t.Account, gatewayActions)
	origin, found, known := w.released(t)
	name := who + " may look whether the origin serves a release"
	switch {
	case !known && gated:
		w.add(Rung{Name: name, Account: t.Account, Subject: t.Distribution, State: Unknown, Why: "which bucket the distribution reads is not known"})
		return
	case known && !found && t.Plans().Bucket != "":
		w.add(Rung{
			Name: fmt.Sprintf("the distribution reads bucket %s, where the releases of target %s lie", t.Plans().Bucket, t.Name), Account: t.Account, Subject: t.Distribution,
			State: Broken, Why: "none of its origins is that bucket: set bucket of the target to the one that the release is deployed to, or leave it out",
		})
		return
	case !known || !found || caller.missing:
		return
	}
	before := len(w.asked)
	r := w.decide(w.objects(ctx, name, caller, t.Account, bucketOf(aws.ToString(origin.DomainName)), "s3:GetObject"))
	if !gated {
		w.asked = w.asked[:before] // it does not need it
	}
	if !gated && r.State != OK {
		r.State, r.Why = Note, "a purge is made without looking: "+r.Why
	}
	w.add(r)
}

// released is the origin that holds a target's releases: that of the named bucket, or of the only one.
func (w *walk) released(t target.Target) (origin types.Origin, found, known bool) {
	all := w.origins[t.Distribution]
	named := t.Plans().Bucket
	for _, o := range all {
		bucket, before := bucketOf(aws.ToString(o.DomainName)), bucketOf(aws.ToString(origin.DomainName))
		switch {
		case bucket == "" || named != "" && bucket != named:
		case found && bucket != before:
			return types.Origin{}, false, true
		case !found:
			origin, found = o, true
		}
	}
	return origin, found, all != nil
}

// narrowed is the role in the session that the gateway asks for.
func narrowed(r *role, t target.Target) *role {
	out := *r
	at, err := target.ParseRole(t.Role)
	if err == nil {
		var text string
		if text, err = assume.SessionPolicy(at, t.Distribution); err == nil {
			var d iam.Document
			if d, err = iam.Parse([]byte(text)); err == nil {
				out.session = []iam.Policy{{Name: "session of the purge", Document: d}}
			}
		}
	}
	if err != nil {
		out.keep(nil, fmt.Errorf("narrow the session of %s: %w", t.Role, err))
	}
	return &out
}

// behind are the buckets that distributions read; nothingElse says that these are all that lies behind them.
func (w *walk) behind(distributions []string) (buckets []string, nothingElse bool) {
	nothingElse = len(distributions) > 0
	for _, id := range distributions {
		nothingElse = nothingElse && len(w.origins[id]) > 0
		for _, o := range w.origins[id] {
			bucket := bucketOf(aws.ToString(o.DomainName))
			if nothingElse = nothingElse && bucket != ""; bucket != "" {
				buckets = append(buckets, bucket)
			}
		}
	}
	return buckets, nothingElse
}
