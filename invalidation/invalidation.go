// Package invalidation is what CloudFront is asked for and what it answers: items and the rules
// they keep, batches, the reference that makes asking twice pay once, statuses, limits and prices.
// Everything here is pure; nothing calls AWS or reads a clock.
package invalidation

import "time"

// Status is CloudFront's word for how far an invalidation is. The zero value and any text that is
// not known here count as not completed.
type Status string

// The statuses that CloudFront answers. Source: API reference, Invalidation.Status.
const (
	InProgress Status = "InProgress"
	Completed  Status = "Completed"
)

// Done reports whether every point of presence has carried the invalidation out.
func (s Status) Done() bool { return s == Completed }

// Invalidation is one batch as CloudFront reports it.
type Invalidation struct {
	ID           string    `json:"id"`           // CloudFront's ID, e.g. "IDFDVBD632BHDS5"
	Distribution string    `json:"distribution"` // the distribution's ID
	Reference    string    `json:"reference"`    // the CallerReference it was created with
	Items        []string  `json:"items"`        // as CloudFront reports them, not re-validated
	Status       Status    `json:"status"`
	Created      time.Time `json:"created"` // CloudFront's clock
}
