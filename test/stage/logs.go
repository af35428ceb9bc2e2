package stage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Logged is one event of a log group.
type Logged struct {
	Stream  string `json:"logStreamName"`
	Message string `json:"message"`
}

// Log reads all events that a request of FilterLogEvents asks for, over HTTP like any client, with the
// endpoint and the credentials of cfg. CloudWatch Logs' SDK client nothing else here needs.
func Log(t testing.TB, cfg aws.Config, request map[string]any) []Logged {
	t.Helper()
	in := maps.Clone(request)
	var all []Logged
	for {
		var page struct {
			Events    []Logged `json:"events"`
			NextToken string   `json:"nextToken"`
		}
		if err := json.Unmarshal(filterLogEvents(t, cfg, in), &page); err != nil {
			t.Fatalf("logs:FilterLogEvents: %v", err)
		}
		all = append(all, page.Events...)
		if page.NextToken == "" {
			return all
		}
		in["nextToken"] = page.NextToken
	}
}

func filterLogEvents(t testing.TB, cfg aws.Config, in map[string]any) []byte {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, aws.ToString(cfg.BaseEndpoint), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328.FilterLogEvents")
	credentials, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, req, hex.EncodeToString(sum[:]), "logs", cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or the error below says so
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("logs:FilterLogEvents: %s: %v: %s", resp.Status, err, answer)
	}
	return answer
}
