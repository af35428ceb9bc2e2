package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// memory is a state that says what a test wants, and notes what it is asked.
type memory struct {
	known  store.Known
	used   int
	denied string // what fails
	busy   bool   // another release is verified meanwhile

	calls    []string
	plans    map[string]plan.Plan
	evidence map[string]json.RawMessage
}

func (m *memory) call(name, about string) error {
	m.calls = append(m.calls, name+" "+about)
	if name == m.denied {
		return &store.Error{Bucket: "state", Key: about, What: "write", Code: "AccessDenied", Err: errors.New(
			"User: arn:aws:sts::111111111111:assumed-role/unstale-job/unstale-job is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::state/x because no identity-based policy allows the s3:PutObject action")}
	}
	return nil
}

func (m *memory) Begin(_ context.Context, of string, d store.Deploy) (store.Known, error) {
	return m.known, m.call("begin", fmt.Sprint(of, " ", d.Attempt, " ", d.Deletes, " ", d.At.Sub(started)))
}

func (m *memory) Finish(_ context.Context, of, attempt string) (bool, error) {
	return !m.busy, m.call("finish", of+" "+attempt)
}

func (m *memory) Doubt(_ context.Context, of, attempt, why string) (bool, error) {
	return !m.busy, m.call("doubt", of+" "+attempt+": "+why)
}

func (m *memory) Plan(_ context.Context, of, attempt string) (plan.Plan, bool, error) {
	p, found := m.plans[of+" "+attempt]
	return p, found, m.call("plan", of+" "+attempt)
}

func (m *memory) KeepPlan(_ context.Context, of, attempt string, _ store.Known, p plan.Plan) (plan.Plan, error) {
	if err := m.call("keep", of+" "+attempt); err != nil {
		return plan.Plan{}, err
	}
	if earlier, found := m.plans[of+" "+attempt]; found {
		return earlier, nil
	}
	if m.plans == nil {
		m.plans = map[string]plan.Plan{}
	}
	m.plans[of+" "+attempt] = p
	return p, nil
}

func (m *memory) Evidence(_ context.Context, key string, record any) error {
	if err := m.call("evidence", key); err != nil {
		return err
	}
	text, err := json.Marshal(record)
	if m.evidence == nil {
		m.evidence = map[string]json.RawMessage{}
	}
	m.evidence[key] = text
	return err
}

func (m *memory) Used(_ context.Context, account string, _ time.Time) (int, error) {
	return m.used, m.call("used", account)
}

func (m *memory) URI(key string) string { return "s3://state/" + key }

// files are a snapshot: each key with one digit for its content.
func files(list ...string) site.Snapshot {
	s := site.Snapshot{}
	for _, f := range list {
		s = append(s, site.Object{Key: f[:len(f)-1], CRC32: uint32(f[len(f)-1] - '0'), Size: 1})
	}
	return s
}

func distribution(buckets ...string) plan.Distribution {
	d := plan.Distribution{
		ID: "EDIST", Account: "222222222222", Domain: "d1.cloudfront.net", DefaultRootObject: "index.html", Enabled: true,
		Default: plan.Behavior{PathPattern: "*", Policy: plan.Policy{DefaultTTL: 24 * time.Hour, MaxTTL: 24 * time.Hour, QueryStrings: plan.QueryNone}},
	}
	for _, b := range buckets {
		d.Origins = append(d.Origins, plan.Origin{ID: b, Bucket: b, Domain: b + ".s3.us-east-1.amazonaws.com"})
	}
	if len(buckets) > 0 {
		d.Default.Origins = buckets[:1]
	}
	for _, b := range buckets[min(1, len(buckets)):] {
		other := d.Default
		other.PathPattern, other.Origins = "/"+b+"/*", []string{b}
		d.Behaviors = append(d.Behaviors, other)
	}
	return d
}

var started = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)

// begun is the work on a release with a state.
func begun(m *memory, how *target.Planning, snapshot site.Snapshot, items ...invalidation.Item) *Run {
	r := Release{
		Target: target.Target{Name: "prod", Route: target.Assume, Account: "222222222222", Planning: how},
		Name:   "exec-1", Attempt: "job-1", Snapshot: snapshot, Items: items, Function: "unstale-job", Started: started,
		Now: func() time.Time { return started.Add(90 * time.Second) },
	}
	if m != nil {
		r.State = m
	}
	return New(r)
}

// planned goes through the order as a purge does.
func planned(t *testing.T, r *Run, d plan.Distribution) (plan.Plan, purge.Served) {
	t.Helper()
	o := r.Order(started.Add(time.Hour), nil)
	if err := o.Prepare(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	served := o.Served(d)
	p, err := o.Plan(t.Context(), d, invalidation.Limits{})
	if err == nil {
		p, err = o.Keep(t.Context(), d, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, served
}
