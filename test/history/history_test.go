package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/site"
	"github.com/unstale/unstale/test/stage"
)

// site3 is a site of three pages, each in a version of its own.
func site3(index, about, news string) content {
	return content{"index.html": index, "about.html": about, "news.html": news}
}

// kept is what the state says of the history.
type kept struct {
	Verified *deployed  `json:"verified"`
	Pending  []deployed `json:"pending"`
}

type deployed struct {
	Release  string `json:"release"`
	Manifest string `json:"manifest"`
}

func (w *world) indexKey() string { return "history/" + w.Outputs["DistributionId"] + "/index.json" }

func (w *world) index() (k kept) {
	w.Helper()
	if err := json.Unmarshal(w.read(w.indexKey()), &k); err != nil {
		w.Fatal(err)
	}
	return k
}

func (w *world) manifest(d deployed) site.Snapshot {
	w.Helper()
	id := w.Outputs["DistributionId"]
	m, err := site.Decode(w.read("history/"+id+"/"+d.Manifest+".manifest"), id)
	if err != nil {
		w.Fatal(err)
	}
	return m.Snapshot
}

// Release 2 is deployed, and its purge is refused, or dies, or is never run. Viewers load release 2 into some caches.
// Release 3 is what release 1 was: beside the verified manifest nothing changed, and yet caches hold
// what no viewer may see any more.
func TestAReleaseThatWasNeverPurgedIsReverted(t *testing.T) {
	w := newWorld(t)
	for i, tt := range []struct {
		what string
		do   faults.Action // instead of the invalidation; nil: CodePipeline may not invoke the function any more
	}{
		{"refused", faults.Fail(403, "AccessDenied", "User: x is not authorized to perform: cloudfront:CreateInvalidation")},
		{"dies every time", faults.KillInstead()},
		{"is never run", nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w.T = t
			one, two := site3("1", fmt.Sprint("1.", i), "1"), site3("1", "2", "1")
			w.deliver(one)
			if tt.do != nil {
				w.script.Add(faults.Rule{Service: "cloudfront", Operation: "CreateInvalidation", Do: tt.do})
			} else {
				w.setAfterDeploy(func() { w.attach("unstale-pipeline", story.PipelineAccount, forbidden) })
			}
			execution := w.start(first, two)
			status, says := w.end(first, execution)
			if status != codepipeline.Failed || tt.do == nil && !strings.Contains(says, "lambda:InvokeFunction") {
				t.Fatalf("release 2: %s: %s", status, says)
			}
			w.script.Clear()
			w.setAfterDeploy(nil)
			w.attach("unstale-pipeline", story.PipelineAccount, "")
			if got := w.shows("/about.html"); !strings.Contains(got, "2") {
				t.Fatalf("no cache took release 2: %q; the story proves nothing", got)
			}
			before := w.index()
			if before.Verified == nil || len(before.Pending) != 1 || before.Pending[0].Release != execution {
				t.Fatalf("release 2 is not pending: %+v", before)
			}

			evidence := w.deliver(one)
			if got := items(evidence); got != "/about.html" {
				t.Errorf("release 3 purged %q; want /about.html", got)
			}
			w.sees(one)
			verified, after := w.manifest(*before.Verified), w.index()
			left := 0
			if tt.do == nil {
				left = 1 // for a day: for all that is known its deploy may yet come
			}
			if len(after.Pending) != left || left == 1 && after.Pending[0].Release != execution || after.Verified.Release != evidence.Release {
				t.Errorf("the history is %+v", after)
			}
			// The verified manifest alone would have left it: a plan against it has nothing to purge.
			alone := w.planAlone(evidence.Attempt, w.manifest(*after.Verified), verified)
			if len(alone.Items) != 0 {
				t.Errorf("against the verified manifest alone there is %v to purge", alone.Items)
			}
		})
	}
}

