package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"golang.org/x/sync/errgroup"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

const (
	// cloudFrontRegion signs every call: CloudFront is a global service that lives in us-east-1
	// (AWS general reference, "CloudFront endpoints"), wherever the caller runs.
	cloudFrontRegion = "us-east-1"
	// cloudFrontTimeout ends one call. CloudFront answers within a second or so; a third of the
	// invalidator's own time leaves room to say that it did not.
	cloudFrontTimeout = 10 * time.Second
	// pageSize is how many invalidations one listing asks for; 100 is the most that CloudFront gives.
	pageSize = 100
	// readers is how many invalidations are read at once. CloudFront throttles per account.
	readers = 4
)

// CloudFront reaches one distribution with the credentials it has, which must be of the account
// that owns it: CloudFront has no resource policies.
type CloudFront struct {
	cfg    aws.Config
	client *cloudfront.Client
	at     place
}

// NewCloudFront makes the gateway of a distribution in cfg's own account.
func NewCloudFront(cfg aws.Config, distribution string) *CloudFront {
	return CloudFrontOf(cfg, target.Target{Route: target.SameAccount, Distribution: distribution})
}

// CloudFrontOf makes the gateway of a target's distribution for whoever holds credentials of its
// account, however they came by them; errors name the target's route and account.
func CloudFrontOf(cfg aws.Config, t target.Target) *CloudFront {
	client := cloudfront.NewFromConfig(cfg, func(o *cloudfront.Options) {
		o.Region = cloudFrontRegion
		o.Retryer, o.RetryMaxAttempts = aws.NopRetryer{}, 0
	})
	return &CloudFront{cfg, client, placeOf(t)}
}

// Distribution reads the distribution's configuration.
func (c *CloudFront) Distribution(ctx context.Context) (plan.Distribution, error) {
	const operation = "read distribution"
	out, err := Within(ctx, cloudFrontTimeout, func(ctx context.Context) (*cloudfront.GetDistributionOutput, error) {
		return c.client.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &c.at.distribution})
	})
	if err != nil {
		return plan.Distribution{}, c.at.wrap(operation, err)
	}
	if out.Distribution == nil || out.Distribution.DistributionConfig == nil {
		return plan.Distribution{}, c.at.badAnswer(operation, "CloudFront's answer has no configuration")
	}
	d, err := describe(out)
	if err != nil {
		return plan.Distribution{}, c.at.badAnswer(operation, "%v", err)
	}
	return d, nil
}

// describe reads the answer as the same document that the AWS CLI prints of it, so that there is one
// reader of configurations. The SDK's structures are named after the API's.
func describe(out *cloudfront.GetDistributionOutput) (plan.Distribution, error) {
	text, err := json.Marshal(struct {
		ETag         *string
		Distribution *types.Distribution
	}{out.ETag, out.Distribution})
	if err != nil {
		return plan.Distribution{}, fmt.Errorf("write distribution config: %w", err)
	}
	return plan.FromConfig(text)
}

// Create asks for the batch; see reference.go for one whose reference was used before.
func (c *CloudFront) Create(ctx context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	const operation = "create invalidation"
	if batch.Distribution != c.at.distribution {
		return invalidation.Invalidation{}, c.at.wrap(operation, &Error{
			Code: DistributionNotAllowed, Message: "the batch is for distribution " + batch.Distribution,
		})
	}
	paths := make([]string, len(batch.Items))
	for i, item := range batch.Items {
		paths[i] = item.String()
	}
	out, err := Within(ctx, cloudFrontTimeout, func(ctx context.Context) (*cloudfront.CreateInvalidationOutput, error) {
		return c.client.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
			DistributionId: &batch.Distribution,
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: &batch.Reference,
				Paths:           &types.Paths{Quantity: aws.Int32(int32(len(paths))), Items: paths},
			},
		})
	})
	var made invalidation.Invalidation
	switch {
	case referenceUsed(err):
		made, err = c.find(ctx, batch.Reference)
	case err == nil:
		made, err = c.report(out.Invalidation)
	}
	if err == nil {
		err = sameBatch(made, batch)
	}
	if err != nil {
		return invalidation.Invalidation{}, c.at.wrap(operation, err)
	}
	return made, nil
}

