package rehearsal

import (
	"context"
	"net/http"
	"os"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/codecommit"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/edge"
	"github.com/unstale/unstale/rehearsal/events"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/iamapi"
	"github.com/unstale/unstale/rehearsal/kms"
	"github.com/unstale/unstale/rehearsal/lambda"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/s3"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// services are the emulated services, made by build in the order of their needs.
type services struct {
	sessions      *sts.Service
	identities    *iamapi.Service
	keys          *kms.Service
	buckets       *s3.Service
	logs          *logs.Service
	functions     *lambda.Service
	distributions *cloudfront.Service
	machines      *states.Service
	rules         *events.Service
	repositories  *codecommit.Service
	builds        *codebuild.Service
	pipelines     *codepipeline.Service
	stacks        *templates.Service
}

func (w *World) build() error {
	d, c, j := w.directory, w.clock, w.journal
	w.sessions = sts.New(d)
	w.identities = iamapi.New(d)
	w.keys = kms.New(d, c)
	w.buckets = s3.New(s3.Deps{Directory: d, Clock: c, Journal: j, Keys: w.keys})
	w.logs = logs.New(logs.Deps{Directory: d, Clock: c})
	w.distributions = cloudfront.New(cloudfront.Deps{Directory: d, Clock: c, Journal: j, Options: w.options.Invalidation})
	if err := w.buildEdge(); err != nil {
		return err
	}
	if err := w.buildFunctions(); err != nil {
		return err
	}
	if err := w.buildDelivery(); err != nil {
		return err
	}
	w.stacks = templates.New(templates.Deps{Directory: d, Clock: c, Journal: j})
	return nil
}

func (w *World) buildEdge() error {
	dir, err := w.dir("edge")
	if err != nil {
		return err
	}
	options := w.options.Edge
	options.Dir = dir
	if w.options.Faults != nil {
		options.Intercept = w.options.Faults.Visit
	}
	w.edge = edge.New(edge.Deps{Distributions: w.distributions, Origin: origin{w.buckets}, Clock: w.clock, Options: options})
	w.distributions.Attach(w.edge)
	return w.edge.Listen()
}

func (w *World) buildFunctions() error {
	dir, err := w.dir("functions")
	if err != nil {
		return err
	}
	w.functions, err = lambda.New(lambda.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Assume: w.assume,
		GetObject: func(ctx context.Context, c accounts.Caller, bucket, key string) ([]byte, error) {
			o, err := w.buckets.GetObject(ctx, c, bucket, key)
			return o.Body, err
		},
		Logs: w.logs,
		Options: lambda.Options{
			Dir: dir, Packages: w.options.Packages, Hooks: w.options.Hooks,
			// Viewers' requests of functions leave from the first point of presence, as one caller
			// on AWS reaches one point of presence.
			Environment: map[string]string{
				"AWS_ENDPOINT_URL": w.front.URL(), "HTTPS_PROXY": w.edge.POPs()[0].ProxyURL(), "SSL_CERT_FILE": w.edge.CAFile(),
			},
		},
	})
	return err
}

// buildDelivery makes what a push goes through: repositories, rules, builds, pipelines.
func (w *World) buildDelivery() error {
	repositories, err := w.dir("repositories")
	if err != nil {
		return err
	}
	builds, err := w.dir("builds")
	if err != nil {
		return err
	}
	w.rules = events.New(events.Deps{Directory: w.directory, Clock: w.clock, Journal: w.journal, Sessions: w.sessions})
	w.repositories, err = codecommit.New(codecommit.Deps{
		Directory: w.directory, Clock: w.clock, Bus: w.rules, Dir: repositories, URL: w.front.URL,
	})
	if err != nil {
		return err
	}
	store := artifacts{w.buckets}
	w.builds = codebuild.New(codebuild.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Sessions: w.sessions, Store: store, Logs: w.logs, Dir: builds, URL: w.front.URL,
		Options: codebuild.Options{Host: os.Environ(), CacheDir: w.options.BuildCache, Output: w.options.BuildOutput},
	})
	w.machines = states.New(states.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Sessions: w.sessions, Distributions: integration{w.distributions, w.options.Faults},
	})
	w.pipelines = codepipeline.New(codepipeline.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Sessions: w.sessions, Store: store,
		Repositories: w.repositories, Builds: w.builds, Functions: invoker{w.functions}, Machines: w.machines,
		Options: w.options.Pipelines,
	})
	w.rules.Pipelines = w.pipelines
	return nil
}

