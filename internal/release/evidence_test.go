package release

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
	"github.com/unstale/unstale/test/schema"
)

// viewed is the verdict of a release that went well.
func viewed(r *Run) purge.Verdict {
	return purge.Verdict{
		Target: r.Target.Name, Release: r.Name, Outcome: purge.Viewed,
		Progress: purge.Progress{
			Stage: purge.Seen, Distribution: "EDIST", Reference: "unstale-x", ID: "I1", Created: started.Add(time.Second).UnixMilli(),
			Noted: started.Add(time.Second).UnixMilli(), Paths: 1, Pages: 1, Compared: 1, POP: "FRA56-P1",
		},
		Distribution: distribution("b"), Gated: started.Add(500 * time.Millisecond), Items: []string{"/a"}, Status: invalidation.Completed,
		Looks: 2, Took: 3500 * time.Millisecond,
		Report: viewer.Report{Domain: "d1.cloudfront.net", Pages: []viewer.Page{{
			URL: "https://d1.cloudfront.net/a", Key: "a", Coding: "gzip", Served: "identity", Status: 200, XCache: "Miss from cloudfront",
			Age: -1, POP: "FRA56-P1", CRC32: 2, Size: 1, Compared: true, Matches: true, Fresh: true, Looks: 1,
		}}},
	}
}

// restricted is the verdict of one that nobody without a signature could look at.
func restricted(r *Run) purge.Verdict {
	v := viewed(r)
	v.Progress.Stage, v.Progress.Pages, v.Progress.Compared, v.Progress.POP = purge.Restricted, 0, 0, ""
	v.Report, v.Notes = viewer.Report{}, []string{"did not look"}
	return v
}

// failed is the verdict of one that was refused before anything was asked of CloudFront.
func failed(r *Run) purge.Verdict {
	return purge.Verdict{
		Target: r.Target.Name, Release: r.Name, Outcome: purge.Failed, Progress: purge.Progress{Distribution: "EDIST"},
		Failure: &purge.Failure{Err: &gateway.Error{
			Code: gateway.AccessDenied, Message: "User: x is not authorized", Operation: "create invalidation",
		}, Try: "allow it"},
		Notes: []string{"a note"},
	}
}

const record = "evidence/222222222222/2026-05/EDIST/prod/job-1-1.json"

// A release becomes the verified one when viewers were seen to get it and its plan left nothing of it
// stale; a list that somebody chose may leave anything.
func TestWhatIsVerified(t *testing.T) {
	for _, tt := range []struct {
		what     string
		release  site.Snapshot
		given    []invalidation.Item
		verdict  func(*Run) purge.Verdict
		finishes bool
	}{
		{"planned and seen", files("a2"), nil, viewed, true},
		{"everything, since nothing is known of it", nil, nil, viewed, true},
		{"planned and completed, where nobody can look", files("a2"), nil, restricted, true},
		{"a given list", files("a2"), []invalidation.Item{"/a"}, viewed, false},
		{"a given list that leaves nothing", files("a2"), []invalidation.Item{"/a", "/*"}, viewed, true},
		{"a given wildcard", files("a2"), []invalidation.Item{"/a*"}, viewed, false},
		{"failed", files("a2"), nil, failed, false},
		{"nobody looked", files("a2"), nil, func(r *Run) purge.Verdict {
			v := viewed(r)
			v.Progress.Pages = 0
			return v
		}, false},
	} {
		m := &memory{known: known(files("a1"))}
		r := begun(m, nil, tt.release, tt.given...)
		p, _ := planned(t, r, distribution("b"))
		v := tt.verdict(r)
		v.Plan = p
		uri := r.Conclude(t.Context(), &v)
		if got := slices.Contains(m.calls, "finish EDIST job-1"); got != tt.finishes {
			t.Errorf("%s: verified %v", tt.what, got)
		}
		if len(m.evidence) != 1 || !strings.HasPrefix(uri, "s3://state/evidence/222222222222/2026-05/EDIST/prod/job-1-") {
			t.Errorf("%s: evidence %s, %d records", tt.what, uri, len(m.evidence))
		}
	}
}

func TestWhatIsNotConcluded(t *testing.T) {
	m := &memory{known: known(files("a1"))}
	for what, v := range map[string]purge.Verdict{
		"unfinished":                  {Outcome: purge.Unfinished, Progress: purge.Progress{Distribution: "EDIST"}},
		"failed before anything else": {Outcome: purge.Failed, Failure: &purge.Failure{Err: errors.New("x")}},
	} {
		if uri := begun(m, nil, nil).Conclude(t.Context(), &v); uri != "" || len(m.calls) > 0 {
			t.Errorf("%s: %q, %q", what, uri, m.calls)
		}
	}
	r := begun(nil, nil, nil)
	v := viewed(r)
	if r.Conclude(t.Context(), &v) != "" || r.Record(v.Progress) != "" {
		t.Error("without state there is evidence")
	}
	// A verdict that this process did not come to says nothing of the plan; what was recorded is named.
	r = begun(m, nil, files("a2"))
	v = viewed(r)
	if uri := r.Record(v.Progress); uri != "s3://state/"+record || len(m.calls) > 0 {
		t.Errorf("%s, %q", uri, m.calls)
	}
}

