package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/lambda"
	"github.com/unstale/unstale/rehearsal/wire"
)

// fault is a row: what befalls a release, and what has to come of it.
type fault struct {
	proves string
	row    row
	before func(*world) // prepares the world

	code    string // of the purge's failure; empty: the pipeline succeeds
	says    []string
	classes []string // by which the job function retried
	// calls is how often a function makes a call, by "operation" across the border, or "job operation".
	calls         map[string]int
	atLeast       map[string]int
	invalidations int // 0 means 1; none: -1
	continued     int // continuation tokens at least
	unanswered    bool
	unseen        string // point of presence that stays stale and that no function can see
	unrecorded    bool   // there is no evidence
	outage        bool   // viewers were worse off during the release than after it
}

// everything has the purge take up a wildcard, whatever changed.
const everything = `"items":["/*"]`

const (
	cloudFront = "cloudfront"
	create     = "CreateInvalidation"
	get        = "GetInvalidation"
	describe   = "GetDistribution"
	list       = "ListInvalidations"
	invoke     = "Invoke"
	success    = "PutJobSuccessResult"
)

// rule strikes the calls from the from-th to the to-th (0: all that follow) of an operation.
func rule(service, operation string, from, to int, do faults.Action) faults.Rule {
	r := faults.Rule{Service: service, Operation: operation, From: from, To: to, Do: do, Function: job}
	if service == cloudFront {
		r.Function = invalidator
	}
	return r
}

func rules(all ...faults.Rule) row { return row{rules: all} }

func busy() faults.Action      { return faults.Fail(503, "ServiceUnavailable", "Service Unavailable") }
func throttled() faults.Action { return faults.Fail(400, "Throttling", "Rate exceeded") }

func full() faults.Action {
	return faults.Fail(400, "TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress wildcard invalidations.")
}

// refusing refuses the first n invocations of a function.
func refusing(function string, n int, err error) func(lambda.Invocation) error {
	return func(i lambda.Invocation) error {
		if !strings.Contains(i.FunctionARN, ":function:"+function) || n == 0 {
			return nil
		}
		n--
		return err
	}
}

// cold makes the next invocation of a function start a process.
func cold(function string) func(*world) {
	return func(w *world) { w.script.Kill(function) }
}

var cloudFrontFaults = []fault{
	{
		proves: "503 three times at create: tried again soon", row: rules(rule(cloudFront, create, 1, 3, busy())),
		classes: []string{"fast"}, calls: map[string]int{create: 4, "job " + success: 1},
	},
	{
		proves: "503 without end: fails with AWS's word once the wait is over", row: row{rules: rules(rule(cloudFront, describe, 1, 0, busy())).rules, parameters: `"wait":"1s"`},
		code: "SystemUnavailable", says: []string{"read distribution", "ServiceUnavailable: Service Unavailable"}, classes: []string{"fast"}, invalidations: -1,
		atLeast: map[string]int{describe: 3},
	},
	{
		proves: "throttled three times at create: tried again soon", row: rules(rule(cloudFront, create, 1, 3, throttled())),
		classes: []string{"fast"}, calls: map[string]int{create: 4},
	},
	{
		proves: "no room by the listing for a while: waits slowly, and asks CloudFront only once there is some",
		before: func(w *world) { w.occupy(700 * time.Millisecond) }, row: row{parameters: everything}, classes: []string{"slow"}, calls: map[string]int{create: 1}, atLeast: map[string]int{list: 2},
	},
	{
		proves: "no room by CloudFront's word for a while: waits slowly", row: rules(rule(cloudFront, create, 1, 2, full())),
		classes: []string{"slow"}, calls: map[string]int{create: 3},
	},
	{
		proves: "no room for minutes: waits between invocations, not in one", before: func(w *world) { w.occupy(100 * time.Second) }, row: row{parameters: everything},
		classes: []string{"slow"}, calls: map[string]int{create: 1}, continued: 2,
	},
	{
		proves: "no room ever: fails with AWS's word and what to do", row: row{rules: rules(rule(cloudFront, create, 1, 0, full())).rules, parameters: `"wait":"1s"`},
		code: "SystemUnavailable", says: []string{"TooManyInvalidationsInProgress", "try: wait until older invalidations complete"}, classes: []string{"slow"}, invalidations: -1,
		continued: 1, atLeast: map[string]int{create: 3},
	},
	{
		proves: "slow completion, past what one invocation waits for: goes on by token", row: row{delays: []time.Duration{time.Second, 75 * time.Second}},
		continued: 2, calls: map[string]int{create: 1}, classes: []string{},
	},
	{
		proves: "completion never: fails when the wait is over", row: row{delays: []time.Duration{48 * time.Hour}, parameters: `"wait":"1s"`},
		code: "JobFailed", says: []string{"wait for invalidation", "still not completed", "try: it completes by itself"}, continued: 1, calls: map[string]int{create: 1}, classes: []string{},
	},
	{
		proves: "two looks fail in between: two looks lost, no more", row: rules(rule(cloudFront, get, 1, 2, busy())),
		classes: []string{}, atLeast: map[string]int{get: 3}, calls: map[string]int{create: 1},
	},
	{
		proves: "looks fail for as long as one invocation looks: goes on by token", row: rules(rule(cloudFront, get, 1, 30, throttled())),
		continued: 1, classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "create's answer is lost: the same reference finds it again", row: rules(rule(cloudFront, create, 1, 1, faults.Lose())),
		classes: []string{"fast"}, calls: map[string]int{create: 2},
	},
	{
		proves: "create is delivered twice: paid once", row: rules(rule(cloudFront, create, 1, 1, faults.Twice())),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "create hangs: the invalidator answers before its own end, and is asked again", row: rules(rule(cloudFront, create, 1, 1, faults.Hang())),
		classes: []string{"fast"}, calls: map[string]int{create: 2},
	},
	{
		proves: "CloudFront refuses: never tried again, and it says who, what and which", row: rules(rule(cloudFront, create, 1, 0, faults.Fail(403, "AccessDenied",
			"User: arn:aws:sts::222222222222:assumed-role/unstale-invalidator/unstale-invalidator is not authorized to perform: cloudfront:CreateInvalidation on resource: arn:aws:cloudfront::222222222222:distribution/E1 because no identity-based policy allows the cloudfront:CreateInvalidation action"))),
		code: "PermissionError", invalidations: -1, classes: []string{}, calls: map[string]int{create: 1},
		says: []string{"caller: arn:aws:sts::222222222222:assumed-role/unstale-invalidator", "action: cloudfront:CreateInvalidation", "resource: arn:aws:cloudfront::222222222222:distribution/E1", "try: allow cloudfront:CreateInvalidation"},
	},
}

