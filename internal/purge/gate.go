package purge

import (
	"context"
	"errors"
	"fmt"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// Served is what an origin has to serve before anything is purged: an edge that comes back for an
// object which is not replaced yet caches the old one again, and the purge is lost.
type Served struct {
	Origin  plan.Origin
	Prefix  string        // stands before each key in the origin's bucket
	Objects []site.Object // at most gateway.MaxKeys; none: there is nothing to look at
	// Optional says that a route which may not read the origin goes on without.
	Optional bool
}

// gate waits until the origin serves the release. S3 gives what was written last, so a deploy that is
// over shows at once; the wait is for one that is not quite.
func (r *run) gate(ctx context.Context, d plan.Distribution) error {
	if r.Served == nil {
		return nil
	}
	served := r.Served(d)
	if len(served.Objects) == 0 {
		return nil
	}
	keys := make([]string, len(served.Objects))
	for i, o := range served.Objects {
		keys[i] = served.Prefix + o.Key
	}
	began := r.Now()
	for looks := 1; ; looks++ {
		stored, err := retrying(ctx, r, "read origin", func(ctx context.Context) ([]gateway.Stored, error) {
			return r.Gateway.Objects(ctx, served.Origin, keys)
		})
		var e *gateway.Error
		if errors.As(err, &e) && (e.Code == gateway.Unsupported || e.Code == gateway.AccessDenied && served.Optional) {
			r.verdict.Notes = append(r.verdict.Notes, "did not look whether the origin serves the release: "+e.Message)
			return nil
		}
		if err != nil {
			return err
		}
		why := lacking(served, stored)
		if why == "" {
			r.verdict.Gated = r.Now()
			r.log("origin serves the release", "origin", served.Origin.ID, "objects", len(keys))
			return nil
		}
		step := r.Schedule.Step(looks)
		if next := r.Now().Add(step); next.After(r.Until) || next.After(began.Add(r.Schedule.Median)) {
			return &Failure{
				Stage: Planned,
				Err:   fmt.Errorf("purge distribution %s: its origin does not serve the release: %s", d.ID, why),
				Try: "check that the deploy action runs before this one in the same stage, and that it extracts this artifact into " +
					"the bucket that the distribution reads; nothing was purged",
			}
		}
		r.Log.Warn("waiting for the origin", "seconds", step.Seconds(), "why", why)
		if err := r.sleep(ctx, step); err != nil {
			return err
		}
	}
}

// lacking says what an origin does not serve of a release, "" when it serves all of it. A fingerprint
// that S3 does not tell leaves the size to judge by.
func lacking(served Served, stored []gateway.Stored) string {
	first, n := "", 0
	for i, want := range served.Objects {
		got := stored[i]
		why := ""
		switch {
		case !got.Found:
			why = "is not there"
		case got.Size != want.Size:
			why = fmt.Sprintf("has %d bytes instead of %d", got.Size, want.Size)
		case got.Summed && want.Kind() == site.CRC32Size && got.CRC32 != want.CRC32:
			why = fmt.Sprintf("has the crc32 %08x instead of %08x", got.CRC32, want.CRC32)
		default:
			continue
		}
		if n++; n == 1 {
			first = fmt.Sprintf("s3://%s/%s %s", served.Origin.Bucket, got.Key, why)
		}
	}
	if n > 1 {
		return fmt.Sprintf("%s, and %d more of %d", first, n-1, len(stored))
	}
	return first
}
