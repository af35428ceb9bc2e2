package invalidator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/invalidator"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// fake is a distribution's gateway that remembers what it was asked.
type fake struct {
	id    string
	fail  error
	asked []string
}

func (f *fake) record(format string, args ...any) error {
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	return f.fail
}

func (f *fake) Distribution(context.Context) (plan.Distribution, error) {
	return plan.Distribution{ID: f.id, Origins: []plan.Origin{{ID: "site", Bucket: "bucket-of-" + f.id}}}, f.record("distribution")
}

func (f *fake) Objects(_ context.Context, origin plan.Origin, keys []string) ([]gateway.Stored, error) {
	all := make([]gateway.Stored, len(keys))
	for i, key := range keys {
		all[i] = gateway.Stored{Key: key, Found: true, Size: 7}
	}
	return all, f.record("objects of %s %q", origin.Bucket, keys)
}

func (f *fake) Create(_ context.Context, b invalidation.Batch) (invalidation.Invalidation, error) {
	items := make([]string, len(b.Items))
	for i, item := range b.Items {
		items[i] = item.String()
	}
	return invalidation.Invalidation{ID: "I1", Distribution: f.id, Reference: b.Reference, Items: items, Status: invalidation.InProgress},
		f.record("create %s %q %s", b.Distribution, items, b.Reference)
}

func (f *fake) Get(_ context.Context, id string) (invalidation.Invalidation, error) {
	return invalidation.Invalidation{ID: id, Distribution: f.id, Status: invalidation.Completed}, f.record("get %s", id)
}

func (f *fake) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	if _, bounded := ctx.Deadline(); bounded {
		<-ctx.Done()
		return nil, &gateway.Error{Code: gateway.RequestTimeout, Message: "time is up", Temporary: true}
	}
	return nil, f.record("in progress")
}

// world is a handler of distributions E1 and E2, or E1 alone.
func world(t *testing.T, ids ...string) (*invalidator.Handler, map[string]*fake, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	fakes, gateways := map[string]*fake{}, map[string]invalidator.Gateway{}
	for _, id := range ids {
		fakes[id] = &fake{id: id}
		gateways[id] = fakes[id]
	}
	now := time.Unix(0, 0)
	return &invalidator.Handler{
		Gateways: gateways,
		Log:      slog.New(slog.NewJSONHandler(&log, nil)),
		Now:      func() time.Time { now = now.Add(20 * time.Millisecond); return now },
	}, fakes, &log
}

func handle(t *testing.T, h *invalidator.Handler, ctx context.Context, event string) gateway.Response {
	t.Helper()
	raw, err := h.Handle(ctx, json.RawMessage(event))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	var r gateway.Response
	if err := json.Unmarshal(raw, &r); err != nil || r.Version != 1 {
		t.Fatalf("%s: %s, %v", event, raw, err)
	}
	return r
}

func TestOperations(t *testing.T) {
	tests := []struct{ event, asked, answer string }{
		{`{"version":1,"operation":"distribution"}`, "distribution", `{"version":1,"distribution":{"id":"E1","account":"","domain":"","enabled":false,"status":"","etag":"","origins":[{"id":"site","domain":"","bucket":"bucket-of-E1"}]}}`},
		{
			`{"version":1,"operation":"create","distribution":"E1","items":["/b","/a","/a*","#T"],"reference":"r-1"}`, `create E1 ["#t" "/a*" "/b"] r-1`,
			`{"version":1,"invalidation":{"id":"I1","distribution":"E1","reference":"r-1","items":["#t","/a*","/b"],"status":"InProgress","created":"0001-01-01T00:00:00Z"}}`,
		},
		{
			`{"version":1,"operation":"get","id":"I7"}`, "get I7",
			`{"version":1,"invalidation":{"id":"I7","distribution":"E1","reference":"","items":null,"status":"Completed","created":"0001-01-01T00:00:00Z"}}`,
		},
		{`{"version":1,"operation":"inProgress"}`, "in progress", `{"version":1,"invalidations":[]}`},
		{
			`{"version":1,"operation":"objects","origin":"site","keys":["a"]}`, `distribution; objects of bucket-of-E1 ["a"]`,
			`{"version":1,"objects":[{"key":"a","found":true,"size":7,"summed":false,"crc32":0}]}`,
		},
		{
			`{"version":1,"operation":"objects","origin":"other","keys":["a"]}`, "distribution",
			`{"version":1,"error":{"code":"BadRequest","message":"distribution E1 has no origin \"other\""}}`,
		},
	}
	for _, tt := range tests {
		h, fakes, _ := world(t, "E1")
		answer, err := h.Handle(t.Context(), json.RawMessage(tt.event))
		if err != nil || string(answer) != tt.answer || strings.Join(fakes["E1"].asked, "; ") != tt.asked {
			t.Errorf("%s: %s, %v, asked %q", tt.event, answer, err, fakes["E1"].asked)
		}
	}
}

