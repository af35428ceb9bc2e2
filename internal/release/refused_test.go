package release

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// A page that somebody wants looked at, and that nobody without a signature gets, is refused before anything is done.
func TestVerifyWhatIsRestricted(t *testing.T) {
	m := &memory{}
	r := begun(m, nil, files("a1"))
	r.Verify = []string{"/open", "/members?page=1"}
	d := distribution("b")
	d.Behaviors = []plan.Behavior{{PathPattern: "/members*", Origins: []string{"b"}, Restricted: true}}
	err := r.Order(started.Add(time.Hour), nil).Prepare(t.Context(), d)
	var failure *purge.Failure
	if !errors.As(err, &failure) || !strings.Contains(err.Error(), "verify /members?page=1: viewers need signed URLs") || failure.Try == "" || len(m.calls) > 0 {
		t.Errorf("%v, calls %q", err, m.calls)
	}
}

// So is a bucket that the distribution does not read, unless somebody chose the items.
func TestBucketOfAnother(t *testing.T) {
	for bucket, refused := range map[string]bool{"": false, "b": false, "a-typo": true} {
		m := &memory{}
		err := begun(m, &target.Planning{Bucket: bucket}, files("a1")).Order(started.Add(time.Hour), nil).Prepare(t.Context(), distribution("b"))
		var failure *purge.Failure
		if errors.As(err, &failure) != refused || refused && (failure.Try == "" || len(m.calls) > 0) {
			t.Errorf("%q: %v, calls %q", bucket, err, m.calls)
		}
	}
	if err := begun(nil, &target.Planning{Bucket: "a-typo"}, nil, "/a").Order(started.Add(time.Hour), nil).Prepare(t.Context(), distribution("b")); err != nil {
		t.Error("items that somebody chose:", err)
	}
}

// A tag that the distribution does not read would complete and purge nothing.
func TestTagsOfNobody(t *testing.T) {
	d := distribution("b")
	for header, refused := range map[string]bool{"": true, "Cache-Tag": false} {
		d.CacheTagHeader = header
		_, err := begun(nil, nil, nil, "/a", "#b").Order(started.Add(time.Hour), nil).Plan(t.Context(), d, invalidation.Limits{})
		var failure *purge.Failure
		if errors.As(err, &failure) != refused || refused && (!strings.Contains(err.Error(), "so #b would purge nothing") || failure.Try == "") {
			t.Errorf("%q: %v", header, err)
		}
	}
}
