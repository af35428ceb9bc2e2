package matrix

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
)

// history is what the job function keeps of the releases of a distribution.
type history struct {
	Verified *deployed
	Pending  []deployed
}

type deployed struct{ Release, Attempt string }

// bucket is where the job function keeps it.
func (w *world) bucket() *string {
	return aws.String("unstale-state-" + w.route.account + "-" + story.Region)
}

func (w *world) stateClient() *s3.Client {
	return s3.NewFromConfig(w.Config(w.route.account), func(o *s3.Options) { o.UsePathStyle = true })
}

// history reads it as the account's root, who may.
func (w *world) history() history {
	w.t.Helper()
	out, err := w.stateClient().GetObject(w.t.Context(), &s3.GetObjectInput{
		Bucket: w.bucket(), Key: aws.String("history/" + w.Outputs["DistributionId"] + "/index.json"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }() // it was read, or the error below says so
	var h history
	if err := json.NewDecoder(out.Body).Decode(&h); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// records are the keys of all evidence.
func (w *world) records() []string {
	w.t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(w.stateClient(), &s3.ListObjectsV2Input{Bucket: w.bucket(), Prefix: aws.String("evidence/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// remembered demands that a release that viewers see is the verified one with nothing pending beside it, and
// that there is one record of it: a second under another name would be counted as paid twice.
func (w *world) remembered(got result) {
	w.t.Helper()
	if w.route.function == "" || got.status != codepipeline.Succeeded {
		return
	}
	h := w.history()
	if h.Verified == nil || h.Verified.Release != got.execution.ID || len(h.Pending) > 0 {
		w.t.Errorf("the history ends with %+v verified and %+v pending; want release %s verified", h.Verified, h.Pending, got.execution.ID)
		return
	}
	n := 0
	for _, key := range w.records() {
		if strings.Contains(key, "/"+h.Verified.Attempt+"-") {
			n++
		}
	}
	if n != 1 {
		w.t.Errorf("%d records of attempt %s instead of 1", n, h.Verified.Attempt)
	}
}

// Calls of a warm job function on S3 in a release, by their numbers.
const (
	readArtifact   = 1 // of GetObject
	readIndex      = 2
	writeManifest  = 1 // of PutObject
	writeIndex     = 2
	writePlan      = 3
	verifyIndex    = 4
	writeEvidence  = 5
	getObject      = "GetObject"
	putObject      = "PutObject"
	originAnswered = 1 // of the invalidator's GetObject
)

func state(operation string, from, to int, do faults.Action) row {
	return rules(rule("s3", operation, from, to, do))
}

// origin strikes the looks at the site's bucket.
func origin(from, to int, do faults.Action) row {
	return rules(faults.Rule{Function: invalidator, Service: "s3", Operation: getObject, From: from, To: to, Do: do})
}

func refusedState() faults.Action {
	return faults.Fail(403, "AccessDenied",
		"User: arn:aws:sts::111111111111:assumed-role/unstale-job/unstale-job is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::unstale-state/x\" because no identity-based policy allows the s3:PutObject action")
}

func notThere() faults.Action {
	return faults.Fail(404, "NoSuchKey", "The specified key does not exist.")
}

// stateFaults befall what the job function keeps, and its looks at what it is about to purge.
var stateFaults = []fault{
	{
		proves: "the index is slow to be had: read again", row: state(getObject, readIndex, readIndex, faults.Fail(503, "SlowDown", "Please reduce your request rate.")),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the index was written by another meanwhile: read and written anew", row: state(putObject, writeIndex, writeIndex, faults.Fail(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the index is written, and the answer is lost: the second try finds its own", row: state(putObject, writeIndex, writeIndex, faults.Lose()),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the index is written twice", row: state(putObject, writeIndex, writeIndex, faults.Twice()),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the plan is written, and the answer is lost: the same plan is carried out", row: state(putObject, writePlan, writePlan, faults.Lose()),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the plan is slow to be written: written again", row: state(putObject, writePlan, writePlan, busy()),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the verified index is written, and the answer is lost", row: state(putObject, verifyIndex, verifyIndex, faults.Lose()),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the evidence is written, and the answer is lost: one record", row: state(putObject, writeEvidence, writeEvidence, faults.Lose()),
		classes: []string{}, calls: map[string]int{create: 1},
	},
	{
		proves: "the manifest may not be written: fails before anything is purged, and says who, what and which",
		row:    state(putObject, writeManifest, writeManifest, refusedState()), code: "PermissionError", invalidations: -1, classes: []string{},
		says: []string{
			"write state s3://unstale-state-", "caller: arn:aws:sts::111111111111:assumed-role/unstale-job", "action: s3:PutObject",
			"resource: arn:aws:s3:::unstale-state/x", "try: allow s3:PutObject",
		},
	},
	{
		proves: "the plan may not be written: fails before anything is purged", row: state(putObject, writePlan, writePlan, refusedState()),
		code: "PermissionError", invalidations: -1, classes: []string{}, says: []string{"/plans/", "action: s3:PutObject"},
	},
	{
		proves: "after those the next release covers what was never purged", calls: map[string]int{create: 1}, classes: []string{},
	},
	{
		proves: "the artifact's object is not at the origin at first: waits, and looks again", row: origin(originAnswered, 1, notThere()),
		classes: []string{}, calls: map[string]int{create: 1, getObject: 2},
	},
	{
		proves: "the origin is busy: asked again", row: origin(originAnswered, 1, busy()), calls: map[string]int{create: 1},
	},
	{
		proves: "the origin never serves the release: nothing is purged, and it says which object", row: origin(originAnswered, 0, notThere()),
		code: "JobFailed", invalidations: -1, classes: []string{},
		says: []string{"its origin does not serve the release: s3://", "/index.html is not there", "nothing was purged"},
	},
	{
		proves: "the origin may not be read: fails, and says who, what and which",
		row: origin(originAnswered, 0, faults.Fail(403, "AccessDenied",
			"User: arn:aws:sts::222222222222:assumed-role/unstale-invalidator/unstale-invalidator is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::site/index.html\" because no identity-based policy allows the s3:GetObject action")),
		code: "PermissionError", invalidations: -1, classes: []string{},
		says: []string{"caller: arn:aws:sts::222222222222:assumed-role/unstale-invalidator", "action: s3:GetObject", "resource: arn:aws:s3:::site/index.html"},
	},
	{
		proves: "the evidence may not be written: the release is as good, and its verdict is told instead", row: state(putObject, writeEvidence, writeEvidence, refusedState()),
		calls: map[string]int{create: 1}, classes: []string{}, unrecorded: true,
	},
	{
		proves: "in the end all is known again", calls: map[string]int{create: 1}, classes: []string{},
	},
}

// TestHistoryOutlivesFailures plays releases that fail at every stage, and then a good one: it is the verified
// one, whatever was left behind.
func TestHistoryOutlivesFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, relay, nil)
	for _, f := range []row{
		state(putObject, writeIndex, writeIndex, refusedState()),
		origin(originAnswered, 0, notThere()),
		rules(rule(cloudFront, create, 1, 0, denied())),
		{stale: map[string]bool{here: true}},
	} {
		got := w.play(f)
		if got.status != codepipeline.Failed || got.lie() != "" {
			t.Errorf("%s; %s", got, got.lie())
		}
	}
	if h := w.history(); len(h.Pending) != 3 {
		t.Errorf("pending %+v, want the three releases that were recorded and not seen", h.Pending)
	}
	good := w.play(row{})
	if good.status != codepipeline.Succeeded || good.lie() != "" {
		t.Fatalf("%s; %s", good, good.lie())
	}
	w.remembered(good)
}
