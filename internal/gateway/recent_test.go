package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/gatewaytest"
)

// asked speaks to a handler as to AWS.
func asked(t *testing.T, h http.Handler) aws.Config {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return aws.Config{
		BaseEndpoint: aws.String(server.URL), HTTPClient: server.Client(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	}
}

func TestRecent(t *testing.T) {
	at := &gatewaytest.CloudFront{Distribution: "E2EXAMPLE"}
	for n := range 150 { // the n-th at n seconds past noon, over two pages
		at.Add(fmt.Sprint("r", n), "Completed", "/a", "/b")
	}
	newest := at.Add("r", "InProgress", "/*")
	g := gateway.NewCloudFront(asked(t, at), "E2EXAMPLE")
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		since time.Time
		most  int
		want  int
		more  bool
	}{
		{noon, 200, 151, false},
		{noon.Add(142 * time.Second), 200, 10, false},
		{noon, 3, 3, true},
		{noon.Add(time.Hour), 3, 0, false},
	} {
		got, more, err := g.Recent(t.Context(), tt.since, tt.most)
		if err != nil || len(got) != tt.want || more != tt.more {
			t.Errorf("since %v: %d, more %t, %v", tt.since, len(got), more, err)
		}
		if len(got) > 0 && (got[0].ID != newest || got[0].Items[0] != "/*" || got[0].Status.Done()) {
			t.Errorf("%+v", got[0])
		}
	}
	at.Trouble = func(string) *gatewaytest.Trouble {
		return &gatewaytest.Trouble{Status: 403, Code: "AccessDenied", Message: "no"}
	}
	_, _, err := g.Recent(t.Context(), noon, 3)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.AccessDenied || e.Operation != "list invalidations" {
		t.Error(err)
	}
}

func TestFindDistribution(t *testing.T) {
	const page = `<DistributionList><Marker></Marker><MaxItems>100</MaxItems><IsTruncated>%t</IsTruncated><Quantity>1</Quantity>%s<Items>` +
		`<DistributionSummary><Id>%s</Id><DomainName>%s</DomainName><Aliases><Quantity>1</Quantity><Items><CNAME>%s</CNAME></Items></Aliases></DistributionSummary>` +
		`</Items></DistributionList>`
	status := http.StatusOK
	cfg := asked(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		if r.URL.Query().Get("Marker") == "" {
			_, _ = fmt.Fprintf(w, page, true, "<NextMarker>2</NextMarker>", "E1", "d1.cloudfront.net", "www.example.com")
			return
		}
		_, _ = fmt.Fprintf(w, page, false, "", "E2", "d2.cloudfront.net", "shop.example.com")
	}))
	for domain, want := range map[string]string{"WWW.example.com": "E1", "d2.cloudfront.net": "E2", "shop.example.com": "E2"} {
		if got, err := gateway.FindDistribution(t.Context(), cfg, domain); got != want || err != nil {
			t.Errorf("%s: %q, %v", domain, got, err)
		}
	}
	_, err := gateway.FindDistribution(t.Context(), cfg, "nobody.example.com")
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.NoSuchDistribution || e.Try == "" {
		t.Error(err)
	}
	status = http.StatusForbidden
	if _, err := gateway.FindDistribution(t.Context(), cfg, "d1.cloudfront.net"); err == nil {
		t.Error("a refusal is no answer")
	}
}
