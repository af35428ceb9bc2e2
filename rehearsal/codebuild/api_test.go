package codebuild_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

// serve opens the front door for the world's builds.
func (w *world) serve() (url string) {
	w.t.Helper()
	c := clock.New(false)
	w.t.Cleanup(c.Close)
	return fronttest.Serve(w.t, w.directory, c, &journal.Journal{}, codebuild.SigningName, w.service, wire.WriteJSONError)
}

func (w *world) call(url string, c accounts.Credentials, operation, body string) (int, string) {
	w.t.Helper()
	status, out := fronttest.Call(w.t, url, c, codebuild.SigningName, "CodeBuild_20161006."+operation, body)
	if !json.Valid(out) {
		w.t.Fatalf("%s answers %q", operation, out)
	}
	return status, string(out)
}

func TestAPI(t *testing.T) {
	w := newWorld(t, everything)
	root, _ := w.directory.Root(account)
	nobody, err := w.directory.AddUser(account, "nobody", iam.Document{})
	if err != nil {
		t.Fatal(err)
	}
	b, url := w.run("phases: {build: {commands: ['false']}}"), w.serve()
	for _, tt := range []struct {
		who             accounts.Credentials
		operation, body string
		status          int
		want            string
	}{
		{root, "BatchGetBuilds", `{"ids":["` + b.ID + `"]}`, 200, `"buildStatus":"FAILED"`},
		{root, "BatchGetBuilds", `{"ids":["` + b.ID + `"]}`, 200, `"groupName":"/builds"`},
		{root, "BatchGetBuilds", `{"ids":["` + b.ID + `"]}`, 200, `"phaseType":"BUILD"`},
		{root, "BatchGetBuilds", `{"ids":["site:none"]}`, 200, `"buildsNotFound":["site:none"]`},
		{root, "BatchGetProjects", `{"names":["site","none"]}`, 200, `"projectsNotFound":["none"]`},
		{root, "BatchGetProjects", `{"names":["site"]}`, 200, `"serviceRole":"` + role + `"`},
		{root, "StartBuild", `{"projectName":"site"}`, 501, "NotEmulated"},
		{nobody, "BatchGetBuilds", `{"ids":["` + b.ID + `"]}`, 403, "AccessDeniedException"},
		{nobody, "BatchGetProjects", `{"names":["site"]}`, 403, "AccessDeniedException"},
	} {
		if status, out := w.call(url, tt.who, tt.operation, tt.body); status != tt.status || !strings.Contains(out, tt.want) {
			t.Errorf("%s %s: %d %s, want %d %s", tt.operation, tt.body, status, out, tt.status, tt.want)
		}
	}
}
