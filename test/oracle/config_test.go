package oracle

import (
	"encoding/json"
	"strconv"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/wire"
)

// What printed and printedPolicy write is what CloudFront's API answers of the same distribution, as
// far as planners read it: edge and planner go by one configuration.
func TestPrintedIsWhatTheAPIAnswers(t *testing.T) {
	outside := fronttest.New(t, owner)
	root := outside.Root(owner)
	service := cloudfront.New(cloudfront.Deps{Directory: outside.Directory, Clock: outside.Clock, Journal: outside.Journal})
	outside.Serve("cloudfront", service, wire.WriteXMLError)
	client := sdk.New(sdk.Options{Region: fronttest.Region, BaseEndpoint: &outside.URL, Credentials: fronttest.Keys(root)})
	for seed := range 20 {
		drawn := rapid.Custom(func(t *rapid.T) *world {
			w := &world{t: t, service: service, caller: root.Caller, name: strconv.Itoa(seed)}
			w.distribute("")
			return w
		}).Example(seed)
		var policies []plan.Policy
		for _, p := range drawn.ownPolicies() {
			out, err := client.GetCachePolicy(t.Context(), &sdk.GetCachePolicyInput{Id: &p.ID})
			if err != nil {
				t.Fatal(err)
			}
			policies = append(policies, read(t, plan.FromPolicy, out))
		}
		out, err := client.GetDistributionConfig(t.Context(), &sdk.GetDistributionConfigInput{Id: &drawn.distribution.ID})
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, func(text []byte) (plan.Distribution, error) { return plan.FromConfig(text, policies...) }, out)
		want := drawn.planned(true)
		want.ID = "" // get-distribution-config does not say it
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// read takes an answer as the AWS CLI prints it.
func read[T any](t *testing.T, from func([]byte) (T, error), answer any) T {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := from(text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