// occupy fills the distribution's limit of wildcards for so long. Time does not skip before the
// function has looked, so that it meets them however slow the machine is to start it.
func (w *world) occupy(d time.Duration) {
	hold := w.World.Clock().Busy()
	w.mu.Lock()
	w.hold = hold
	w.mu.Unlock()
	w.t.Cleanup(w.letGo)
	w.begin(row{delays: []time.Duration{d}})
	for i := range 15 {
		w.invalidate(fmt.Sprintf("/occupied/%d/*", i))
	}
}

// TestFaults plays AWS's bad days and pins for each: the outcome, how it was retried, how many calls that
// took, and what the pipeline was told.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, table := range map[string][]fault{"CloudFront": cloudFrontFaults, "functions": functionFaults, "viewers": viewerFaults, "state": stateFaults} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := relay
			if name == "CloudFront" || name == "functions" {
				on.fallback = "0" // what befalls them does not meet a release that waits
			}
			if name == "state" { // which is written last: a busy machine needs more time to come to that
				on.edits = map[string][][2]string{"pipeline-relay": {parameters, namespace, {shortJob[0], `"Timeout": 20`}}, "delivery-relay": {shortInvoke}}
			}
			w := newWorld(t, on, nil)
			for _, f := range table {
				t.Run(f.proves, func(t *testing.T) { f.run(t, w.as(t)) })
			}
		})
	}
}

// run plays a row and compares.
func (f fault) run(t *testing.T, w *world) {
	if !valid(f.row.parameters) {
		t.Fatalf("parameters %s are no JSON", f.row.parameters)
	}
	if f.before != nil {
		f.before(w)
	}
	got := w.play(f.row)
	classes := w.classes(t, got.execution.ID)
	t.Logf("%s: %s %s; retried %v; %d invalidations, %d continuations, %d calls, %v; %.300s",
		f.proves, got.status, got.failure(), classes, len(got.created), got.accepted(codepipeline.AnswerContinuation), len(got.calls), got.took.Round(time.Millisecond), got.message())
	if got.failure() != f.code || (got.status == codepipeline.Succeeded) != (f.code == "") {
		t.Errorf("outcome %s %q; want %q", got.status, got.failure(), f.code)
	}
	for _, text := range f.says {
		if !strings.Contains(got.message(), text) {
			t.Errorf("it does not say %q: %s", text, got.message())
		}
	}
	if f.classes != nil {
		if diff := cmp.Diff(f.classes, classes); diff != "" {
			t.Errorf("classes of retry (-want +got):\n%s", diff)
		}
	}
	f.count(t, w, got)
	if f.unseen != "" {
		got.views = slices.DeleteFunc(got.views, func(v story.View) bool { return v.POP == f.unseen })
	}
	if lie := got.lie(); lie != "" && !f.outage {
		t.Errorf("the pipeline lied: %s", lie)
	}
	if !f.unrecorded {
		w.remembered(got)
	}
	if len(f.row.rules) > 0 && len(got.struck) == 0 {
		t.Error("nothing was struck; the row proves nothing")
	}
}