func TestAllowList(t *testing.T) {
	tests := []struct {
		name    string
		allowed []string
		named   string
		served  string // "" when refused
		message string
	}{
		{"the single one, unnamed", []string{"E1"}, "", "E1", ""},
		{"named", []string{"E1", "E2"}, "E2", "E2", ""},
		{"not listed", []string{"E2", "E1"}, "E3", "", `this invalidator does not serve distribution "E3", only E1, E2`},
		{"case matters", []string{"E1"}, "e1", "", `does not serve distribution "e1", only E1`},
		{"unnamed among several", []string{"E1", "E2"}, "", "", "names no distribution; this invalidator serves E1, E2"},
	}
	for _, tt := range tests {
		h, fakes, _ := world(t, tt.allowed...)
		r := handle(t, h, t.Context(), fmt.Sprintf(`{"version":1,"operation":"create","distribution":%q,"items":["/*"],"reference":"r"}`, tt.named))
		if tt.served == "" {
			if r.Error == nil || r.Error.Code != gateway.DistributionNotAllowed || !strings.Contains(r.Error.Message, tt.message) || r.Error.Try == "" {
				t.Errorf("%s: %+v", tt.name, r.Error)
			}
		} else if r.Error != nil || r.Invalidation.Distribution != tt.served {
			t.Errorf("%s: %+v", tt.name, r)
		}
		for id, f := range fakes {
			if (len(f.asked) > 0) != (id == tt.served) {
				t.Errorf("%s: %s was asked %q", tt.name, id, f.asked)
			}
		}
	}
}

// Whatever the other account checked, this one checks again, and then nothing is done.
func TestRefusesBadBatches(t *testing.T) {
	many := `"/0*"`
	for i := 1; i < 16; i++ {
		many += fmt.Sprintf(`,"/%d-/*"`, i)
	}
	tests := []struct{ items, reference, want string }{
		{`"index.html"`, "r", `a path begins with "/"`},
		{`"/a*b"`, "r", `"*" may only be the last character`},
		{`"/a","/é"`, "r", "must be percent-encoded"},
		{`"#a,b"`, "r", "a tag has printable ASCII characters only"},
		{`"/*"`, "r r", "check reference"},
		{`"/*"`, strings.Repeat("r", 129), "check reference"},
		{many, "r", "wildcards, more than the 15"},
	}
	for _, tt := range tests {
		h, fakes, log := world(t, "E1")
		r := handle(t, h, t.Context(), fmt.Sprintf(`{"version":1,"operation":"create","items":[%s],"reference":%q}`, tt.items, tt.reference))
		if r.Error == nil || r.Error.Code != gateway.InvalidArgument || !strings.Contains(r.Error.Message, tt.want) || len(fakes["E1"].asked) > 0 {
			t.Errorf("%s: %+v, asked %q", tt.items, r.Error, fakes["E1"].asked)
		}
		if log.Len() > 2000 {
			t.Errorf("%s: the log has %d bytes", tt.items, log.Len())
		}
	}
}

// AWS's errors reach the other account as data, so that it can tell what to try again.
func TestErrorsTravelInTheAnswer(t *testing.T) {
	h, fakes, log := world(t, "E1")
	fakes["E1"].fail = &gateway.Error{
		Code: gateway.TooManyInvalidationsInProgress, Message: "Processing your request ...", Status: 400, Try: "wait", Temporary: true,
	}
	r := handle(t, h, t.Context(), `{"version":1,"operation":"create","items":["/*"],"reference":"r"}`)
	want := gateway.Failure{Code: "TooManyInvalidationsInProgress", Message: "Processing your request ...", Status: 400, Try: "wait", Temporary: true}
	if r.Error == nil || *r.Error != want || r.Invalidation != nil {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Error(log)
	}
}

func TestAnswersBeforeItIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := world(t, "E1")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		r := handle(t, h, ctx, `{"version":1,"operation":"inProgress"}`)
		if r.Error == nil || r.Error.Code != gateway.RequestTimeout || !r.Error.Temporary || time.Since(began) >= 30*time.Second {
			t.Errorf("after %s: %+v", time.Since(began), r)
		}
	})
}

func TestLogsOneLineAndNoEvent(t *testing.T) {
	const marker = "wJalrXUtnFEMI"
	tests := []struct{ name, event, want string }{
		{
			"create", `{"version":1,"operation":"create","items":["/*"],"reference":"r-1"}`,
			`"level":"INFO","msg":"done","operation":"create","distribution":"E1","milliseconds":20,"reference":"r-1","items":1,"invalidation":"I1","status":"InProgress"}`,
		},
		{"job event", `{"CodePipeline.job":{"data":{"artifactCredentials":{"secretAccessKey":"` + marker + `"}}}}`, `"code":"BadRequest","message":"the event is not a request of unstale`},
		{"versioned job event", `{"version":1,"secretAccessKey":"` + marker + `"}`, `"code":"BadRequest"`},
		{"article's event", `{}`, `"code":"BadRequest"`},
		{"text", `"` + marker + `"`, `"code":"BadRequest"`},
		{"members of a wrong type", `{"version":1,"operation":{"a":"` + marker + `"},"id":["` + marker + `"]}`, `"code":"BadRequest"`},
	}
	for _, tt := range tests {
		h, fakes, log := world(t, "E1")
		r := handle(t, h, t.Context(), tt.event)
		answer, _ := json.Marshal(r)
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, tt.want) || strings.Contains(text+string(answer), marker) {
			t.Errorf("%s: %s%s", tt.name, text, answer)
		}
		if tt.name != "create" && (r.Error == nil || len(fakes["E1"].asked) > 0) {
			t.Errorf("%s: %+v, asked %q", tt.name, r, fakes["E1"].asked)
		}
	}
}

func TestDistributions(t *testing.T) {
	tests := []struct {
		one, many string
		want      []string
		err       string
	}{
		{one: "E1", want: []string{"E1"}},
		{many: "E1, E2,E1,", want: []string{"E1", "E2"}},
		{err: "neither DISTRIBUTION_ID nor DISTRIBUTION_IDS is set"},
		{many: " , ", err: "neither"},
		{one: "E1", many: "E2", err: "both DISTRIBUTION_ID and DISTRIBUTION_IDS are set"},
		{one: "*", err: `"*" is not a distribution ID`},
		{one: "arn:aws:cloudfront::2:distribution/E1", err: "is not a distribution ID"},
	}
	for _, tt := range tests {
		env := map[string]string{"DISTRIBUTION_ID": tt.one, "DISTRIBUTION_IDS": tt.many}
		got, err := invalidator.Distributions(func(name string) string { return env[name] })
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q, %q: %q, %v", tt.one, tt.many, got, err)
		}
	}
}

// Any event is answered; none panics, and none that is not a whole request does anything.
func FuzzHandle(f *testing.F) {
	f.Add([]byte(`{"version":1,"operation":"create","distribution":"E1","items":["/*"],"reference":"r"}`))
	f.Add([]byte(`{"version":1,"operation":"get","id":"I1"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		h, fakes, _ := world(t, "E1")
		raw, err := h.Handle(t.Context(), event)
		var r gateway.Response
		if err != nil || json.Unmarshal(raw, &r) != nil || r.Version != 1 {
			t.Fatalf("%q: %s, %v", event, raw, err)
		}
		if (r.Error == nil) != (len(fakes["E1"].asked) == 1) {
			t.Fatalf("%q: %s, asked %q", event, raw, fakes["E1"].asked)
		}
	})
}

// AWS answers a bad signature with the canonical request, session token and all. That goes neither
// into the log nor to the other account.
func TestOwnCredentialsStayIn(t *testing.T) {
	const token = "IQoJb3JpZ2luX2VjEOWN//the+session+token=="
	h, fakes, log := world(t, "E1")
	h.Secrets = []string{token}
	fakes["E1"].fail = &gateway.Error{Code: "SignatureDoesNotMatch", Message: "x-amz-security-token:" + token, Try: token}
	raw, err := h.Handle(t.Context(), json.RawMessage(`{"version":1,"operation":"get","id":"I7"}`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), token) || strings.Contains(log.String(), token) || !strings.Contains(string(raw), "x-amz-security-token:[credentials]") {
		t.Errorf("answer %s, log %s", raw, log)
	}
}
