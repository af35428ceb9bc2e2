package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// World is a CloudFront with one distribution behind one route, and what the contract does to it.
type World interface {
	// Target is the distribution with its account, and the route.
	Target() target.Target
	// Dial makes a gateway as another process would: nothing is shared with earlier ones.
	Dial(t *testing.T) gateway.Gateway
	// Pass lets so much of AWS's time pass that what is in progress completes.
	Pass(t *testing.T)
	// Strike makes CloudFront answer a call, e.g. "CreateInvalidation", with trouble. ended ends that
	// and tells how often it struck.
	Strike(call string, trouble Trouble) (ended func() int)
	// Deny takes a permission, e.g. "cloudfront:CreateInvalidation", from whoever calls CloudFront.
	Deny(t *testing.T, action string) (ended func())
	// Put stores an object in the bucket behind the distribution.
	Put(t *testing.T, key, body string)
	// Made is how many invalidations CloudFront has made so far.
	Made() int
	// Machine says that a state machine carries the purge out. It knows its own invalidations only,
	// tries again by itself, and what it gives up is final.
	Machine() bool
}

// Contract checks what a gateway of any route MUST do:
//
//   - Distribution MUST describe the distribution as its owner configured it, or answer what is known
//     with the code Unsupported; it MUST NOT make anything up.
//   - Create MUST give CloudFront's ID, the batch's reference and its items. Get MUST give the same
//     with the status as CloudFront tells it, until it is completed.
//   - Create with a reference that was used before MUST give the invalidation that exists, from
//     another process too, whichever of the known answers CloudFront gives; it MUST NOT pay again.
//     With other items it MUST answer ReferenceReused.
//   - InProgress MUST list what is not completed, newest first, with items and references, and
//     nothing that is.
//   - Whatever AWS refuses MUST come back as an *Error with AWS's code, the operation, the route and
//     the distribution. A gateway MUST NOT try again by itself; whether a later try may succeed it
//     MUST say by Temporary.
//   - A denial MUST name the caller, the action, the resource and what to do.
//   - Objects MUST tell of each key, in the order asked for, whether the origin holds it, its size and,
//     of what is small, its CRC-32; a denial MUST name s3:GetObject. What cannot be looked at MUST be
//     refused with the code Unsupported.
//   - A batch for another distribution MUST be refused without a call.
//   - Every operation MUST end with its context, also in the middle of a call, with the code
//     Canceled or RequestTimeout.
//
// The cases run one after the other on one world.
func Contract(t *testing.T, w World) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, World)
	}{
		{"describes the distribution, or says that it cannot", describes},
		{"creates, and follows to completion", follows},
		{"pays once for a reference", paysOnce},
		{"lists what is in progress", listsInProgress},
		{"reports what AWS refuses", reportsRefusals},
		{"refuses bad items", refusesItems},
		{"explains a denial", explainsDenials},
		{"looks at the origin", looksAtOrigin},
		{"refuses another distribution", refusesOthers},
		{"ends with its context", endsWithContext},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.Pass(t)
			c.run(t, w)
		})
	}
}

func describes(t *testing.T, w World) {
	want := w.Target()
	d, err := w.Dial(t).Distribution(t.Context())
	if w.Machine() {
		if diff := cmp.Diff(plan.Distribution{ID: want.Distribution, Account: want.Account}, d); diff != "" || code(err) != gateway.Unsupported {
			t.Error(diff, err)
		}
		return
	}
	if err != nil || d.ID != want.Distribution || d.Account != want.Account || !strings.HasSuffix(d.Domain, ".cloudfront.net") ||
		d.DefaultRootObject != "index.html" || !d.Enabled || d.Status == "" || d.ETag == "" {
		t.Errorf("%+v, %v", d, err)
	}
}

