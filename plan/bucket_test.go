package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unstale/unstale/site"
)

// A bucket that no behavior reads is a mistake in a name, and not a release that nobody sees.
func TestBucketUnread(t *testing.T) {
	d := Distribution{
		ID: "E1", Origins: []Origin{{ID: "site", Bucket: "site"}, {ID: "spare", Bucket: "spare"}, {ID: "api", Domain: "api.example.com"}},
		Default: Behavior{PathPattern: "*", Origins: []string{"site"}}, Behaviors: []Behavior{{PathPattern: "/api/*", Origins: []string{"api"}}},
	}
	for bucket, want := range map[string]string{
		"": "", "site": "",
		"sight": "plan distribution E1: none of its behaviors reads bucket sight; they read site",
		"spare": "plan distribution E1: none of its behaviors reads bucket spare; they read site",
	} {
		_, err := Build(Input{Distribution: d, Release: site.Snapshot{}, Known: []site.Snapshot{{}}, Bucket: bucket})
		if got := fmt.Sprint(err); got != want && !(want == "" && err == nil) {
			t.Errorf("%q: %s", bucket, got)
		}
	}
	d.Default.Origins = []string{"api"}
	if err := d.CheckBucket("site"); err == nil || !strings.HasSuffix(err.Error(), "; they read none") {
		t.Error(err)
	}
	if err := (Distribution{ID: "E1"}).CheckBucket("site"); err != nil {
		t.Error("nothing is known of the behaviors:", err)
	}
}