// What cannot be recorded is noted, and takes nothing from the verdict.
func TestWhatCannotBeRecorded(t *testing.T) {
	for _, tt := range []struct {
		state *memory
		note  string
		kept  bool
	}{
		{&memory{denied: "finish"}, "the release stays pending: write s3://state/EDIST job-1: User: ", true},
		{&memory{busy: true}, "the history changed meanwhile, so this release is not recorded as verified", true},
		{&memory{denied: "evidence"}, "no evidence is kept: write s3://state/evidence/", false},
	} {
		tt.state.known = known(files("a1"))
		r := begun(tt.state, nil, files("a2"))
		planned(t, r, distribution("b"))
		v := viewed(r)
		uri := r.Conclude(t.Context(), &v)
		if !v.OK() || len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], tt.note) || (uri != "") != tt.kept {
			t.Errorf("%q, %q; want %q", uri, v.Notes, tt.note)
		}
	}
}

func TestEvidence(t *testing.T) {
	m := &memory{known: known(files("a1", "b1"))}
	r := begun(m, nil, files("a2", "b1"))
	p, _ := planned(t, r, distribution("b"))
	v := viewed(r)
	v.Plan, v.Notes = p, p.Notes
	v.Plan.Price, v.Plan.WaitOut = 2*invalidation.PathPrice, 1500*time.Millisecond
	if uri := r.Conclude(t.Context(), &v); uri != "s3://state/"+record {
		t.Fatal(uri)
	}
	got := schema.Decoded(t, m.evidence[record])
	for at, want := range map[string]any{
		"outcome": "viewed", "target": "prod", "route": "assume", "release": "exec-1", "attempt": "job-1", "function": "unstale-job",
		"distribution.id": "EDIST", "distribution.domain": "d1.cloudfront.net", "distribution.account": "222222222222",
		"plan.price": 0.01, "plan.waitOut": 1.5, "plan.stale": 1.0, "plan.exact": true, "plan.preset": "balanced",
		"invalidation.id": "I1", "invalidation.reference": "unstale-x", "invalidation.status": "Completed", "invalidation.looks": 2.0,
		"times.started": "2026-05-01T10:00:00Z", "times.gated": "2026-05-01T10:00:00.5Z", "times.created": "2026-05-01T10:00:01Z",
		"times.ended": "2026-05-01T10:01:30Z", "times.completion": 3.5, "viewer.domain": "d1.cloudfront.net",
		"summary": "prod: distribution EDIST invalidation I1 created -> completed within 3.5 s -> seen from FRA56-P1 (1 of 1 pages equal to the release)",
	} {
		var v any = got
		for name := range strings.SplitSeq(at, ".") {
			v = v.(map[string]any)[name]
		}
		if !cmp.Equal(v, want) {
			t.Errorf("%s is %v; want %v", at, v, want)
		}
	}
	item := got["plan"].(map[string]any)["items"].([]any)[0].(map[string]any)
	if item["item"] != "/a" || item["covers"] != 1.0 || item["collateral"] != 0.0 || item["reason"] == "" {
		t.Errorf("item %v", item)
	}
	if _, found := got["failure"]; found {
		t.Error("there is a failure")
	}
}

// A later process of the attempt tells the plan that an earlier one made.
func TestEvidenceOfAContinuation(t *testing.T) {
	m := &memory{known: known(files("a1"))}
	planned(t, begun(m, nil, files("a2")), distribution("b"))
	r := begun(m, nil, files("a2"))
	if _, err := r.Order(started, nil).Expect(t.Context(), distribution("b")); err != nil {
		t.Fatal(err)
	}
	v := viewed(r)
	r.Conclude(t.Context(), &v)
	items := schema.Decoded(t, m.evidence[record])["plan"].(map[string]any)["items"].([]any)
	if len(items) != 1 || !slices.Contains(m.calls, "finish EDIST job-1") {
		t.Errorf("items %v; calls %q", items, m.calls)
	}
}

func records(t *testing.T) map[string]Evidence {
	t.Helper()
	r := begun(&memory{}, nil, files("a2"))
	p, _ := planned(t, r, distribution("b"))
	ok, bad, spared := viewed(r), failed(r), viewed(r)
	spared.Progress.ID, spared.Progress.Reference, spared.Items, spared.Status, spared.Gated = "", "", nil, "", time.Time{}
	last := viewed(r)
	last.Distribution, last.Outcome, last.Report.Pages, last.Report.Refused = distribution(), purge.Failed, nil, "it is no host"
	last.Distribution.Domain, last.Distribution.Account = "", ""
	last.Failure = &purge.Failure{Stage: purge.Completed, Err: errors.New("verify: not seen")}
	all := map[string]Evidence{}
	for name, v := range map[string]purge.Verdict{"viewed": ok, "refused": bad, "spared": spared, "restricted": restricted(r), "a continuation that failed": last} {
		all[name] = r.evidence(&v, p)
	}
	empty := failed(r)
	all["never planned"] = r.evidence(&empty, empty.Plan)
	return all
}

