package codecommit_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
)

// call signs a request with AWS's own signer: there is no CodeCommit client in this module.
func (w *world) call(c accounts.Credentials, operation, body string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "CodeCommit_20150413."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256([]byte(body))
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(w.t.Context(), keys, req, hex.EncodeToString(sum[:]), "codecommit", region, time.Now()); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, out
}

func TestAPI(t *testing.T) {
	w := newWorld(t)
	nobody, err := w.directory.AddUser(account, "nobody", iam.Document{})
	if err != nil {
		t.Fatal(err)
	}
	dir := w.work(map[string]string{"a": "1"})
	w.must(dir, "push", "--quiet", w.remote(w.root.Caller), "main")
	commit := w.must(dir, "rev-parse", "HEAD")
	for _, tt := range []struct {
		who             accounts.Credentials
		operation, body string
		status          int
		want            string
	}{
		{w.root, "GetRepository", `{"repositoryName":"site"}`, 200, `"defaultBranch":"main"`},
		{w.root, "GetRepository", `{"repositoryName":"site"}`, 200, w.url + "/v1/repos/site"},
		{w.root, "GetRepository", `{"repositoryName":"none"}`, 400, "RepositoryDoesNotExistException"},
		{w.root, "GetBranch", `{"repositoryName":"site","branchName":"main"}`, 200, commit},
		{w.root, "GetBranch", `{"repositoryName":"site","branchName":"dev"}`, 400, "BranchDoesNotExistException"},
		{w.root, "CreateRepository", `{"repositoryName":"two"}`, 200, siteARN[:len(siteARN)-4] + "two"},
		{w.root, "CreateRepository", `{"repositoryName":"three","tags":{"a":"b"}}`, 501, "NotEmulated"},
		{w.root, "ListRepositories", `{}`, 200, `"repositoryName":"two"`},
		{w.root, "MergeBranchesBySquash", `{}`, 501, "NotEmulated"},
		{nobody, "GetRepository", `{"repositoryName":"site"}`, 403, "AccessDeniedException"},
		{nobody, "GetBranch", `{"repositoryName":"site","branchName":"main"}`, 403, "AccessDeniedException"},
		{nobody, "CreateRepository", `{"repositoryName":"mine"}`, 403, "AccessDeniedException"},
		{nobody, "ListRepositories", `{}`, 403, "AccessDeniedException"},
	} {
		status, out := w.call(tt.who, tt.operation, tt.body)
		raw, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		if status != tt.status || !strings.Contains(string(raw), tt.want) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.operation, tt.body, status, raw, tt.status, tt.want)
		}
	}
}