// count compares numbers of calls, invalidations and answers.
func (f fault) count(t *testing.T, w *world, got result) {
	t.Helper()
	made := func(name string) int {
		if operation, of := strings.CutPrefix(name, "job "); of {
			return got.count(job, operation)
		}
		return got.count(w.route.across, name)
	}
	for name, want := range f.calls {
		if n := made(name); n != want {
			t.Errorf("%d calls of %s instead of %d", n, name, want)
		}
	}
	for name, want := range f.atLeast {
		if n := made(name); n < want {
			t.Errorf("%d calls of %s, fewer than %d", n, name, want)
		}
	}
	want := 1
	if f.invalidations != 0 {
		want = max(0, f.invalidations)
	}
	if len(got.created) != want {
		t.Errorf("%d invalidations instead of %d", len(got.created), want)
	}
	// A machine that is busy hands over more often, and may.
	if n := got.accepted(codepipeline.AnswerContinuation); n < f.continued {
		t.Errorf("%d continuations, fewer than %d", n, f.continued)
	}
	if n := got.terminal(); w.route.function == "" {
		if len(got.answers) > 0 {
			t.Errorf("answers of a job that there is not: %+v", got.answers)
		}
	} else if n != 1 && !f.unanswered || n != 0 && f.unanswered {
		t.Errorf("%d final answers: %+v", n, got.answers)
	}
}

// silence is what AWS says of a job that was not answered.
const silence = "failed to return a result"

var functionFaults = []fault{
	{
		proves: "Lambda throttles the invalidator three times: asked again soon", row: rules(rule("lambda", invoke, 1, 3, faults.Fail(429, "TooManyRequestsException", "Rate Exceeded."))),
		classes: []string{"fast"}, calls: map[string]int{create: 1, "job " + invoke: 9},
	},
	{
		proves: "Lambda throttles the job function three times: AWS keeps the event", row: row{refuse: refusing(job, 3, wire.Errorf(429, "TooManyRequestsException", "Rate Exceeded."))},
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "STS is throttled when the invalidator starts: asked again soon", before: cold(invalidator),
		row:     rules(faults.Rule{Function: invalidator, Service: faults.Start, To: 2, Do: throttled()}),
		classes: []string{"fast"}, calls: map[string]int{create: 1},
	},
	{
		proves: "STS is throttled when the job function starts: AWS keeps the event", before: cold(job),
		row: rules(faults.Rule{Function: job, Service: faults.Start, To: 2, Do: throttled()}), classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the invalidator dies at every look at the distribution: fails, and says whose log to read",
		row:    row{rules: rules(rule(cloudFront, describe, 1, 0, faults.KillInstead())).rules, parameters: `"wait":"1s"`},
		code:   "SystemUnavailable", says: []string{"the invalidator failed: Runtime.ExitError", "signal: killed", "try: read the log of"}, classes: []string{"fast"}, invalidations: -1,
	},
	{
		proves: "the job function dies on all three attempts: AWS's own word after 20 minutes",
		row:    rules(rule("lambda", invoke, 1, 0, faults.KillBefore())), code: "JobFailed", says: []string{silence}, unanswered: true, classes: []string{}, invalidations: -1,
	},
	{
		proves: "it dies on all three attempts after create: AWS's own word, and one invalidation all the same",
		row:    rules(faults.Rule{Function: job, Service: "codepipeline", Do: faults.KillInstead()}), code: "JobFailed", says: []string{silence}, unanswered: true, classes: []string{},
		calls: map[string]int{create: 3},
	},
	{
		proves: "the answer is lost on the way back: the SDK's second try finds the job over", row: rules(rule("codepipeline", success, 1, 1, faults.Lose())),
		classes: []string{}, calls: map[string]int{"job " + success: 2, create: 1},
	},
	{
		proves: "the answer is throttled: the SDK answers again", row: rules(rule("codepipeline", success, 1, 2, faults.Fail(400, "ThrottlingException", "Rate exceeded"))),
		classes: []string{}, calls: map[string]int{"job " + success: 3, create: 1},
	},
	{
		proves: "the answer is delivered twice: one is accepted", row: rules(rule("codepipeline", success, 1, 1, faults.Twice())), classes: []string{}, calls: map[string]int{"job " + success: 1},
	},
	{
		proves: "the answer is not accepted in one whole attempt: Lambda's retry answers", row: rules(rule("codepipeline", success, 1, 1, faults.Fail(403, "AccessDeniedException", "not now"))),
		classes: []string{}, calls: map[string]int{"job " + success: 2, create: 2},
	},
	{
		proves: "the artifact is slow to be had: read again", row: rules(rule("s3", "GetObject", 1, 1, faults.Fail(503, "SlowDown", "Please reduce your request rate."))),
		classes: []string{}, calls: map[string]int{create: 1}, atLeast: map[string]int{"job GetObject": 2},
	},
	{
		proves: "the artifact hangs for one attempt's time: the next job begins anew", row: rules(rule("s3", "GetObject", 1, 1, faults.Hang())),
		classes: []string{}, calls: map[string]int{create: 1}, continued: 1,
	},
	{
		proves: "the invoke hangs for one attempt's time: the next job goes on", row: rules(rule("lambda", invoke, 4, 4, faults.Hang())),
		classes: []string{}, calls: map[string]int{create: 1}, continued: 1,
	},
	{
		proves: "three minutes of clock skew: not noticed", row: row{ahead: 3 * time.Minute}, classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "AWS's clock is ten minutes ahead: never tried again, and it says whose clock", row: row{ahead: 10 * time.Minute},
		code: "PermissionError", says: []string{"SignatureDoesNotMatch: Signature expired", "try: set the clock of the machine that calls"}, classes: []string{}, invalidations: -1,
		calls: map[string]int{"job " + invoke: 0},
	},
	{
		proves: "AWS's clock is an hour behind: likewise", row: row{ahead: -time.Hour},
		code: "PermissionError", says: []string{"Signature not yet current", "try: set the clock of the machine that calls"}, classes: []string{}, invalidations: -1,
	},
}

