package doctor

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/invalidation"
)

// distribution checks what is to be purged.
func (w *walk) distribution(ctx context.Context, id, account string) {
	r := Rung{Name: "the distribution exists and is enabled", Account: account, Subject: id, State: OK, Why: "it is deployed and enabled"}
	s, err := w.at(account)
	var out *cloudfront.GetDistributionOutput
	if err == nil {
		w.read("cloudfront:GetDistribution", id)
		out, err = s.cloudfront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	}
	switch {
	case gone(err):
		r.State, r.Why = Broken, fmt.Sprintf("account %s has no distribution %s", account, id)
		r.Try = "another ID, or a profile of its account; aws cloudfront list-distributions names those of an account"
	case err != nil:
		r.State, r.Why = Unknown, brief(err)
	case out.Distribution == nil || out.Distribution.DistributionConfig == nil:
		r.State, r.Why = Unknown, "CloudFront's answer has no configuration"
	case !aws.ToBool(out.Distribution.DistributionConfig.Enabled):
		r.State, r.Why = Broken, "it is disabled: viewers get nothing from it"
	case aws.ToString(out.Distribution.Status) != "Deployed":
		r.Why = "it is enabled, and a change is on its way to all points of presence"
	}
	w.add(r)
	if err != nil || r.State == Unknown {
		return
	}
	config := out.Distribution.DistributionConfig
	w.origins[id] = origins(config)
	w.tagged(id, account, config)
	for _, origin := range w.origins[id] {
		w.origin(ctx, s, aws.ToString(out.Distribution.ARN), account, origin)
	}
	w.headroom(ctx, s, id)
}

// origins is never nil.
func origins(c *types.DistributionConfig) []types.Origin {
	if c.Origins == nil {
		return []types.Origin{}
	}
	return append([]types.Origin{}, c.Origins.Items...)
}

// tagged: purging a tag of a distribution that extracts none is refused or does nothing. Source: CloudFront
// Developer Guide, "Invalidate files by cache tags".
func (w *walk) tagged(id, account string, c *types.DistributionConfig) {
	if !w.Tags {
		return
	}
	r := Rung{Name: "the distribution reads cache tags", Account: account, Subject: id, State: OK}
	if c.CacheTagConfig == nil || aws.ToString(c.CacheTagConfig.HeaderName) == "" {
		r.State, r.Why = Broken, "items name #tags, and the distribution reads none"
		r.Changes = set(account, "distribution "+id+", CacheTagConfig", map[string]string{"HeaderName": "x-amz-meta-cache-tag"})
	} else {
		r.Why = "from the origin's header " + aws.ToString(c.CacheTagConfig.HeaderName)
	}
	w.add(r)
}

// bucketHost is an S3 bucket as an origin. Source: CloudFront Developer Guide, "Using an Amazon S3 bucket".
var bucketHost = regexp.MustCompile(`^(.+)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?$`)

// bucketOf is the bucket behind an origin's domain; "" when it is none, or one as a website, which is public.
func bucketOf(domain string) string {
	m := bucketHost.FindStringSubmatch(domain)
	if m == nil || strings.Contains(domain, ".s3-website") {
		return ""
	}
	return m[1]
}

// origin checks that CloudFront may read a bucket. With origin access control it reads as itself, so the
// bucket's policy has to allow the service, for this distribution.
func (w *walk) origin(ctx context.Context, s *side, distribution, account string, o types.Origin) {
	bucket := bucketOf(aws.ToString(o.DomainName))
	if bucket == "" {
		return // not a bucket: it answers whom it will
	}
	name := "CloudFront may read the bucket of origin " + aws.ToString(o.Id)
	control := aws.ToString(o.OriginAccessControlId)
	if control == "" {
		w.add(Rung{
			Name: name, Account: account, Subject: bucket, State: Unknown,
			Why: "the origin has no access control: the bucket is public, or it trusts an older origin access identity",
		})
		return
	}
	w.read("cloudfront:GetOriginAccessControl", control)
	out, err := s.cloudfront.GetOriginAccessControl(ctx, &cloudfront.GetOriginAccessControlInput{Id: &control})
	policy, policyErr := w.bucketPolicy(ctx, account, bucket)
	if err == nil && out.OriginAccessControl != nil && out.OriginAccessControl.OriginAccessControlConfig != nil &&
		out.OriginAccessControl.OriginAccessControlConfig.SigningBehavior == types.OriginAccessControlSigningBehaviorsNever {
		w.add(Rung{Name: name, Account: account, Subject: bucket, State: Unknown, Why: "origin access control " + control + " never signs: the bucket has to be public"})
		return
	}
	if err != nil && policyErr == nil {
		policyErr = fmt.Errorf("cloudfront:GetOriginAccessControl %s: %s", control, brief(err))
	}
	context := overTLS(account)
	context["aws:SourceArn"], context["aws:SourceAccount"] = []string{distribution}, []string{account}
	arn := "arn:" + partition(distribution) + ":s3:::" + bucket
	w.check(link{
		name: name, service: "cloudfront.amazonaws.com", actions: []string{"s3:GetObject"}, resource: arn + "/any", written: arn + "/*",
		account: account, policy: policy, err: policyErr, kind: iam.ResourcePolicy, context: context,
	})
}

// headroom counts what is in progress: one more wildcard or path than the limits is refused.
func (w *walk) headroom(ctx context.Context, s *side, id string) {
	r := Rung{Name: "there is room for another invalidation", Account: s.account, Subject: id, State: OK}
	items, running, err := w.inProgress(ctx, s, id)
	used, limits := invalidation.Count(items), invalidation.DefaultLimits()
	r.Why = fmt.Sprintf("%d in progress, with %d of %d paths and %d of %d wildcards", running, used.Files, limits.Files, used.Wildcards, limits.Wildcards)
	switch {
	case err != nil:
		r.State, r.Why = Unknown, brief(err)
	case used.Files >= limits.Files || used.Wildcards >= limits.Wildcards:
		r.State, r.Why = Broken, r.Why+": wait until some have completed"
	}
	w.add(r)
}

// inProgress lists the items of all invalidations in progress. The list is newest first and those in
// progress are recent, so a page without any ends the search.
func (w *walk) inProgress(ctx context.Context, s *side, id string) (items []invalidation.Item, running int, err error) {
	w.read("cloudfront:ListInvalidations", id)
	for pages := cloudfront.NewListInvalidationsPaginator(s.cloudfront, &cloudfront.ListInvalidationsInput{DistributionId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err == nil && page.InvalidationList == nil {
			err = errEmpty
		}
		if err != nil {
			return nil, 0, err
		}
		found := 0
		for _, summary := range page.InvalidationList.Items {
			if aws.ToString(summary.Status) != string(invalidation.InProgress) {
				continue
			}
			found++
			w.read("cloudfront:GetInvalidation", aws.ToString(summary.Id))
			one, err := s.cloudfront.GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: &id, Id: summary.Id})
			if err == nil && one.Invalidation == nil {
				err = errEmpty
			}
			if err != nil {
				return nil, 0, err
			}
			if b := one.Invalidation.InvalidationBatch; b != nil && b.Paths != nil {
				for _, path := range b.Paths.Items {
					items = append(items, invalidation.Item(path))
				}
			}
		}
		if running += found; found == 0 {
			break
		}
	}
	return items, running, nil
}
