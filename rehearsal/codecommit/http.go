package codecommit

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/events"
)

// maxPush is the largest push taken, in bytes, packed or not.
const maxPush = 1 << 30

// GitHandler serves the repositories over git's smart HTTP protocol, at GitPath, to people with git
// credentials. The dumb protocol and every other path are refused. Source: git's own
// Documentation/gitprotocol-http.
func (s *Service) GitHandler() http.Handler { return http.HandlerFunc(s.serveGit) }

// gitRequest reads what git asks for: the service is "git-upload-pack" (fetch) or "git-receive-pack" (push).
func gitRequest(r *http.Request) (name, service string, advertise, ok bool) {
	rest, _ := strings.CutPrefix(r.URL.Path, GitPath)
	name, action, _ := strings.Cut(rest, "/")
	switch {
	case r.Method == http.MethodGet && action == "info/refs":
		service, advertise = r.URL.Query().Get("service"), true
	case r.Method == http.MethodPost:
		service = action
	}
	known := service == "git-upload-pack" || service == "git-receive-pack"
	return name, service, advertise, known && validName(name)
}

func (s *Service) serveGit(w http.ResponseWriter, r *http.Request) {
	name, service, advertise, ok := gitRequest(r)
	if !ok {
		http.Error(w, "the rehearsal serves git's smart protocol only", http.StatusNotFound)
		return
	}
	user, password, _ := r.BasicAuth()
	caller, ok := s.person(user, password)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="AWS CodeCommit"`)
		http.Error(w, "git credentials of the rehearsal are required", http.StatusUnauthorized)
		return
	}
	repo, err := s.reach(caller, name, service)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden) // AWS: 403 whether it is missing or not allowed (M)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	if advertise {
		s.advertise(w, r, repo, service)
		return
	}
	s.exchange(w, r, repo, service)
}

// reach finds the one repository of that name in the caller's account, and asks whether the caller
// may push to it or pull from it.
func (s *Service) reach(caller accounts.Caller, name, service string) (*repository, error) {
	action := "GitPull"
	if service == "git-receive-pack" {
		action = "GitPush"
	}
	s.mu.Lock()
	var region string
	for _, r := range s.repos {
		if r.Account == caller.Account && r.Name == name {
			region = cmp.Or(region, r.Region)
		}
	}
	s.mu.Unlock()
	return s.find(caller, region, name, action)
}

// gitCommand is a server side command; it speaks the protocol version that the client asked for.
func (s *Service) gitCommand(r *http.Request, repo *repository, service string, more ...string) *exec.Cmd {
	args := append([]string{strings.TrimPrefix(service, "git-"), "--stateless-rpc"}, more...)
	cmd := s.command(r.Context(), "", append(args, repo.dir)...)
	if version := r.Header.Get("Git-Protocol"); version == "version=1" || version == "version=2" {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL="+version)
	}
	return cmd
}

func (s *Service) advertise(w http.ResponseWriter, r *http.Request, repo *repository, service string) {
	cmd := s.gitCommand(r, repo, service, "--advertise-refs")
	out, err := cmd.Output()
	if err != nil {
		http.Error(w, "git failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
	// Version 2 has no service announcement, except that pushing always speaks an earlier one.
	if r.Header.Get("Git-Protocol") != "version=2" || service == "git-receive-pack" {
		line := "# service=" + service + "\n"
		_, _ = fmt.Fprintf(w, "%04x%s0000", len(line)+4, line)
	}
	_, _ = w.Write(out)
}

func (s *Service) exchange(w http.ResponseWriter, r *http.Request, repo *repository, service string) {
	body, err := requestBody(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer s.Clock.Busy()()
	push := service == "git-receive-pack"
	var before map[string]string
	if push {
		repo.pushing.Lock()
		defer repo.pushing.Unlock()
		if before, err = s.refs(r.Context(), repo); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-result")
	cmd := s.gitCommand(r, repo, service)
	cmd.Stdin, cmd.Stdout = body, w
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			panic(http.ErrAbortHandler) // the answer is cut, so that the client does not take it for whole
		}
	}
	if push {
		// What a push changed must be known even when the client has gone away.
		s.tell(context.WithoutCancel(r.Context()), repo, before)
	}
}

func requestBody(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	body := http.MaxBytesReader(w, r.Body, maxPush)
	switch r.Header.Get("Content-Encoding") {
	case "":
		return body, nil
	case "gzip":
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("read the gzipped request: %w", err)
		}
		return io.LimitReader(unpacked, maxPush), nil
	}
	return nil, fmt.Errorf("the content encoding %q is not served", r.Header.Get("Content-Encoding"))
}

// tell puts one event on the bus for each branch or tag that changed. Source: CodeCommit User Guide,
// "Monitoring CodeCommit events" (M).
func (s *Service) tell(ctx context.Context, r *repository, before map[string]string) {
	after, err := s.refs(ctx, r)
	if err != nil {
		return // the repository was deleted meanwhile
	}
	s.adoptDefaultBranch(ctx, r, after)
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, ref := range slices.Sorted(maps.Keys(all)) {
		kind, name, ok := splitRef(ref)
		if !ok || before[ref] == after[ref] {
			continue
		}
		detail := map[string]any{
			"repositoryName": r.Name, "repositoryId": r.ID, "referenceType": kind, "referenceName": name, "referenceFullName": ref,
		}
		switch {
		case before[ref] == "":
			detail["event"], detail["commitId"] = "referenceCreated", after[ref]
		case after[ref] == "":
			detail["event"], detail["oldCommitId"] = "referenceDeleted", before[ref]
		default:
			detail["event"], detail["commitId"], detail["oldCommitId"] = "referenceUpdated", after[ref], before[ref]
		}
		s.Bus.Put(events.Event{
			Source: "aws.codecommit", DetailType: "CodeCommit Repository State Change",
			Account: r.Account, Region: r.Region, Resources: []string{r.ARN}, Detail: detail,
		})
	}
}

func splitRef(ref string) (kind, name string, ok bool) {
	if name, ok = strings.CutPrefix(ref, "refs/heads/"); ok {
		return "branch", name, true
	}
	name, ok = strings.CutPrefix(ref, "refs/tags/")
	return "tag", name, ok
}

// adoptDefaultBranch makes the first branch pushed the default one, as CodeCommit does, so that a
// clone checks it out.
func (s *Service) adoptDefaultBranch(ctx context.Context, r *repository, refs map[string]string) {
	head, err := s.run(ctx, r.dir, "symbolic-ref", "HEAD")
	if err != nil || refs[strings.TrimSpace(string(head))] != "" {
		return
	}
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		if strings.HasPrefix(ref, "refs/heads/") {
			_, _ = s.run(ctx, r.dir, "symbolic-ref", "HEAD", ref)
			return
		}
	}
}
