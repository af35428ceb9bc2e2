package invalidation

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
)

// Limits is how much may be in progress in one account at a time, files and wildcards counted
// apart; a tag counts as a file.
type Limits struct {
	Files     int
	Wildcards int
}

// DefaultLimits are the documented quotas. Source: CloudFront developer guide, "Concurrent
// invalidation request maximum" (3,000 files, 15 wildcards). A third-party extract of the quotas
// page of September 2026 says instead 150 paths a second and 1 wildcard a second per account;
// nobody else confirms it, so the documented figures stand here.
func DefaultLimits() Limits { return Limits{Files: 3000, Wildcards: 15} }

// Batch is one call of CreateInvalidation. Make it with NewBatch.
type Batch struct {
	Distribution string // the distribution's ID
	Items        []Item // sorted bytewise, no duplicates, none covered by a wildcard among them
	Reference    string // the CallerReference
}

// BatchError says why items do not make a batch.
type BatchError struct {
	Distribution string
	Reason       string // what is wrong
	Try          string // what to do
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("batch items for distribution %q: %s; %s", e.Distribution, e.Reason, e.Try)
}

// NewBatch makes the batch of an attempt on a distribution: items are checked again, sorted,
// de-duplicated, and dropped where a wildcard of the batch covers them, so that nothing is paid
// twice. The error is an *ItemError or a *BatchError.
func NewBatch(attempt, distribution string, items []Item) (Batch, error) {
	if attempt == "" {
		return Batch{}, &BatchError{distribution, "the attempt has no name", "pass the job's or run's ID"}
	}
	batch, err := normalBatch(distribution, items)
	if err != nil {
		return Batch{}, err
	}
	batch.Reference = Reference(attempt, distribution, batch.Items)
	return batch, nil
}

// ReceivedBatch makes a batch with a reference that somebody else made; everything else is as with
// NewBatch.
func ReceivedBatch(reference, distribution string, items []Item) (Batch, error) {
	if err := CheckReference(reference); err != nil {
		return Batch{}, &BatchError{distribution, err.Error(), "pass the reference as it was made"}
	}
	batch, err := normalBatch(distribution, items)
	if err != nil {
		return Batch{}, err
	}
	batch.Reference = reference
	return batch, nil
}

// normalBatch is a batch that lacks its reference.
func normalBatch(distribution string, items []Item) (Batch, error) {
	switch {
	case distribution == "":
		return Batch{}, &BatchError{distribution, "the distribution has no ID", "pass the distribution's ID"}
	case len(items) == 0:
		return Batch{}, &BatchError{distribution, "there are no items", `name at least one, such as "/*"`}
	}
	kept, err := Normalize(items)
	if err != nil {
		return Batch{}, err
	}
	if err := DefaultLimits().check(distribution, kept); err != nil {
		return Batch{}, err
	}
	return Batch{Distribution: distribution, Items: kept}, nil
}

// Normalize checks items and returns them sorted bytewise, without duplicates and without those
// that a wildcard among them covers. The argument is left as it is; the error is an *ItemError.
func Normalize(items []Item) ([]Item, error) {
	parsed := make([]Item, 0, len(items))
	for _, item := range items {
		p, err := ParseItem(string(item))
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, p)
	}
	// A wildcard sorts by its prefix, ahead of all that it covers: one look back is then enough.
	slices.SortFunc(parsed, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.stem(), b.stem()), cmp.Compare(b2i(b.Wildcard()), b2i(a.Wildcard())))
	})
	kept := parsed[:0]
	var cover Item // the last wildcard kept; its reach is one run of the sorted items
	for _, item := range parsed {
		if cover.Covers(item.stem()) || (len(kept) > 0 && kept[len(kept)-1] == item) {
			continue
		}
		if item.Wildcard() {
			cover = item
		}
		kept = append(kept, item)
	}
	slices.Sort(kept)
	return kept, nil
}

// stem is the item without its "*".
func (i Item) stem() string {
	if i.Wildcard() {
		return string(i[:len(i)-1])
	}
	return string(i)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Count tells items as the limits count them.
func Count(items []Item) Limits {
	var n Limits
	for _, item := range items {
		if item.Wildcard() {
			n.Wildcards++
		} else {
			n.Files++
		}
	}
	return n
}

func (l Limits) check(distribution string, items []Item) error {
	n := Count(items)
	switch {
	case n.Files > l.Files:
		return &BatchError{
			distribution,
			fmt.Sprintf("%d files, more than the %d that may be in progress", n.Files, l.Files),
			"cover some of them with a wildcard",
		}
	case n.Wildcards > l.Wildcards:
		return &BatchError{
			distribution,
			fmt.Sprintf("%d wildcards, more than the %d that may be in progress", n.Wildcards, l.Wildcards),
			"join some of them into a shorter wildcard",
		}
	}
	return nil
}

const (
	// referenceScheme changes when the way a reference is made changes.
	referenceScheme = "unstale-1"
	// MaxReference is the longest reference that is sent. CloudFront states no limit; other AWS
	// idempotency tokens end at 128.
	MaxReference = 128
)

// Reference makes the CallerReference of an attempt: the same attempt, distribution and items, in
// any order, give the same text, so that a redelivered event or a resumed run finds the invalidation
// that exists instead of paying for another. Each part is hashed with its length before it, so no
// two different triples read alike. The value is a wire contract: jobs in flight carry it.
func Reference(attempt, distribution string, items []Item) string {
	sorted := slices.Compact(slices.Sorted(slices.Values(items)))
	h := sha256.New()
	put := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		io.WriteString(h, s)
	}
	put(referenceScheme)
	put(attempt)
	put(distribution)
	for _, item := range sorted {
		put(string(item))
	}
	return referenceScheme + "-" + hex.EncodeToString(h.Sum(nil))
}

// CheckReference says whether a reference that came from elsewhere may be sent on: 1 to MaxReference
// letters, digits, ".", "_", ":" or "-".
func CheckReference(s string) error {
	if s == "" || len(s) > MaxReference {
		return fmt.Errorf("check reference: it has %d characters, not 1 to %d", len(s), MaxReference)
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && !slices.Contains([]byte("._:-"), s[i]) {
			return fmt.Errorf("check reference %q: it has a character besides letters, digits, '.', '_', ':' and '-'", s)
		}
	}
	return nil
}
