package job

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

const (
	firstJob  = "11111111-1111-4111-8111-111111111111"
	secondJob = "22222222-2222-4222-8222-222222222222"
	secretID  = "ASIAMARKERKEYID00001"
	secretKey = "MarkerSecret/abcdefghijklmnopqrstuvwxyz+"
	secretTok = "MarkerToken//////////0123456789=="
)

// distribution is a gateway to one that completes in (fake) time.
type distribution struct {
	mu      sync.Mutex // of all that follows
	id      string
	takes   time.Duration
	fail    map[string]error
	deaf    bool // hangs in Create without hearing the context
	panics  any
	private bool                                 // viewers need a signature
	created map[string]invalidation.Invalidation // by reference
	paid    int
}

func (d *distribution) step(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.panics != nil {
		panic(d.panics)
	}
	return d.fail[name]
}

func (d *distribution) Distribution(context.Context) (plan.Distribution, error) {
	return plan.Distribution{
		ID: d.id, Account: "222222222222", Domain: d.id + ".cloudfront.net", DefaultRootObject: "index.html", Enabled: true,
		Default: plan.Behavior{Restricted: d.private},
	}, d.step("distribution")
}

func (d *distribution) Create(_ context.Context, batch invalidation.Batch) (invalidation.Invalidation, error) {
	if err := d.step("create"); err != nil {
		return invalidation.Invalidation{}, err
	}
	d.mu.Lock()
	deaf := d.deaf
	d.mu.Unlock()
	if deaf {
		time.Sleep(time.Hour)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, again := d.created[batch.Reference]; !again {
		d.paid++
		one := invalidation.Invalidation{
			ID: "I" + d.id, Distribution: d.id, Reference: batch.Reference, Status: invalidation.InProgress, Created: time.Now(),
		}
		for _, item := range batch.Items {
			one.Items = append(one.Items, item.String())
		}
		if d.created == nil {
			d.created = map[string]invalidation.Invalidation{}
		}
		d.created[batch.Reference] = one
	}
	return d.state(d.created[batch.Reference]), nil
}

func (d *distribution) state(one invalidation.Invalidation) invalidation.Invalidation {
	if time.Since(one.Created) >= d.takes {
		one.Status = invalidation.Completed
	}
	return one
}

func (d *distribution) Get(_ context.Context, id string) (invalidation.Invalidation, error) {
	if err := d.step("get"); err != nil {
		return invalidation.Invalidation{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.created {
		if one.ID == id {
			return d.state(one), nil
		}
	}
	return invalidation.Invalidation{}, &gateway.Error{Code: gateway.NoSuchInvalidation}
}

func (d *distribution) InProgress(context.Context) ([]invalidation.Invalidation, error) {
	return nil, d.step("list")
}

func (d *distribution) Objects(context.Context, plan.Origin, []string) ([]gateway.Stored, error) {
	return nil, d.step("objects")
}

// eyes see the release when its content is known to them or nothing is compared.
type eyes struct {
	mu    sync.Mutex
	asked []viewer.Request
	stale bool
}

func (e *eyes) Check(_ context.Context, r viewer.Request) viewer.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r)
	report := viewer.Report{Domain: r.Domain}
	for _, x := range r.Expect {
		report.Pages = append(report.Pages, viewer.Page{
			URL: "https://" + r.Domain + x.Path, Status: 200, POP: "FRA56-P1", Fresh: !e.stale, Compared: x.HasSum, Why: "served the old one",
		})
	}
	return report
}

// desk collects answers.
type desk struct {
	jobs    []string
	answers []Answer
	fails   []error // used up one a call
	panics  bool
}

func (d *desk) Answer(_ context.Context, id string, a Answer) error {
	d.jobs, d.answers = append(d.jobs, id), append(d.answers, a)
	if d.panics {
		panic("no desk: " + secretKey)
	}
	if len(d.fails) > 0 {
		err := d.fails[0]
		d.fails = d.fails[1:]
		return err
	}
	return nil
}

func (d *desk) last() Answer { return d.answers[len(d.answers)-1] }

// shelf holds one artifact.
type shelf struct {
	content []byte
	fail    error
	got     Credentials
	panics  bool
}

func (s *shelf) Artifact(ctx context.Context, bucket, key string) (io.ReaderAt, int64, error) {
	if s.panics {
		panic("shelf broke under " + secretTok)
	}
	return bytes.NewReader(s.content), int64(len(s.content)), s.fail
}

func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// world is all that a handler needs, with its log.
type world struct {
	distributions map[string]*distribution
	eyes          *eyes
	desk          *desk
	shelf         *shelf
	log           *bytes.Buffer
	releases      []string // that gateways were opened for
	config        Config
}

func newWorld(t testing.TB, distributions map[string]*distribution) *world {
	w := &world{
		distributions: distributions, eyes: &eyes{}, desk: &desk{}, log: &bytes.Buffer{},
		shelf: &shelf{content: zipped(t, "index.html", "assets/app.js")},
	}
	targets := map[string]target.Target{}
	for name := range distributions {
		targets[name] = target.Target{Name: name, Route: target.Relay}
	}
	w.config = Config{
		Targets: targets,
		Gateway: func(t target.Target, release string) (purge.Gateway, error) {
			w.releases = append(w.releases, release)
			return distributions[t.Name], nil
		},
		Artifacts: func(c Credentials) Artifacts {
			w.shelf.got = c
			return w.shelf
		},
		Viewer: w.eyes, Answerer: w.desk, Function: "pipeline-job", Log: slog.New(slog.NewJSONHandler(w.log, nil)),
		Secrets: []string{ownTok},
	}
	return w
}

func one(d *distribution) map[string]*distribution {
	d.id = "E1"
	return map[string]*distribution{"default": d}
}

// run gives the handler one event and d of time.
func (w *world) run(t testing.TB, d time.Duration, raw []byte) error {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return New(w.config).Handle(ctx, raw)
}

// jobEvent is an event as CodePipeline's guide shows it.
func jobEvent(id, parameters, token string, inputs int) []byte {
	data := map[string]any{
		"actionConfiguration": map[string]any{"configuration": map[string]string{"FunctionName": "f", "UserParameters": parameters}},
		"outputArtifacts":     []any{},
		"artifactCredentials": map[string]any{
			"accessKeyId": secretID, "secretAccessKey": secretKey, "sessionToken": secretTok, "expirationTime": 1575493418000,
		},
		"encryptionKey": map[string]string{"id": "arn:aws:kms:us-east-1:111111111111:key/k", "type": "KMS"},
	}
	in := []any{}
	for range inputs {
		in = append(in, map[string]any{"name": "Build", "revision": nil, "location": map[string]any{
			"type": "S3", "s3Location": map[string]string{"bucketName": "artifacts", "objectKey": "site/Build/abc.zip"},
		}})
	}
	data["inputArtifacts"] = in
	if token != "" {
		data["continuationToken"] = token
	}
	raw, err := json.Marshal(map[string]any{"CodePipeline.job": map[string]any{"id": id, "accountId": "111111111111", "data": data}})
	if err != nil {
		panic(err)
	}
	return raw
}
