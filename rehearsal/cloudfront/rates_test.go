package cloudfront_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

// Each account has an allowance for each operation that is throttled, which denied calls use up as well.
func TestRates(t *testing.T) {
	rates := cloudfront.FieldRates()
	rates["GetDistribution"] = cloudfront.Rate{PerSecond: 2, Burst: 3}
	w := newWorld(t, cloudfront.Options{Rates: rates})
	id, root, other := w.site(nil).Ref, w.client(deliveryAccount), w.client(pipelineAccount)
	may := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudfront:Get*","Resource":"*"}]}`
	reader := w.user(deliveryAccount, "reader", may)
	try := func(c *sdk.Client, what, want string) {
		t.Helper()
		_, err := create(t.Context(), c, id, what, "/x")
		if got, _ := code(err); got != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	try(root, "first", "")
	try(root, "at once", "Throttling")
	try(other, "another account, and not its distribution", "AccessDenied")
	w.clock.Advance(time.Second)
	try(root, "too soon", "Throttling")
	w.clock.Advance(time.Second)
	try(root, "in time", "")
	w.clock.Advance(time.Hour)
	try(reader, "denied", "AccessDenied")
	try(root, "nothing more was saved up", "Throttling")

	for n, want := range []string{"", "", "", "Throttling"} {
		if _, err := reader.GetDistribution(t.Context(), &sdk.GetDistributionInput{Id: &id}); err != nil || want != "" {
			if got, text := code(err); got != want || text != "Rate exceeded" {
				t.Errorf("GetDistribution %d: %v, want %q", n+1, err, want)
			}
		}
	}
	for range 20 {
		if _, err := root.ListInvalidations(t.Context(), &sdk.ListInvalidationsInput{DistributionId: &id}); err != nil {
			t.Fatalf("an operation without a rate: %v", err)
		}
	}
	calls := w.journal.Calls()
	throttled := 0
	for _, c := range calls {
		if c.Statement == "throttle" {
			throttled++
			if c.Decision != "deny" || c.Account != deliveryAccount || c.Remedy != "" || !strings.HasPrefix(c.Reason, "the account makes more than ") {
				t.Errorf("%+v", c)
			}
		}
	}
	if throttled != 4 {
		t.Errorf("%d throttled calls in the journal", throttled)
	}
}