// register opens the services at the front door and to templates.
func (w *World) register() {
	for _, s := range []struct {
		name    string
		handler http.Handler
		fail    front.ErrorWriter
	}{
		{sts.SigningName, w.sessions, wire.WriteXMLError},
		{iamapi.SigningName, w.identities, wire.WriteXMLError},
		{templates.SigningName, w.stacks, wire.WriteXMLError},
		{cloudfront.SigningName, w.distributions, wire.WriteXMLError},
		{s3.SigningName, w.buckets, wire.WriteS3Error},
		{kms.SigningName, w.keys, wire.WriteJSONError},
		{logs.SigningName, w.logs, wire.WriteJSONError},
		{lambda.SigningName, w.functions, wire.WriteJSONError},
		{states.SigningName, w.machines, wire.WriteJSONError},
		{codecommit.SigningName, w.repositories, wire.WriteJSONError},
		{codebuild.SigningName, w.builds, wire.WriteJSONError},
		{codepipeline.SigningName, w.pipelines, wire.WriteJSONError},
	} {
		w.front.Handle(s.name, s.handler, s.fail)
	}
	w.front.HandlePath(codecommit.GitPath, w.repositories.GitHandler())
	for _, s := range []interface{ ResourceTypes() []templates.Type }{
		w.identities, w.keys, w.buckets, w.logs, w.functions, w.distributions, w.machines, w.rules, w.repositories, w.builds, w.pipelines,
	} {
		w.stacks.Register(s.ResourceTypes()...)
	}
}

// origin is S3 as the edge reads it.
type origin struct{ buckets *s3.Service }

func (o origin) GetObject(ctx context.Context, c accounts.Caller, bucket, key string) ([]byte, http.Header, error) {
	object, err := o.buckets.GetObject(ctx, c, bucket, key)
	return object.Body, object.Header, err
}

// artifacts is S3 as pipelines and builds use it.
type artifacts struct{ buckets *s3.Service }

func (a artifacts) Fetch(ctx context.Context, c accounts.Caller, at artifact.Location) ([]byte, error) {
	o, err := a.buckets.GetObject(ctx, c, at.Bucket, at.Key)
	return o.Body, err
}

func (a artifacts) Keep(ctx context.Context, c accounts.Caller, o artifact.Object) error {
	header := http.Header{}
	for name, v := range map[string]string{"Content-Type": o.ContentType, "Cache-Control": o.CacheControl, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": o.KMSKey} {
		if v != "" {
			header.Set(name, v)
		}
	}
	if o.KMSKey != "" {
		header.Set("X-Amz-Server-Side-Encryption", "aws:kms")
	}
	_, err := a.buckets.PutObject(ctx, c, o.Bucket, o.Key, o.Body, header)
	return err
}

// invoker is Lambda as CodePipeline uses it.
type invoker struct{ functions *lambda.Service }

func (i invoker) List(_ context.Context, c accounts.Caller, region string) error {
	_, err := i.functions.List(c, region)
	return err
}

func (i invoker) InvokeEvent(ctx context.Context, c accounts.Caller, region, function string, payload []byte) error {
	_, err := i.functions.Invoke(ctx, c, lambda.InvokeInput{Region: region, Function: function, Type: "Event", Payload: payload})
	return err
}
