package ablation

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/internal/cli/story"
)

// logged is one event of a log group.
type logged struct {
	Stream  string `json:"logStreamName"`
	Message string `json:"message"`
}

// readLog reads a log group as the root of its account, over HTTP like any client.
func readLog(t *testing.T, w *world, account, group string) []logged {
	t.Helper()
	var all []logged
	for token := ""; ; {
		in := map[string]any{"logGroupName": group}
		if token != "" {
			in["nextToken"] = token
		}
		var out struct {
			Events    []logged `json:"events"`
			NextToken string   `json:"nextToken"`
		}
		ask(t, w, account, "FilterLogEvents", in, &out)
		all = append(all, out.Events...)
		if token = out.NextToken; token == "" {
			return all
		}
	}
}

// ask calls CloudWatch Logs, whose SDK client nothing else here needs.
func ask(t *testing.T, w *world, account, operation string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.World.URL(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "Logs_20140328."+operation)
	credentials, err := w.Config(account).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, req, hex.EncodeToString(sum[:]), "logs", story.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var refusal bytes.Buffer
		_, _ = refusal.ReadFrom(resp.Body) // the status is what counts
		t.Fatalf("logs:%s: %s: %s", operation, resp.Status, &refusal)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatalf("logs:%s: %v", operation, err)
	}
}
