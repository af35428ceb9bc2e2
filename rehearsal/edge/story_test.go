package edge

import (
	"strings"
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

// TestMembersOnly is the whole way of restricted access: keys and groups as a template makes them, viewers
// with and without signatures, and a key that is exchanged for another.
func TestMembersOnly(t *testing.T) {
	w := newWorld(t, nil, Options{})
	root, _ := w.bucket.directory.Root(owner)
	control := cloudfront.New(cloudfront.Deps{Directory: w.bucket.directory, Clock: w.clock, Journal: w.journal})
	types := map[string]templates.Type{}
	for _, r := range control.ResourceTypes() {
		types[r.Name] = r
	}
	create := func(kind string, properties map[string]any) templates.Resource {
		r, err := types[kind].Create(t.Context(), templates.Request{Caller: root.Caller, Account: owner, Properties: properties})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	signers := make([]signer, 2)
	for i, name := range []string{"old", "new"} {
		private := ellipticKey(t)
		k := create("AWS::CloudFront::PublicKey", map[string]any{"PublicKeyConfig": map[string]any{
			"Name": name, "CallerReference": name, "EncodedKey": encode(t, private.Public()),
		}})
		signers[i] = signer{t, private, k.Ref}
	}
	group := func(keys ...any) map[string]any {
		return map[string]any{"KeyGroupConfig": map[string]any{"Name": "members", "Items": keys}}
	}
	g := create("AWS::CloudFront::KeyGroup", group(signers[0].id))
	d := deploy(t, control, root.Caller, g.Ref)
	w.allow("arn:aws:cloudfront::" + owner + ":distribution/" + d.Ref)
	w.edge = New(Deps{Distributions: control, Origin: w.bucket, Clock: w.clock})
	w.bucket.put("index.html", "for members")
	url := "https://" + d.Attributes["DomainName"] + "/"
	look := func(query string) page { return w.from(w.edge.POPs()[0], "GET", url+query) }
	w.expect("nobody", look(""), 403, "Error", missingKey)
	w.expect("the old key", look(signers[0].cannedFor(url, soon())), 200, "Miss", "for members")
	if got := look(signers[1].cannedFor(url, soon())); got.status != 403 || !strings.Contains(got.body, "<Code>InvalidKey</Code><Message>Unknown Key</Message>") {
		t.Errorf("a key that is not in the group: %+v", got)
	}
	_, err := types["AWS::CloudFront::KeyGroup"].Update(t.Context(),
		templates.Request{Caller: root.Caller, Account: owner, Properties: group(signers[1].id)},
		templates.Existing{Caller: root.Caller, Account: owner, Resource: g})
	if err != nil {
		t.Fatal(err)
	}
	w.expect("the new key", look(signers[1].cannedFor(url, soon())), 200, "Hit", "for members")
	if got := look(signers[0].cannedFor(url, soon())); got.status != 403 {
		t.Errorf("the old key, once exchanged: %+v", got)
	}
}

// deploy makes a distribution of the bucket "site" as a template would, open to those whom groups trust.
func deploy(t *testing.T, s *cloudfront.Service, caller accounts.Caller, groups ...any) templates.Resource {
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
			"TrustedKeyGroups": groups,
		},
	}})
}
