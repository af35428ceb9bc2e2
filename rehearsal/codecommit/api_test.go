package codecommit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codecommit"
	"github.com/unstale/unstale/rehearsal/fronttest"
)

func (w *world) call(c accounts.Credentials, operation, body string) (int, map[string]any) {
	w.t.Helper()
	status, answer := fronttest.Call(w.t, w.url, c, codecommit.SigningName, "CodeCommit_20150413."+operation, body)
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		w.t.Fatal(err)
	}
	return status, out
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
		{nobody, "DeleteRepository", `{"repositoryName":"two"}`, 403, "AccessDeniedException"},
		{w.root, "GetRepository", `{"repositoryName":"two"}`, 200, `"repositoryName":"two"`},
		{w.root, "DeleteRepository", `{"repositoryName":"two"}`, 200, `"repositoryId":"`},
		{w.root, "DeleteRepository", `{"repositoryName":"two"}`, 200, `{}`},
		{w.root, "GetRepository", `{"repositoryName":"two"}`, 400, "RepositoryDoesNotExistException"},
		{w.root, "CreateRepository", `{"repositoryName":"two"}`, 200, `"repositoryName":"two"`},
		{w.root, "DeleteRepository", `{}`, 400, "RepositoryNameRequiredException"},
		{w.root, "DeleteRepository", `{"repositoryName":"../two"}`, 400, "InvalidRepositoryNameException"},
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