const here = "FRA56-P1" // the point of presence that functions see

var viewerFaults = []fault{
	{
		proves: "an edge that stays stale after completion: fails with the URL, the point of presence and what it served",
		before: func(w *world) { w.World.Clock().Advance(time.Minute) }, row: row{stale: map[string]bool{here: true}}, classes: []string{},
		code: "JobFailed", says: []string{"viewers do not see the release", "seen from FRA56-P1", `cloudfront.net/ (FRA56-P1, Hit from cloudfront, asked for "gzip, deflate, br") served`, "s old, from before the invalidation", "try: retry the stage"},
	},
	{
		proves: "an edge that the function cannot see stays stale: the verdict claims no more than it saw", unseen: "NRT57-P3",
		row: row{stale: map[string]bool{"NRT57-P3": true}}, says: []string{"seen from FRA56-P1 (2 of 2 pages equal to the release)"}, classes: []string{},
	},
	{
		proves: "a viewer gets 503 at first: looked at again", row: rules(rule(faults.Viewer, "", 1, 1, faults.Fail(503, "ServiceUnavailable", "busy"))), classes: []string{},
	},
	{
		proves: "viewers get 503 for good: fails, and says so", row: rules(rule(faults.Viewer, "", 1, 0, faults.Fail(503, "ServiceUnavailable", "busy"))), classes: []string{},
		code: "JobFailed", says: []string{"viewers do not see the release", `(FRA56-P1, asked for "gzip, deflate, br") answered 503`}, outage: true,
	},
	{
		proves: "no viewer gets an answer: fails, and does not claim to know what viewers see", row: rules(rule(faults.Viewer, "", 1, 0, faults.Cut())), classes: []string{},
		code: "JobFailed", says: []string{"is completed, but whether viewers see the release is not known", "none of 2 pages gave an answer", ".cloudfront.net/ gave no answer", "try: check that the function can reach the internet"},
	},
	{
		// After the row before this one only browsers have been here: the edge keeps their variant, and no other.
		proves: "an edge that stays stale in the variant that browsers get: fails", row: row{stale: map[string]bool{here: true}}, classes: []string{},
		code: "JobFailed", says: []string{"viewers do not see the release", `(FRA56-P1, Hit from cloudfront, asked for "gzip") served`},
	},
}