func looksAtOrigin(t *testing.T, w World) {
	gate := w.Dial(t)
	d, err := gate.Distribution(t.Context())
	if w.Machine() {
		if _, err := gate.Objects(t.Context(), plan.Origin{ID: "site", Bucket: "b"}, []string{"a"}); code(err) != gateway.Unsupported {
			t.Error(err)
		}
		return
	}
	if err != nil || len(d.Origins) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	want := []gateway.Stored{}
	var keys []string
	for key, body := range map[string]string{"a b/ü+%.html": "one", "kept.summed": "two", "empty": ""} {
		w.Put(t, key, body)
		keys = append(keys, key)
		want = append(want, gateway.Stored{
			Key: key, Found: true, Size: int64(len(body)), Summed: true, CRC32: crc32.ChecksumIEEE([]byte(body)),
		})
	}
	keys, want = append(keys, "missing"), append(want, gateway.Stored{Key: "missing"})
	got, err := gate.Objects(t.Context(), d.Origins[0], keys)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for name, origin := range map[string]plan.Origin{
		"a server": {ID: "site", Domain: "www.example.com"},
		"website":  {ID: "site", Bucket: d.Origins[0].Bucket, Website: true},
	} {
		if _, err := gate.Objects(t.Context(), origin, keys); code(err) != gateway.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, keys := range map[string][]string{"too many": make([]string, gateway.MaxKeys+1), "no key": {""}} {
		if _, err := gate.Objects(t.Context(), d.Origins[0], keys); code(err) != gateway.BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	defer w.Deny(t, "s3:GetObject")()
	_, err = gate.Objects(t.Context(), d.Origins[0], []string{"empty"})
	e := refusal(t, w, err, gateway.AccessDenied, "read origin site")
	if e.Caller == "" || e.Action != "s3:GetObject" || !strings.HasSuffix(e.Resource, "/empty") || e.Try == "" {
		t.Errorf("%+v", e)
	}
}

func follows(t *testing.T, w World) {
	gate, asked := w.Dial(t), attempt(t, w, "follow", "/index.html", "/a&b", "/docs/*")
	made, err := gate.Create(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	want := invalidation.Invalidation{
		ID: made.ID, Distribution: w.Target().Distribution, Reference: asked.Reference, Status: invalidation.InProgress,
		Items: []string{"/a&b", "/docs/*", "/index.html"}, Created: made.Created,
	}
	if diff := cmp.Diff(want, made); diff != "" || made.ID == "" || made.Created.IsZero() {
		t.Error(diff, made)
	}
	want.Status = invalidation.Completed
	for name, g := range map[string]gateway.Gateway{"its maker": gate, "another process": w.Dial(t)} {
		got := eventually(t, w, name, func() (invalidation.Invalidation, bool) {
			got, err := g.Get(t.Context(), made.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got, got.Status.Done()
		})
		if diff := cmp.Diff(want, got, whenever); diff != "" || got.Created.IsZero() {
			t.Error(name, diff)
		}
	}
}

// whenever compares without the time of creation: a world may date things by how long ago they are.
var whenever = cmpopts.IgnoreFields(invalidation.Invalidation{}, "Created")

// eventually lets time pass until look is content.
func eventually[T any](t *testing.T, w World, what string, look func() (T, bool)) T {
	t.Helper()
	for range 500 {
		if got, ok := look(); ok {
			return got
		}
		w.Pass(t)
	}
	t.Fatalf("%s: it never came to it", what)
	panic("unreachable")
}

// Answers that CloudFront is known to give for a reference that was used before; see reference.go of
// package gateway.
var (
	exists = Trouble{Status: 400, Code: "InvalidationBatchAlreadyExists", Message: "The invalidation batch already exists."}
	used   = Trouble{Status: 400, Code: "InvalidArgument", Message: "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution."}
)

func paysOnce(t *testing.T, w World) {
	asked := attempt(t, w, "once", "/a", "/b*")
	first, err := w.Dial(t).Create(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	made := w.Made()
	for name, trouble := range map[string]*Trouble{"earlier": nil, "exists": &exists, "used": &used} {
		ended := func() int { return 0 }
		if trouble != nil {
			ended = w.Strike("CreateInvalidation", *trouble)
		}
		again, err := w.Dial(t).Create(t.Context(), asked)
		again.Status = first.Status // that it goes on meanwhile is no matter
		if diff := cmp.Diff(first, again, whenever); diff != "" || err != nil {
			t.Errorf("%s: %s %v", name, diff, err)
		}
		other := asked
		other.Items = []invalidation.Item{"/a"}
		if _, err := w.Dial(t).Create(t.Context(), other); code(err) != gateway.ReferenceReused {
			t.Errorf("%s, with other items: %v", name, err)
		}
		ended()
	}
	if got := w.Made(); got != made {
		t.Errorf("%d invalidations were made on top", got-made)
	}
}

func listsInProgress(t *testing.T, w World) {
	gate := w.Dial(t)
	none := func() ([]invalidation.Invalidation, bool) {
		list, err := gate.InProgress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list, len(list) == 0
	}
	eventually(t, w, "the beginning", none)
	var want []invalidation.Invalidation
	for i, items := range [][]invalidation.Item{{"/a", "/b*"}, {"/c"}} {
		made, err := gate.Create(t.Context(), attempt(t, w, fmt.Sprint("list", i), items...))
		if err != nil {
			t.Fatal(err)
		}
		want = append([]invalidation.Invalidation{made}, want...)
	}
	list, err := gate.InProgress(t.Context())
	if diff := cmp.Diff(want, list, whenever); diff != "" || err != nil {
		t.Error(diff, err)
	}
	eventually(t, w, "the end", none)
}

func reportsRefusals(t *testing.T, w World) {
	for i, tt := range []struct {
		trouble   Trouble
		temporary bool
	}{
		{Trouble{Status: 400, Code: "TooManyInvalidationsInProgress", Message: "Processing your request will cause you to exceed the maximum number of in-progress invalidations."}, true},
		{Trouble{Status: 400, Code: "Throttling", Message: "Rate exceeded"}, true},
		{Trouble{Status: 503, Code: "ServiceUnavailable", Message: "CloudFront is temporarily unavailable."}, true},
		{Trouble{Status: 413, Code: "BatchTooLarge", Message: "Invalidation batch specified is too large."}, false},
		{Trouble{Status: 404, Code: "NoSuchDistribution", Message: "The specified distribution does not exist."}, false},
	} {
		made := w.Made()
		ended := w.Strike("CreateInvalidation", tt.trouble)
		_, err := w.Dial(t).Create(t.Context(), attempt(t, w, fmt.Sprint("refusal", i), "/*"))
		struck := ended()
		e := refusal(t, w, err, tt.trouble.Code, "create invalidation")
		if !strings.Contains(e.Message, tt.trouble.Message) || e.Temporary != (tt.temporary && !w.Machine()) {
			t.Errorf("%s: %#v", tt.trouble.Code, e)
		}
		if struck != 1 && !w.Machine() || struck == 0 || w.Made() != made {
			t.Errorf("%s: %d calls, %d made", tt.trouble.Code, struck, w.Made()-made)
		}
	}
	_, err := w.Dial(t).Get(t.Context(), "INONE")
	refusal(t, w, err, gateway.NoSuchInvalidation, "read invalidation INONE")
}

// refusal checks what every error says.
func refusal(t *testing.T, w World, err error, code, operation string) *gateway.Error {
	t.Helper()
	var e *gateway.Error
	want := w.Target()
	if !errors.As(err, &e) {
		t.Fatalf("%s: %#v is no *gateway.Error", code, err)
	}
	// A relay may leave the distribution to its invalidator, and then does not know it.
	unnamed := want.Route == target.Relay && e.Distribution == ""
	if e.Code != code || e.Operation != operation || e.Route != want.Route || e.Distribution != want.Distribution && !unnamed {
		t.Errorf("want %s of %s: %#v", code, operation, e)
	}
	return e
}

// Items are checked where batches are made. What comes past that is refused by whoever sees it first.
func refusesItems(t *testing.T, w World) {
	bad := attempt(t, w, "bad", "/*")
	bad.Items = []invalidation.Item{"index.html"}
	made := w.Made()
	_, err := w.Dial(t).Create(t.Context(), bad)
	if e := refusal(t, w, err, gateway.InvalidArgument, "create invalidation"); e.Temporary || w.Made() != made {
		t.Errorf("%#v", e)
	}
}

func explainsDenials(t *testing.T, w World) {
	gate, made := w.Dial(t), w.Made()
	at := w.Target()
	resource := fmt.Sprintf("arn:aws:cloudfront::%s:distribution/%s", at.Account, at.Distribution)
	calls := []struct {
		action string
		do     func() error
	}{
		{"CreateInvalidation", func() error {
			_, err := gate.Create(t.Context(), attempt(t, w, "denied", "/*"))
			return err
		}},
		{"GetDistribution", func() error { _, err := gate.Distribution(t.Context()); return err }},
		{"GetInvalidation", func() error { _, err := gate.Get(t.Context(), "I1"); return err }},
		{"ListInvalidations", func() error { _, err := gate.InProgress(t.Context()); return err }},
	}
	if w.Machine() {
		calls = calls[:1]
	}
	for _, c := range calls {
		ended := w.Deny(t, "cloudfront:"+c.action)
		err := c.do()
		ended()
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.AccessDenied || e.Temporary || e.Action != "cloudfront:"+c.action || e.Resource != resource {
			t.Errorf("%s: %#v", c.action, err)
			continue
		}
		if !strings.HasPrefix(e.Caller, "arn:aws:sts::"+at.Account+":assumed-role/") {
			t.Errorf("%s: refused to %q, who is not of the distribution's account", c.action, e.Caller)
		}
		if !w.Machine() && !strings.HasPrefix(e.Try, fmt.Sprintf("allow %s on %s in a policy of role ", e.Action, resource)) || e.Try == "" {
			t.Errorf("%s: try %q", c.action, e.Try)
		}
	}
	if got := w.Made(); got != made {
		t.Errorf("%d invalidations were made", got-made)
	}
}

func refusesOthers(t *testing.T, w World) {
	other, err := invalidation.NewBatch("other", "E9OTHER", []invalidation.Item{"/*"})
	if err != nil {
		t.Fatal(err)
	}
	ended := w.Strike("CreateInvalidation", exists)
	_, err = w.Dial(t).Create(t.Context(), other)
	refusal(t, w, err, gateway.DistributionNotAllowed, "create invalidation")
	if struck := ended(); struck != 0 {
		t.Errorf("CloudFront was asked %d times", struck)
	}
}

func endsWithContext(t *testing.T, w World) {
	gate := w.Dial(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	operations := []func(context.Context) error{
		func(ctx context.Context) error { _, err := gate.InProgress(ctx); return err },
		func(ctx context.Context) error { _, err := gate.Get(ctx, "I1"); return err },
		func(ctx context.Context) error {
			_, err := gate.Create(ctx, attempt(t, w, "canceled", "/*"))
			return err
		},
	}
	if !w.Machine() {
		operations = append(operations, func(ctx context.Context) error { _, err := gate.Distribution(ctx); return err })
	}
	for i, operation := range operations {
		if err := operation(over); code(err) != gateway.Canceled || !errors.Is(err, context.Canceled) {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	// In the middle of a call that is not answered.
	ended := w.Strike("CreateInvalidation", Trouble{Hang: true})
	defer ended()
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := gate.Create(short, attempt(t, w, "hangs", "/*"))
	if took := time.Since(began); code(err) != gateway.RequestTimeout || took > 5*time.Second {
		t.Errorf("%v after %s", err, took)
	}
}

// attempt makes a batch for the world's distribution.
func attempt(t *testing.T, w World, name string, items ...invalidation.Item) invalidation.Batch {
	t.Helper()
	return batch(t, t.Name()+name, w.Target().Distribution, slices.Clone(items)...)
}
