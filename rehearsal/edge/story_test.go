package edge

import (
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/templates"
)

// TestInvalidationReachesViewers is the whole way: the control plane's distribution, its
// invalidation, and each point of presence turning at its own moment.
func TestInvalidationReachesViewers(t *testing.T) {
	w := newWorld(t, nil, Options{})
	root, _ := w.bucket.directory.Root(owner)
	control := cloudfront.New(cloudfront.Deps{
		Directory: w.bucket.directory, Clock: w.clock, Journal: w.journal,
		Options: cloudfront.Options{Delays: cloudfront.Fixed(time.Second, 2*time.Second, 3*time.Second)},
	})
	d := deploy(t, control, root.Caller)
	w.allow("arn:aws:cloudfront::" + owner + ":distribution/" + d.Ref)
	w.edge = New(Deps{Distributions: control, Origin: w.bucket, Clock: w.clock})
	control.Attach(w.edge)
	events := make(chan journal.Event, 100)
	w.journal.OnEvent(func(e journal.Event) { events <- e })

	w.bucket.put("index.html", "one", "Cache-Control", "public, max-age=0, s-maxage=31536000")
	look := func() (bodies string) {
		for _, p := range w.edge.POPs() {
			bodies += w.from(p, "GET", "https://"+d.Attributes["DomainName"]+"/").body + " "
		}
		return bodies
	}
	look()
	w.bucket.put("index.html", "two", "Cache-Control", "public, max-age=0, s-maxage=31536000")
	inv, _, err := control.CreateInvalidation(t.Context(), root.Caller, d.Ref, []string{"/*"}, "r")
	if err != nil {
		t.Fatal(err)
	}
	<-events // created
	for _, want := range []string{"one one one ", "two one one ", "two two one ", "two two two "} {
		if got := look(); got != want {
			t.Errorf("viewers see %q, want %q", got, want)
		}
		if want != "two two two " {
			w.clock.Advance(time.Second)
			<-events // purged
		}
	}
	<-events // completed
	if inv, err = control.GetInvalidation(t.Context(), root.Caller, d.Ref, inv.ID); err != nil || inv.Status != cloudfront.Completed {
		t.Errorf("%+v, %v", inv, err)
	}
}

// deploy makes a distribution of the bucket "site" as a template would.
func deploy(t *testing.T, s *cloudfront.Service, caller accounts.Caller) templates.Resource {
	t.Helper()
	types := s.ResourceTypes()
	create := func(i int, properties map[string]any) templates.Resource {
		r, err := types[i].Create(t.Context(), templates.Request{Caller: caller, Account: owner, Properties: properties})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	access := create(1, map[string]any{"OriginAccessControlConfig": map[string]any{
		"Name": "site", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4",
	}})
	return create(0, map[string]any{"DistributionConfig": map[string]any{
		"Enabled": true, "DefaultRootObject": "index.html",
		"Origins": []any{map[string]any{
			"Id": "site", "DomainName": "site.s3.us-east-1.amazonaws.com", "OriginAccessControlId": access.Ref,
			"S3OriginConfig": map[string]any{"OriginAccessIdentity": ""},
		}},
		"DefaultCacheBehavior": map[string]any{
			"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": cloudfront.CachingOptimized, "Compress": true,
		},
	}})
}
