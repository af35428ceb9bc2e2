package matrix

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/internal/cli/story"
)

// line is one of the job function's log.
type line struct {
	Msg, Class, Step, Error, Release string
}

// log reads what the job function wrote about a release.
func (w *world) log(t *testing.T, release string) []line {
	t.Helper()
	if w.route.function == "" {
		return nil // nothing that logs
	}
	var lines []line
	for token := ""; ; {
		in := map[string]any{"logGroupName": "/aws/lambda/" + job, "filterPattern": `"` + release + `"`}
		if token != "" {
			in["nextToken"] = token
		}
		var out struct {
			Events    []struct{ Message string }
			NextToken string
		}
		w.filter(t, in, &out)
		for _, e := range out.Events {
			var l line
			if json.Unmarshal([]byte(e.Message), &l) == nil && l.Release == release {
				lines = append(lines, l)
			}
		}
		if token = out.NextToken; token == "" {
			return lines
		}
	}
}

// classes are those by which the job function retried during a release, sorted, each once.
func (w *world) classes(t *testing.T, release string) []string {
	t.Helper()
	classes := []string{}
	for _, l := range w.log(t, release) {
		switch l.Msg {
		case "retrying":
			classes = append(classes, l.Class)
		case "waiting for room":
			classes = append(classes, "slow")
		}
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// filter calls FilterLogEvents of CloudWatch Logs, whose SDK client nothing here needs.
func (w *world) filter(t *testing.T, in, out any) {
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
	req.Header.Set("X-Amz-Target", "Logs_20140328.FilterLogEvents")
	credentials, err := w.Config(w.route.account).Credentials.Retrieve(t.Context())
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
	defer func() { _ = resp.Body.Close() }() // it was read, or the error below says so
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("read the log: %s: %v", resp.Status, err)
	}
}
