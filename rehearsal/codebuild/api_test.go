package codebuild_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/codebuild"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

// serve opens the front door for the world's builds.
func (w *world) serve() (url string) {
	w.t.Helper()
	c := clock.New(false)
	w.t.Cleanup(c.Close)
	door, err := front.Listen("", w.directory, c, &journal.Journal{})
	if err != nil {
		w.t.Fatal(err)
	}
	door.Handle(codebuild.SigningName, w.service, wire.WriteJSONError)
	served := make(chan error, 1)
	go func() { served <- door.Serve() }()
	w.t.Cleanup(func() {
		if err := errors.Join(door.Close(), <-served); err != nil {
			w.t.Error(err)
		}
	})
	return door.URL()
}

// call signs a request with AWS's own signer: there is no CodeBuild client in this module.
func (w *world) call(url string, c accounts.Credentials, operation, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, url+"/", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "CodeBuild_20161006."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256([]byte(body))
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(w.t.Context(), keys, req, hex.EncodeToString(sum[:]), "codebuild", region, time.Now()); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var out json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(out)
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