func TestEvidenceKeepsTheSchema(t *testing.T) {
	s := schema.Read(t, "../../docs/schemas/evidence.schema.json")
	for name, e := range records(t) {
		v := schema.Decoded(t, e)
		for _, wrong := range s.Check(v) {
			t.Errorf("%s: %s", name, wrong)
		}
		for _, member := range s.Untold(v) {
			t.Errorf("%s: the schema does not know %s", name, member)
		}
	}
}

func TestTheSchemaRefuses(t *testing.T) {
	s := schema.Read(t, "../../docs/schemas/evidence.schema.json")
	optional := map[string]bool{"release": true, "function": true, "failure": true}
	for name, e := range records(t) {
		for member := range schema.Decoded(t, e) {
			v := schema.Decoded(t, e)
			v[member] = nil
			if len(s.Check(v)) == 0 {
				t.Errorf("%s: %s may be null", name, member)
			}
			if delete(v, member); (len(s.Check(v)) == 0) != optional[member] {
				t.Errorf("%s: without %s: %q", name, member, s.Check(v))
			}
		}
	}
}

// A printed plan and the record use the same words for the same things.
func TestTheRecordAgreesWithPrintedPlans(t *testing.T) {
	names := func(file string) map[string]string {
		text, err := os.ReadFile("../../docs/schemas/" + file)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, m := range regexp.MustCompile(`"(price|waitOut|stale|collateral|bound|exact|covers|reason|item)": \{ "description": "([^,."]*)`).FindAllStringSubmatch(string(text), -1) {
			all[m[1]] += m[2]
		}
		return all
	}
	printed, record := names("plan.schema.json"), names("evidence.schema.json")
	if len(printed) != 9 || len(record) != 9 || printed["price"] != record["price"] || !strings.HasPrefix(record["waitOut"], "Seconds ") {
		t.Errorf("%v\n%v", printed, record)
	}
}

// Nothing of a job's event can come into the record: it has no room for it.
func TestEvidenceHasNoRoomForSecrets(t *testing.T) {
	text := strings.ToLower(fmt.Sprintf("%+v", records(t)))
	for _, word := range []string{"credential", "accesskey", "secret", "sessiontoken", "continuationtoken", "userparameters", "externalid"} {
		if strings.Contains(text, word) {
			t.Errorf("the record tells %s", word)
		}
	}
}

// Viewers who get what no known release explains cast doubt on the history, and the failure says what to do.
func TestDoubt(t *testing.T) {
	strange := viewer.Page{URL: "https://d1.cloudfront.net/b", Status: 200, XCache: "Hit from cloudfront", Compared: true}
	covered := strange
	covered.URL = "https://d1.cloudfront.net/a"
	for _, tt := range []struct {
		what  string
		state *memory
		page  viewer.Page
		given []invalidation.Item
		call  string // "" when there is no doubt
		try   string
		note  string
	}{
		{what: "unexplained", state: &memory{}, page: strange, call: "doubt EDIST job-1: viewers got at https://d1.cloudfront.net/b what", try: "retry the stage, or run the command anew, and everything is purged"},
		{what: "another run explains it", state: &memory{busy: true}, page: strange, call: "doubt EDIST job-1: ", try: "as before"},
		{what: "it cannot be written", state: &memory{denied: "doubt"}, page: strange, call: "doubt EDIST job-1: ", try: "as before", note: "the next plan still relies on the history: "},
		{what: "it was purged", state: &memory{}, page: covered, try: "as before"},
		{what: "somebody chose the items", state: &memory{}, page: strange, given: []invalidation.Item{"/a"}, try: "as before"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			m := tt.state
			m.known = known(files("a1", "b1"))
			r := begun(m, nil, files("a2", "b1"), tt.given...)
			planned(t, r, distribution("b"))
			v := viewed(r)
			v.Outcome, v.Progress.Stage, v.Items = purge.Failed, purge.Completed, []string{"/a"}
			v.Report.Pages, v.Failure = []viewer.Page{tt.page}, &purge.Failure{Stage: purge.Completed, Err: errors.New("stale"), Try: "as before"}
			r.Conclude(t.Context(), &v)
			i := slices.IndexFunc(m.calls, func(c string) bool { return strings.HasPrefix(c, "doubt") })
			if (i >= 0) != (tt.call != "") || i >= 0 && !strings.HasPrefix(m.calls[i], tt.call) {
				t.Errorf("calls %q; want %q", m.calls, tt.call)
			}
			if !strings.HasPrefix(v.Failure.Try, tt.try) || (tt.note == "") != (len(v.Notes) == 0) || tt.note != "" && !strings.HasPrefix(v.Notes[0], tt.note) {
				t.Errorf("try %q, notes %q", v.Failure.Try, v.Notes)
			}
			if text := string(m.evidence[record]); !strings.Contains(text, v.Failure.Try) {
				t.Errorf("the evidence does not tell what to try: %s", text)
			}
		})
	}
}