// Get reads one invalidation.
func (c *CloudFront) Get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	inv, err := c.get(ctx, id)
	if err != nil {
		return inv, c.at.wrap("read invalidation "+id, err)
	}
	return inv, nil
}

func (c *CloudFront) get(ctx context.Context, id string) (invalidation.Invalidation, error) {
	out, err := Within(ctx, cloudFrontTimeout, func(ctx context.Context) (*cloudfront.GetInvalidationOutput, error) {
		return c.client.GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: &c.at.distribution, Id: &id})
	})
	if err != nil {
		return invalidation.Invalidation{}, err
	}
	return c.report(out.Invalidation)
}

// InProgress lists what is not completed. CloudFront lists newest first and completes in about that
// order, so a full page without any in progress ends the search.
func (c *CloudFront) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	const operation = "list invalidations in progress"
	var ids []string
	quiet := 0
	for summary, err := range c.summaries(ctx) {
		if err != nil {
			return nil, c.at.wrap(operation, err)
		}
		if invalidation.Status(aws.ToString(summary.Status)) == invalidation.InProgress {
			ids, quiet = append(ids, aws.ToString(summary.Id)), 0
		} else if quiet++; quiet == pageSize {
			break
		}
	}
	all, err := c.getAll(ctx, ids)
	if err != nil {
		return nil, c.at.wrap(operation, err)
	}
	// Some may have completed between the listing and the look.
	return slices.DeleteFunc(all, func(i invalidation.Invalidation) bool { return i.Status.Done() }), nil
}

// getAll reads invalidations, a few at once, in the order of ids.
func (c *CloudFront) getAll(ctx context.Context, ids []string) ([]invalidation.Invalidation, error) {
	all := make([]invalidation.Invalidation, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, id := range ids {
		group.Go(func() (err error) {
			all[i], err = c.get(ctx, id)
			return err
		})
	}
	return all, group.Wait()
}

// summaries lists the distribution's invalidations, newest first, a page at a time as needed.
func (c *CloudFront) summaries(ctx context.Context) iter.Seq2[types.InvalidationSummary, error] {
	return func(yield func(types.InvalidationSummary, error) bool) {
		in := &cloudfront.ListInvalidationsInput{DistributionId: &c.at.distribution, MaxItems: aws.Int32(pageSize)}
		for {
			out, err := Within(ctx, cloudFrontTimeout, func(ctx context.Context) (*cloudfront.ListInvalidationsOutput, error) {
				return c.client.ListInvalidations(ctx, in)
			})
			if err == nil && out.InvalidationList == nil {
				err = &Error{Code: BadAnswer, Message: "CloudFront's answer has no list"}
			}
			if err != nil {
				yield(types.InvalidationSummary{}, err)
				return
			}
			for _, summary := range out.InvalidationList.Items {
				if !yield(summary, nil) {
					return
				}
			}
			next := out.InvalidationList.NextMarker
			if !aws.ToBool(out.InvalidationList.IsTruncated) || aws.ToString(next) == "" {
				return
			}
			in.Marker = next
		}
	}
}

// report turns CloudFront's record into ours. One without an ID or a batch is not believed.
func (c *CloudFront) report(in *types.Invalidation) (invalidation.Invalidation, error) {
	if in == nil || aws.ToString(in.Id) == "" || in.InvalidationBatch == nil || in.InvalidationBatch.Paths == nil {
		return invalidation.Invalidation{}, &Error{Code: BadAnswer, Message: "CloudFront's answer has no invalidation"}
	}
	return invalidation.Invalidation{
		ID:           *in.Id,
		Distribution: c.at.distribution,
		Reference:    aws.ToString(in.InvalidationBatch.CallerReference),
		Items:        in.InvalidationBatch.Paths.Items,
		Status:       invalidation.Status(aws.ToString(in.Status)),
		Created:      aws.ToTime(in.CreateTime),
	}, nil
}
