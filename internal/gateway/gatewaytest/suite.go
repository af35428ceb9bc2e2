package gatewaytest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// distribution is the one that the suite's CloudFront knows.
const distribution = "E2EXAMPLE"

// Run checks the contract on the small CloudFront here, and besides what only it can show: long
// lists, answers that are none of AWS's, and the region that calls are signed for. dial makes a
// gateway that reaches the given CloudFront, as target.
func Run(t *testing.T, route target.Route, dial func(t *testing.T, at *CloudFront) gateway.Gateway) {
	start := func(t *testing.T) (*CloudFront, gateway.Gateway) {
		at := &CloudFront{Distribution: distribution}
		return at, dial(t, at)
	}
	t.Run("contract", func(t *testing.T) {
		Contract(t, &small{CloudFront: &CloudFront{Distribution: distribution}, route: route, dial: dial})
	})
	t.Run("describes the distribution", func(t *testing.T) {
		at, gate := start(t)
		got, err := gate.Distribution(t.Context())
		want := plan.Distribution{
			ID: distribution, Account: "222222222222", Domain: "d1.cloudfront.net", Aliases: []string{"www.example.com"},
			DefaultRootObject: "index.html", Enabled: true, CacheTagHeader: "x-amz-meta-cache-tag",
			Status: "Deployed", ETag: "E2QWRUHAPOMQZL",
			Origins: []plan.Origin{{ID: "site", Domain: bucket + ".s3.eu-west-1.amazonaws.com", Bucket: bucket}},
		}
		want.Default = got.Default // as plan reads it
		if len(want.Default.Origins) != 1 || want.Default.Policy.Unknown || !want.Default.Compress {
			t.Errorf("default behavior %+v", want.Default)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if !slices.Equal(at.Regions(), []string{"us-east-1"}) {
			t.Errorf("calls were signed for %v", at.Regions())
		}
	})
	t.Run("takes tags", func(t *testing.T) {
		_, gate := start(t)
		made, err := gate.Create(t.Context(), batch(t, "job", distribution, "/a", "#Product"))
		if err != nil || !slices.Equal(made.Items, []string{"#product", "/a"}) {
			t.Error(made, err)
		}
	})
	t.Run("finds a reference among many", func(t *testing.T) { replays(t, start) })
	t.Run("lists what is in progress among many", func(t *testing.T) { lists(t, start) })
	t.Run("believes AWS's answers only", func(t *testing.T) { reports(t, start) })
}

// small is the small CloudFront as a World.
type small struct {
	*CloudFront
	route target.Route
	dial  func(t *testing.T, at *CloudFront) gateway.Gateway
}

func (s *small) Target() target.Target {
	return target.Target{Route: s.route, Distribution: s.Distribution, Account: "222222222222"}
}

func (s *small) Dial(t *testing.T) gateway.Gateway { return s.dial(t, s.CloudFront) }

func (s *small) Pass(*testing.T) { s.Complete() }

func (s *small) Machine() bool { return false }

func (s *small) Made() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

func (s *small) Strike(call string, trouble Trouble) (ended func() int) {
	struck := 0
	set := func(f func(string) *Trouble) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Trouble = f
	}
	set(func(c string) *Trouble {
		if c != call {
			return nil
		}
		struck++
		return &trouble
	})
	return func() int {
		set(nil)
		return struck
	}
}

func (s *small) Deny(_ *testing.T, action string) (ended func()) {
	_, call, _ := strings.Cut(action, ":")
	resource := "arn:aws:cloudfront::222222222222:distribution/" + s.Distribution
	if call == "GetObject" {
		resource = `"arn:aws:s3:::` + bucket + `/empty"`
	}
	undo := s.Strike(call, Trouble{
		Status: http.StatusForbidden, Code: "AccessDenied", S3: call == "GetObject",
		Message: fmt.Sprintf("User: arn:aws:sts::222222222222:assumed-role/invalidator/s is not authorized to perform: %s on resource: "+
			"%s because no identity-based policy allows the %[1]s action", action, resource),
	})
	return func() { undo() }
}

func (s *small) Put(_ *testing.T, key, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Bucket == nil {
		s.Bucket = map[string]string{}
	}
	s.Bucket[key] = body
}

type starter func(t *testing.T) (*CloudFront, gateway.Gateway)

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
		{Trouble{Status: 500, Code: "InternalError", Message: "broken"}, "InternalError", true},
		{Trouble{Status: 503, Code: "", Message: "a proxy's page"}, gateway.ServiceUnavailable, true},
		{Trouble{Status: 429, Code: "", Message: "a proxy's page"}, gateway.TooManyRequestsException, true},
		{Trouble{Status: 403, Code: "", Message: "a proxy's page"}, gateway.AccessDenied, false},
		{Trouble{Status: 400, Code: "InvalidArgument", Message: "Your request contains one or more invalid invalidation paths."}, gateway.InvalidArgument, false},
		{Trouble{Status: 200, Code: "", Message: "not an invalidation at all"}, gateway.BadAnswer, false},
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
