package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// distribution is the one that the suite's CloudFront knows.
const distribution = "E2EXAMPLE"

// Run checks what a gateway of any route MUST do. dial makes one that reaches the given CloudFront.
func Run(t *testing.T, dial func(t *testing.T, at *CloudFront) gateway.Gateway) {
	start := func(t *testing.T) (*CloudFront, gateway.Gateway) {
		at := &CloudFront{Distribution: distribution}
		return at, dial(t, at)
	}
	t.Run("describes the distribution", func(t *testing.T) {
		_, gate := start(t)
		got, err := gate.Distribution(t.Context())
		want := plan.Distribution{
			ID: distribution, Account: "222222222222", Domain: "d1.cloudfront.net", Aliases: []string{"www.example.com"},
			DefaultRootObject: "index.html", Enabled: true, CacheTagHeader: "x-amz-meta-cache-tag",
			Status: "Deployed", ETag: "E2QWRUHAPOMQZL",
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
	t.Run("creates and follows", func(t *testing.T) { createsAndFollows(t, start) })
	t.Run("replays a reference", func(t *testing.T) { replays(t, start) })
	t.Run("lists what is in progress", func(t *testing.T) { lists(t, start) })
	t.Run("reports errors and does not retry", func(t *testing.T) { reports(t, start) })
	t.Run("explains a refusal", func(t *testing.T) { explains(t, start) })
	t.Run("refuses another distribution", func(t *testing.T) {
		at, gate := start(t)
		_, err := gate.Create(t.Context(), batch(t, "job", "E9OTHER", "/*"))
		if code(err) != gateway.DistributionNotAllowed || len(at.Calls()) != 0 {
			t.Error(err, at.Calls())
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		_, gate := start(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := gate.InProgress(ctx)
		if code(err) != gateway.Canceled || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

type starter func(t *testing.T) (*CloudFront, gateway.Gateway)

func createsAndFollows(t *testing.T, start starter) {
	at, gate := start(t)
	asked := batch(t, "job", distribution, "/index.html", "/a&b", "/docs/*", "#Product")
	made, err := gate.Create(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	want := invalidation.Invalidation{
		ID: made.ID, Distribution: distribution, Reference: asked.Reference, Status: invalidation.InProgress,
		Items: []string{"#product", "/a&b", "/docs/*", "/index.html"}, Created: made.Created,
	}
	if diff := cmp.Diff(want, made); diff != "" || made.ID == "" || made.Created.IsZero() {
		t.Error(diff, made)
	}
	at.Complete()
	got, err := gate.Get(t.Context(), made.ID)
	want.Status = invalidation.Completed
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if !slices.Equal(at.Regions(), []string{"us-east-1"}) {
		t.Errorf("calls were signed for %v", at.Regions())
	}
}

// replays checks all known answers to a used reference: the earlier invalidation comes back if it
// purges the same, and never otherwise.
func replays(t *testing.T, start starter) {
	asked := batch(t, "job", distribution, "/a", "/b*")
	for _, replay := range []Replay{GivesEarlier, Exists, Used} {
		at, gate := start(t)
		at.Replay = replay
		first, err := gate.Create(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 130 { // enough to need a second page
			at.Add(fmt.Sprint("later", i), "Completed", "/x")
		}
		again, err := gate.Create(t.Context(), asked)
		if diff := cmp.Diff(first, again); diff != "" || err != nil {
			t.Errorf("replay %d: %s %v", replay, diff, err)
		}
		other := asked
		other.Items = []invalidation.Item{"/a"}
		if _, err := gate.Create(t.Context(), other); code(err) != gateway.ReferenceReused {
			t.Errorf("replay %d with other items: %v", replay, err)
		}
		for i := range 200 { // out of reach
			at.Add(fmt.Sprint("latest", i), "Completed", "/x")
		}
		_, err = gate.Create(t.Context(), asked)
		if found := replay == GivesEarlier; found != (err == nil) || !found && code(err) != gateway.ReferenceNotFound {
			t.Errorf("replay %d after 330 others: %v", replay, err)
		}
	}
}

func lists(t *testing.T, start starter) {
	at, gate := start(t)
	if none, err := gate.InProgress(t.Context()); err != nil || len(none) != 0 {
		t.Error(none, err)
	}
	at.Add("forgotten", "InProgress", "/old") // behind a full page of completed ones: not looked for
	for i := range 120 {
		at.Add(fmt.Sprint("done", i), "Completed", "/x")
	}
	older := at.Add("r1", "InProgress", "/a", "/b*")
	for i := range 99 {
		at.Add(fmt.Sprint("between", i), "Completed", "/x")
	}
	newer := at.Add("r2", "InProgress", "/c")
	got, err := gate.InProgress(t.Context())
	if err != nil || len(got) != 2 || got[0].ID != newer || got[1].ID != older || !slices.Equal(got[1].Items, []string{"/a", "/b*"}) {
		t.Error(got, err)
	}
}

func reports(t *testing.T, start starter) {
	tests := []struct {
		trouble   Trouble
		code      string
		temporary bool
	}{
		{Trouble{400, "TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress invalidations."}, gateway.TooManyInvalidationsInProgress, true},
		{Trouble{400, "Throttling", "Rate exceeded"}, gateway.Throttling, true},
		{Trouble{503, "ServiceUnavailable", "busy"}, gateway.ServiceUnavailable, true},
		{Trouble{500, "InternalError", "broken"}, "InternalError", true},
		{Trouble{503, "", "a proxy's page"}, gateway.ServiceUnavailable, true},
		{Trouble{429, "", "a proxy's page"}, gateway.TooManyRequestsException, true},
		{Trouble{403, "", "a proxy's page"}, gateway.AccessDenied, false},
		{Trouble{413, "BatchTooLarge", "Invalidation batch specified is too large."}, gateway.BatchTooLarge, false},
		{Trouble{404, "NoSuchDistribution", "The specified distribution does not exist."}, gateway.NoSuchDistribution, false},
		{Trouble{400, "InvalidArgument", "Your request contains one or more invalid invalidation paths."}, gateway.InvalidArgument, false},
		{Trouble{200, "", "not an invalidation at all"}, gateway.BadAnswer, false},
	}
	for _, tt := range tests {
		at, gate := start(t)
		at.Trouble = func(string) *Trouble { return &tt.trouble }
		_, err := gate.Create(t.Context(), batch(t, "job", distribution, "/*"))
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Temporary != tt.temporary || e.Operation != "create invalidation" {
			t.Errorf("%v: %#v", tt.trouble, err)
		}
		if tt.trouble.Code != "" && !strings.Contains(err.Error(), tt.trouble.Message) {
			t.Errorf("%v: %v", tt.trouble, err)
		}
		if calls := at.Calls(); len(calls) != 1 {
			t.Errorf("%v: %d calls", tt.trouble, len(calls))
		}
	}
	_, gate := start(t)
	if _, err := gate.Get(t.Context(), "INONE"); code(err) != gateway.NoSuchInvalidation {
		t.Error(err)
	}
}

func explains(t *testing.T, start starter) {
	at, gate := start(t)
	const resource = "arn:aws:cloudfront::222222222222:distribution/" + distribution
	at.Trouble = func(call string) *Trouble {
		return &Trouble{http.StatusForbidden, "AccessDenied", "User: arn:aws:sts::222222222222:assumed-role/invalidator/s is not authorized to perform: cloudfront:" +
			call + " on resource: " + resource + " because no identity-based policy allows the cloudfront:" + call + " action"}
	}
	calls := map[string]func() error{
		"GetDistribution":    func() error { _, err := gate.Distribution(t.Context()); return err },
		"CreateInvalidation": func() error { _, err := gate.Create(t.Context(), batch(t, "j", distribution, "/*")); return err },
		"GetInvalidation":    func() error { _, err := gate.Get(t.Context(), "I1"); return err },
		"ListInvalidations":  func() error { _, err := gate.InProgress(t.Context()); return err },
	}
	for call, do := range calls {
		var e *gateway.Error
		if err := do(); !errors.As(err, &e) || e.Code != gateway.AccessDenied || e.Temporary ||
			e.Caller != "arn:aws:sts::222222222222:assumed-role/invalidator/s" || e.Action != "cloudfront:"+call || e.Resource != resource ||
			e.Try != fmt.Sprintf("allow cloudfront:%s on %s in a policy of role invalidator of account 222222222222", call, resource) {
			t.Errorf("%s: %#v", call, err)
		}
	}
}

func batch(t *testing.T, attempt, distribution string, items ...invalidation.Item) invalidation.Batch {
	t.Helper()
	b, err := invalidation.NewBatch(attempt, distribution, items)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// code is the code of an error, "" when it has none.
func code(err error) string {
	var e *gateway.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