// planAlone plans a release for the distribution of an attempt's plan, against one manifest.
func (w *world) planAlone(attempt string, release, verified site.Snapshot) plan.Plan {
	w.Helper()
	var record struct {
		Plan plan.Plan `json:"plan"`
	}
	if err := json.Unmarshal(w.read("plans/"+w.Outputs["DistributionId"]+"/"+attempt+".json"), &record); err != nil {
		w.Fatal(err)
	}
	p, err := plan.Build(plan.Input{Distribution: record.Plan.Distribution, Release: release, Known: []site.Snapshot{verified}})
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// A release with a file of its own is announced, and its deploy is refused. Whether caches, or the bucket, got to
// hold that file is not known; the releases after it lack it and succeed, and when it comes back, what viewers
// were told of it meanwhile is purged.
func TestADeployThatIsRefused(t *testing.T) {
	w := newWorld(t)
	before := site3("1", "1", "1")
	w.deliver(before)
	more := maps.Clone(before)
	more["assets/app-7d01be44.js"] = "2"
	w.attach("unstale-deploy", story.DeliveryAccount, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}}`)
	if status, says := w.end(first, w.start(first, more)); status != codepipeline.Failed {
		t.Fatalf("the release that is not deployed: %s: %s", status, says)
	}
	w.attach("unstale-deploy", story.DeliveryAccount, "")
	for _, one := range []map[string]string{site3("1", "3", "1"), site3("3", "1", "1")} {
		w.deliver(one)
		w.sees(one)
	}
	if got := w.shows("/assets/app-7d01be44.js"); strings.Contains(got, "2") {
		t.Fatalf("viewers get %q of a file that was never deployed", got)
	}
	w.deliver(more)
	w.sees(more)
}

// Somebody deploys past the pipeline, and viewers load what nobody recorded. The next release does not change
// that page, so its plan leaves it; viewers do not get the release, and the pipeline says so. It also learns:
// the same again purges everything.
func TestADeployPastThePipeline(t *testing.T) {
	w := newWorld(t)
	w.deliver(site3("1", "1", "1"))
	client := s3.NewFromConfig(w.Config(story.DeliveryAccount), func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(w.Outputs["SiteBucketName"]), Key: aws.String("index.html"), Body: strings.NewReader(`<!doctype html><main data-release="by hand">index.html</main>`),
		ContentType: aws.String("text/html"), CacheControl: aws.String("public, max-age=0, s-maxage=31536000"),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.invalidate("/index.html", "/")
	if got := w.shows("/"); got != "by hand by hand by hand" {
		t.Fatalf("viewers get %q; the story proves nothing", got)
	}
	execution := w.start(first, site3("1", "2", "1"))
	status, says := w.end(first, execution)
	if status != codepipeline.Failed || !strings.Contains(says, "viewers do not see the release") || !strings.Contains(says, "and everything is purged") {
		t.Fatalf("%s: %s", status, says)
	}
	w.again(first, execution)
	if status, says := w.end(first, execution); status != codepipeline.Succeeded {
		t.Fatalf("the same again: %s: %s", status, says)
	}
	if got := w.created[len(w.created)-1]; got != "/*" {
		t.Errorf("it purged %q", got)
	}
	w.sees(site3("1", "2", "1"))
}

// Two executions overlap: both record themselves before either is seen. The one that is seen last finds
// another verified release than its plan knew; it stays pending, and the next plan covers it.
func TestTwoExecutionsOverlap(t *testing.T) {
	w := newWorld(t)
	w.deliver(site3("1", "1", "1"))
	w.sees(site3("1", "1", "1"))
	made := len(w.created)

	// The first one's verdict is held back until the second one has asked for its invalidation.
	var early string
	w.script.Add(faults.Rule{Service: "s3", Operation: "PutObject", Do: func(_ *faults.Script, _ faults.Call, x front.Exchange) {
		var k kept
		if strings.HasSuffix(x.Request.URL.Path, "/index.json") && json.Unmarshal(x.Call.Body, &k) == nil && k.Verified != nil && k.Verified.Release == early {
			w.await("the second invalidation", func() bool { return len(w.created) == made+2 })
		}
		x.Next.ServeHTTP(x.Writer, x.Again())
	}})
	early = w.start(first, site3("1", "2", "1"))
	w.await("the first invalidation", func() bool { return len(w.created) == made+1 })
	w.mu.Lock()
	for i := range w.delays {
		w.delays[i] *= 10 // so that the second one is seen after the first
	}
	w.mu.Unlock()
	late := w.start(second, site3("1", "2", "2"))
	for pipeline, execution := range map[string]string{first: early, second: late} {
		if status, says := w.end(pipeline, execution); status != codepipeline.Succeeded {
			t.Fatalf("%s: %s: %s", pipeline, status, says)
		}
	}
	w.script.Clear()
	w.sees(site3("1", "2", "2"))
	k := w.index()
	if k.Verified == nil || k.Verified.Release != early || len(k.Pending) != 1 || k.Pending[0].Release != late {
		t.Fatalf("the later one is not pending: %+v", k)
	}
	evidence := w.evidence(late)
	if !slices.ContainsFunc(evidence.Notes, func(s string) bool { return strings.HasPrefix(s, "the history changed meanwhile") }) {
		t.Errorf("its evidence does not say so: %q", evidence.Notes)
	}

	// What only the pending one had is reverted.
	next := w.deliver(site3("1", "2", "1"))
	if got := items(next); got != "/news.html" {
		t.Errorf("the next release purged %q; want /news.html", got)
	}
	w.sees(site3("1", "2", "1"))
	if k := w.index(); len(k.Pending) != 0 || k.Verified.Release != next.Release {
		t.Errorf("the history is %+v", k)
	}
}

// Two executions overlap, and the second one takes back what the first one changed: the first one fails,
// since viewers do not get it, and nobody is left with anything of it.
func TestAnExecutionIsOvertaken(t *testing.T) {
	w := newWorld(t)
	w.deliver(site3("1", "1", "1"))
	w.sees(site3("1", "1", "1"))
	made := len(w.created)
	hold := make(chan struct{})
	w.script.Add(faults.Rule{Service: "cloudfront", Operation: "CreateInvalidation", Do: func(_ *faults.Script, _ faults.Call, x front.Exchange) {
		w.mu.Lock()
		again := w.held
		w.held = true
		w.signal()
		w.mu.Unlock()
		if !again {
			<-hold
		}
		x.Next.ServeHTTP(x.Writer, x.Again())
	}})
	early := w.start(first, site3("1", "2", "1"))
	w.await("the first one's call", func() bool { return w.held })
	late := w.start(second, site3("1", "1", "2"))
	w.await("the second one's invalidation", func() bool { return len(w.created) == made+1 })
	close(hold)
	if status, says := w.end(second, late); status != codepipeline.Succeeded {
		t.Fatalf("%s: %s", status, says)
	}
	status, says := w.end(first, early)
	if status != codepipeline.Failed || !strings.Contains(says, "viewers do not see the release") {
		t.Errorf("the first one: %s: %s", status, says)
	}
	w.script.Clear()
	w.sees(site3("1", "1", "2"))
	if got := items(w.evidence(late)); got != "/about.html /news.html" {
		t.Errorf("the second one purged %q", got)
	}
	if k := w.index(); k.Verified.Release != late {
		t.Errorf("the history is %+v", k)
	}
}

// A history that cannot be relied on costs one "/*", which says why, and is whole again with it.
func TestADamagedHistoryHeals(t *testing.T) {
	w := newWorld(t)
	n := 1
	next := func() content {
		n++
		return site3("1", fmt.Sprint(n), "1")
	}
	w.deliver(next())
	manifest := func() string {
		return "history/" + w.Outputs["DistributionId"] + "/" + w.index().Verified.Manifest + ".manifest"
	}
	for _, tt := range []struct {
		what   string
		damage func()
		note   string // "": the bucket says nothing
	}{
		{"a damaged manifest", func() {
			key := manifest()
			body := w.read(key)
			body[len(body)/2] ^= 1
			w.write(key, body)
		}, "nothing is known of what caches hold: s3://unstale-state-111111111111-us-east-1/history/"},
		{"another distribution's manifest", func() {
			w.write(manifest(), site.Manifest{Distribution: "EANOTHER", Snapshot: site.Snapshot{{Key: "a"}}}.Encode())
		}, "it is of distribution EANOTHER, not of "},
		{"no manifest", func() { w.remove(manifest()) }, "is missing"},
		{"a damaged index", func() { w.write(w.indexKey(), []byte("<html>")) }, "it is damaged"},
		{"an emptied bucket", func() { w.remove(w.keys("")...) }, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w.T = t
			w.sees(site3("1", fmt.Sprint(n), "1")) // every cache holds it
			tt.damage()
			c := next()
			e := w.deliver(c)
			if got := items(e); got != "/*" {
				t.Errorf("it purged %q", got)
			}
			if text := strings.Join(e.Notes, "; "); !strings.Contains(text, tt.note) || tt.note == "" && !strings.Contains(e.Plan.Items[0].Reason, "no earlier release was recorded") {
				t.Errorf("notes %q, reason %q; want %q", e.Notes, e.Plan.Items[0].Reason, tt.note)
			}
			w.sees(c)
			c = next()
			if e := w.deliver(c); items(e) != "/about.html" || len(e.Notes) > 0 && strings.Contains(strings.Join(e.Notes, ""), "nothing is known") {
				t.Errorf("it does not heal: %q, %q", items(e), e.Notes)
			}
			w.sees(c)
		})
	}
	w.T = t
	w.secrets()
}

// secrets demands that nothing the state keeps tells a credential, and that each release told its metrics
// once.
func (w *world) secrets() {
	w.Helper()
	for _, key := range w.keys("") {
		for _, word := range []string{"ASIA", "AKIA", "secretAccessKey", "sessionToken", "continuationToken", "CodePipeline.job"} {
			if bytes.Contains(w.read(key), []byte(word)) {
				w.Errorf("%s tells %s", key, word)
			}
		}
	}
	told := map[string]int{}
	for _, line := range stage.Log(w, w.Config(story.PipelineAccount), map[string]any{
		"logGroupName": "/aws/lambda/unstale-job", "filterPattern": `"CloudWatchMetrics"`,
	}) {
		var metrics struct{ Release string }
		if err := json.Unmarshal([]byte(line.Message), &metrics); err != nil {
			w.Errorf("%v: %s", err, line.Message)
		}
		told[metrics.Release]++
	}
	for _, e := range w.World.Executions(story.PipelineAccount, first) {
		if told[e.ID] != 1 {
			w.Errorf("release %s told its metrics %d times", e.ID, told[e.ID])
		}
	}
}
