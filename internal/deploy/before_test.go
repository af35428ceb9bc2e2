package deploy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever a template keeps under a name of its own is looked for: a name in other words than those that
// are understood would be passed over.
func TestLastingNamesAreUnderstood(t *testing.T) {
	d := &Deployment{options: Options{Name: "shop", Parameters: map[string]string{}}}
	at := &side{Deployer: &Deployer{region: "eu-west-1"}, account: "111111111111"}
	for _, name := range Templates() {
		body, err := Template(name)
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Resources map[string]struct {
				DeletionPolicy string
				Properties     map[string]any
			}
		}
		if err := json.Unmarshal(body, &template); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for id, r := range template.Resources {
			for property := range r.Properties {
				if strings.HasPrefix(r.DeletionPolicy, "Retain") && strings.HasSuffix(property, "Name") {
					want[id] = map[string]string{"BucketName": "shop-site-111111111111-eu-west-1", "RepositoryName": "shop"}[property]
				}
			}
		}
		got := map[string]string{}
		found, err := d.lasting(at, body)
		for _, l := range found {
			got[l.LogicalID] = l.Name
			if l.Type == repositoryType && l.about != "Source of the shop site" { // by which it is known as ours
				t.Errorf("%s: %s has the description %q", name, l.LogicalID, l.about)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
	d.options.Parameters["ExistingDistributionId"] = "E1"
	body, err := Template("delivery-states")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := d.lasting(at, body); len(found) > 0 || err != nil {
		t.Errorf("a site that is there already: %v, %v", found, err)
	}
}
