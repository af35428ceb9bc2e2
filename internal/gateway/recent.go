package gateway

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/unstale/unstale/invalidation"
)

// Recent lists the distribution's invalidations, newest first, with their items: those created since a
// time, and at most so many. more says that there are others that were left out.
func (c *CloudFront) Recent(ctx context.Context, since time.Time, most int) (recent []invalidation.Invalidation, more bool, err error) {
	const operation = "list invalidations"
	var ids []string
	for summary, err := range c.summaries(ctx) {
		if err != nil {
			return nil, false, c.at.wrap(operation, err)
		}
		if aws.ToTime(summary.CreateTime).Before(since) {
			break
		}
		if len(ids) == most {
			more = true
			break
		}
		ids = append(ids, aws.ToString(summary.Id))
	}
	recent, err = c.getAll(ctx, ids)
	if err != nil {
		return nil, false, c.at.wrap(operation, err)
	}
	return recent, more, nil
}

// maxPages bounds a search through an account's distributions: 100 on each page, and an account has 200
// unless AWS raises its quota.
const maxPages = 100

// FindDistribution gives the ID of the distribution that viewers ask for by a domain, one of its own or
// an alternate one, in the account of cfg. It needs cloudfront:ListDistributions, which nothing that
// unstale deploys grants: only whoever works in the distribution's own account has it.
func FindDistribution(ctx context.Context, cfg aws.Config, domain string) (id string, err error) {
	const operation = "find the distribution of a domain"
	client := NewCloudFront(cfg, "").client
	in := &cloudfront.ListDistributionsInput{}
	for range maxPages {
		out, err := Within(ctx, cloudFrontTimeout, func(ctx context.Context) (*cloudfront.ListDistributionsOutput, error) {
			return client.ListDistributions(ctx, in)
		})
		if err == nil && out.DistributionList == nil {
			err = &Error{Code: BadAnswer, Message: "CloudFront's answer has no list"}
		}
		if err != nil {
			return "", place{}.wrap(operation, err)
		}
		for _, d := range out.DistributionList.Items {
			names := []string{aws.ToString(d.DomainName)}
			if d.Aliases != nil {
				names = append(names, d.Aliases.Items...)
			}
			if slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, domain) }) {
				return aws.ToString(d.Id), nil
			}
		}
		next := out.DistributionList.NextMarker
		if !aws.ToBool(out.DistributionList.IsTruncated) || aws.ToString(next) == "" {
			break
		}
		in.Marker = next
	}
	return "", place{}.wrap(operation, &Error{
		Code: NoSuchDistribution, Message: fmt.Sprintf("no distribution of the account serves %s", domain),
		Try: "check the domain and the profile, or give the distribution's ID",
	})
}
