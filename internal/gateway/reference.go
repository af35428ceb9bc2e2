package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/invalidation"
)

// What happens to a reference that was used before is told in two ways. The API reference says that
// the same content gives the earlier invalidation and other content InvalidationBatchAlreadyExists.
// That code is in no published model, and callers report InvalidArgument instead, once for identical
// paths (aws-cdk #3878). Both are handled: the earlier invalidation is taken when its items are
// ours, and looked for when CloudFront does not hand it over.

// searched is how many invalidations, newest first, are looked through for a reference. Listings
// leave references out, so each one costs a call.
const searched = 200

// chunk is how many are read before the references are compared: a redelivered event's invalidation
// is nearly always the newest.
const chunk = 2 * readers

// referenceUsed reports whether CloudFront refused because of a reference that it knows.
func referenceUsed(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.ErrorCode() == InvalidationBatchAlreadyExists ||
		api.ErrorCode() == InvalidArgument && strings.Contains(strings.ToLower(api.ErrorMessage()), "caller reference")
}

// find looks for the invalidation that was created with a reference.
func (c *CloudFront) find(ctx context.Context, reference string) (invalidation.Invalidation, error) {
	var ids []string
	for summary, err := range c.summaries(ctx) {
		if err != nil {
			return invalidation.Invalidation{}, err
		}
		if ids = append(ids, aws.ToString(summary.Id)); len(ids) == searched {
			break
		}
	}
	for some := range slices.Chunk(ids, chunk) {
		read, err := c.getAll(ctx, some)
		if err != nil {
			return invalidation.Invalidation{}, err
		}
		for _, inv := range read {
			if inv.Reference == reference {
				return inv, nil
			}
		}
	}
	return invalidation.Invalidation{}, &Error{
		Code: ReferenceNotFound,
		Message: fmt.Sprintf("reference %s was used before, but none of the %d newest invalidations has it",
			reference, len(ids)),
		Try: "retry the stage: a new attempt has a new reference",
	}
}

// sameBatch checks that an invalidation is the one that a batch asks for. An earlier one may come
// back under our reference; it stands for ours only if it purges the same.
func sameBatch(inv invalidation.Invalidation, batch invalidation.Batch) error {
	if inv.Reference != batch.Reference {
		return &Error{
			Code:    BadAnswer,
			Message: fmt.Sprintf("invalidation %s has reference %q instead of %q", inv.ID, inv.Reference, batch.Reference),
		}
	}
	ours := make([]string, len(batch.Items))
	for i, item := range batch.Items {
		ours[i] = canonical(item.String())
	}
	theirs := make([]string, len(inv.Items))
	for i, item := range inv.Items {
		theirs[i] = canonical(item)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if !slices.Equal(slices.Compact(ours), slices.Compact(theirs)) {
		return &Error{
			Code: ReferenceReused,
			Message: fmt.Sprintf("reference %s belongs to invalidation %s of %d items, which are not the %d asked for",
				inv.Reference, inv.ID, len(theirs), len(ours)),
			Try: "retry the stage: a new attempt has a new reference",
		}
	}
	return nil
}

// canonical is an item as ParseItem writes it, or as it is when it is none.
func canonical(s string) string {
	if item, err := invalidation.ParseItem(s); err == nil {
		return item.String()
	}
	return s
}
