package cloudfront_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

func items(pattern string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(pattern, i)
	}
	return out
}

func TestLimitsInProgress(t *testing.T) {
	w := newWorld(t, cloudfront.Options{Delays: cloudfront.Fixed(time.Minute)})
	id, c := w.site(nil).Ref, w.client(deliveryAccount)
	step := func(reference, wantCode, wantText string, paths ...string) {
		t.Helper()
		_, err := create(t.Context(), c, id, reference, paths...)
		if got, text := code(err); got != wantCode || !strings.Contains(text, wantText) {
			t.Errorf("%s: %v, want %s", reference, err, wantCode)
		}
	}
	step("too large", "BatchTooLarge", "", items("/%d", 3001)...)
	step("all files", "", "", items("/%d", 3000)...)
	step("one more", "TooManyInvalidationsInProgress", "maximum number of in-progress invalidations.", "/x")
	step("wildcards are counted apart", "", "", items("/%d/*", 15)...)
	step("one more wildcard", "TooManyInvalidationsInProgress", "in-progress wildcard invalidations.", "/*")
	if _, err := create(t.Context(), c, w.site(nil).Ref, "r", "/*"); err != nil {
		t.Errorf("another distribution: %v", err)
	}
	w.clock.Advance(time.Minute)
	for range 3 {
		w.wait("InvalidationCompleted")
	}
	step("after completion", "", "", "/*")
}

func TestThrottling(t *testing.T) {
	limits := cloudfront.ThrottledLimits()
	w := newWorld(t, cloudfront.Options{Limits: &limits, Delays: cloudfront.Fixed(0)})
	id, other, c := w.site(nil).Ref, w.site(nil).Ref, w.client(deliveryAccount)
	try := func(distribution, reference, want string, paths ...string) {
		t.Helper()
		_, err := create(t.Context(), c, distribution, reference, paths...)
		if got, _ := code(err); got != want {
			t.Errorf("%s: %v, want %q", reference, err, want)
		}
	}
	try(id, "first wildcard", "", "/*")
	try(other, "the account's second", "Throttling", "/*")
	try(other, "a path is something else", "", "/x")
	w.clock.Advance(time.Second)
	try(other, "a second later", "", "/*")
	w.clock.Advance(time.Minute)
	try(id, "more than a second's worth", "", items("/%d", 450)...)
	try(id, "in debt", "Throttling", "/y")
	w.clock.Advance(2 * time.Second)
	try(id, "still in debt", "Throttling", items("/%d", 100)...)
	w.clock.Advance(time.Second)
	try(id, "paid back", "", items("/%d", 100)...)
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	id := w.site(nil).Ref
	root := w.client(deliveryAccount)
	pinned := w.user(deliveryAccount, "pinned", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudfront:CreateInvalidation","Resource":"arn:aws:cloudfront::222222222222:distribution/`+id+`"}]}`)
	stranger := w.user(pipelineAccount, "stranger", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)

	_, err := create(t.Context(), root, "E00000000000", "r", "/x")
	if got, text := code(err); got != "NoSuchDistribution" || text != "The specified distribution does not exist." {
		t.Errorf("unknown: %v", err)
	}
	_, err = create(t.Context(), root, id, "r", "/a b")
	if got, text := code(err); got != "InvalidArgument" || text != "Your request contains one or more invalid invalidation paths." {
		t.Errorf("bad item: %v", err)
	}
	_, err = create(t.Context(), root, id, "r", "#tag")
	if got, _ := code(err); got != "InvalidArgument" {
		t.Errorf("tag without CacheTagConfig: %v", err)
	}
	if _, err := create(t.Context(), pinned, id, "r", "/x"); err != nil {
		t.Errorf("allowed: %v", err)
	}
	_, err = create(t.Context(), pinned, w.site(nil).Ref, "r", "/x")
	if got, text := code(err); got != "AccessDenied" || !strings.Contains(text, "cloudfront:CreateInvalidation on resource: arn:aws:cloudfront::222222222222:distribution/") {
		t.Errorf("another distribution: %v", err)
	}
	_, err = create(t.Context(), stranger, id, "r2", "/x")
	if got, _ := code(err); got != "AccessDenied" {
		t.Errorf("another account: %v", err)
	}
	calls := w.journal.Calls()
	if last := calls[len(calls)-1]; last.Account != deliveryAccount || last.Caller != pipelineAccount || last.Decision != "deny" {
		t.Errorf("%+v", last)
	}
	tagged := w.site(map[string]any{"CacheTagConfig": map[string]any{"HeaderName": "x-amz-meta-cache-tag"}}).Ref
	if _, err := create(t.Context(), root, tagged, "r", "#Tag", "/x"); err != nil {
		t.Errorf("tag: %v", err)
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	id := w.site(nil).Ref
	for _, tt := range []struct{ what, method, path, body, want string }{
		{"no body", "POST", "distribution/" + id + "/invalidation", "", "400 MissingBody"},
		{"no XML", "POST", "distribution/" + id + "/invalidation", "{}", "400 MalformedXML"},
		{"wrong root", "POST", "distribution/" + id + "/invalidation", "<Batch/>", "400 MalformedXML"},
		{
			"quantity", "POST", "distribution/" + id + "/invalidation",
			"<InvalidationBatch><Paths><Quantity>2</Quantity><Items><Path>/x</Path></Items></Paths><CallerReference>r</CallerReference></InvalidationBatch>",
			"400 InconsistentQuantities",
		},
		{
			"unknown element", "POST", "distribution/" + id + "/invalidation",
			"<InvalidationBatch><Paths><Quantity>0</Quantity></Paths><CallerReference>r</CallerReference><Speed>9</Speed></InvalidationBatch>",
			"501 NotEmulated",
		},
		{
			"nothing", "POST", "distribution/" + id + "/invalidation",
			"<InvalidationBatch><Paths><Quantity>0</Quantity></Paths><CallerReference>r</CallerReference></InvalidationBatch>",
			"400 InvalidArgument",
		},
		{
			"no reference", "POST", "distribution/" + id + "/invalidation",
			"<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/x</Path></Items></Paths></InvalidationBatch>",
			"400 InvalidArgument",
		},
		{"unknown operation", "GET", "function", "", "501 NotEmulated"},
		{"unknown method", "PUT", "distribution/" + id, "", "501 NotEmulated"},
		{"unknown parameter", "GET", "distribution?Staging=true", "", "501 NotEmulated"},
		{"bad page size", "GET", "distribution?MaxItems=0", "", "400 InvalidArgument"},
		{"no such invalidation", "GET", "distribution/" + id + "/invalidation/I1", "", "404 NoSuchInvalidation"},
		{"no such control", "GET", "origin-access-control/E1", "", "404 NoSuchOriginAccessControl"},
	} {
		if got := w.raw(tt.method, tt.path, tt.body); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, got, tt.want)
		}
	}
}

// raw sends a signed request and gives status and error code.
func (w *world) raw(method, path, body string) string {
	w.t.Helper()
	r, err := http.NewRequest(method, w.url+"/2020-05-31/"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	root, _ := w.directory.Root(deliveryAccount)
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(w.t.Context(), aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey},
		r, hex.EncodeToString(sum[:]), "cloudfront", "us-east-1", time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	_, after, _ := strings.Cut(string(text), "<Code>")
	got, _, _ := strings.Cut(after, "</Code>")
	return fmt.Sprint(resp.StatusCode, " ", got)
}
