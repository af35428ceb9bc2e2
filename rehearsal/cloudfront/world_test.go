package cloudfront_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	pipelineAccount = "111111111111"
	deliveryAccount = "222222222222"
)

// purges is an Edge that notes what it was told.
type purges struct {
	mu   sync.Mutex
	seen []string // POPs in order
}

func (p *purges) Names() []string { return []string{"FRA56-P1", "IAD89-C2", "NRT57-P3"} }

func (p *purges) Purge(pop, _ string, items []string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, pop)
	return len(items)
}

// world is both accounts with CloudFront behind the front door, on a clock that stands still.
type world struct {
	t         *testing.T
	service   *cloudfront.Service
	clock     *clock.Clock
	journal   *journal.Journal
	directory *accounts.Directory
	edge      *purges
	url       string
	events    chan journal.Event
}

func newWorld(t *testing.T, o cloudfront.Options) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New(false), journal: &journal.Journal{}, edge: &purges{}, events: make(chan journal.Event, 10000)}
	t.Cleanup(w.clock.Close)
	w.journal.OnEvent(func(e journal.Event) { w.events <- e })
	w.directory = accounts.New(w.clock, w.journal)
	for _, id := range []string{pipelineAccount, deliveryAccount} {
		if _, err := w.directory.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	w.service = cloudfront.New(cloudfront.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Edge: w.edge, Options: o,
	})
	w.url = fronttest.Serve(t, w.directory, w.clock, w.journal, "cloudfront", w.service, wire.WriteXMLError)
	return w
}

// client is the SDK's, with the root credentials of an account.
func (w *world) client(account string) *sdk.Client {
	root, _ := w.directory.Root(account)
	return w.clientOf(root)
}

func (w *world) clientOf(c accounts.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &w.url, Retryer: aws.NopRetryer{},
		Credentials: fronttest.Keys(c), HTTPClient: fronttest.HTTPClient(w.t),
	})
}

// user is a client of a user with one policy.
func (w *world) user(account, name, policy string) *sdk.Client {
	w.t.Helper()
	var doc iam.Document
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		w.t.Fatal(err)
	}
	c, err := w.directory.AddUser(account, name, doc)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.clientOf(c)
}

func (w *world) resourceType(name string) templates.Type {
	w.t.Helper()
	for _, r := range w.service.ResourceTypes() {
		if r.Name == name {
			return r
		}
	}
	w.t.Fatalf("no type %s", name)
	return templates.Type{}
}

func (w *world) make(kind string, properties map[string]any) (templates.Resource, error) {
	root, _ := w.directory.Root(deliveryAccount)
	return w.resourceType(kind).Create(w.t.Context(), templates.Request{
		Caller: root.Caller, Account: deliveryAccount, Region: "us-east-1", Stack: "s", LogicalID: "L", Properties: properties,
	})
}

// site makes an origin access control and a distribution as our template does; more overrides the
// configuration.
func (w *world) site(more map[string]any) templates.Resource {
	w.t.Helper()
	d, err := w.make("AWS::CloudFront::Distribution", w.siteProperties(more))
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) siteProperties(more map[string]any) map[string]any {
	w.t.Helper()
	control, err := w.make("AWS::CloudFront::OriginAccessControl", map[string]any{"OriginAccessControlConfig": map[string]any{
		"Name": "site-" + rand(), "Description": "d", "OriginAccessControlOriginType": "s3",
		"SigningBehavior": "always", "SigningProtocol": "sigv4",
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	config := map[string]any{
		"Enabled": true, "Comment": "site", "DefaultRootObject": "index.html", "HttpVersion": "http2and3", "IPV6Enabled": true,
		"Origins": []any{map[string]any{
			"Id": "site", "DomainName": "site-bucket.s3.eu-west-1.amazonaws.com", "OriginAccessControlId": control.Ref,
			"S3OriginConfig": map[string]any{"OriginAccessIdentity": ""},
		}},
		"DefaultCacheBehavior": map[string]any{
			"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": cloudfront.CachingOptimized, "Compress": true,
		},
		"CustomErrorResponses": []any{map[string]any{
			"ErrorCode": 403.0, "ResponseCode": 200.0, "ResponsePagePath": "/index.html", "ErrorCachingMinTTL": 60.0,
		}},
	}
	maps.Copy(config, more)
	return map[string]any{"DistributionConfig": config}
}

func rand() string { return time.Now().Format("150405.000000000") }

func create(ctx context.Context, c *sdk.Client, id, reference string, items ...string) (*types.Invalidation, error) {
	out, err := c.CreateInvalidation(ctx, &sdk.CreateInvalidationInput{
		DistributionId: &id, InvalidationBatch: &types.InvalidationBatch{
			CallerReference: &reference, Paths: &types.Paths{Quantity: aws.Int32(int32(len(items))), Items: items},
		},
	})
	if err != nil {
		return nil, err
	}
	return out.Invalidation, nil
}

// code is AWS's error code and message.
func code(err error) (string, string) {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode(), e.ErrorMessage()
	}
	if err != nil {
		return "", err.Error()
	}
	return "", ""
}

// wait reads events until one has the name.
func (w *world) wait(name string) journal.Event {
	w.t.Helper()
	for {
		select {
		case e := <-w.events:
			if e.Name == name {
				return e
			}
		case <-time.After(20 * time.Second): // only when it is broken
			w.t.Fatalf("no event %s", name)
		}
	}
}
