// Package codecommit is the rehearsal's CodeCommit: real bare git repositories that git pushes to
// and pipelines take their source from, each read and write decided by IAM.
package codecommit

import (
	"context"
	"crypto/subtle"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/events"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what CodeCommit clients sign with; GitPath is where git finds the repositories.
const (
	SigningName = "codecommit"
	GitPath     = "/v1/repos/"
)

// Bus takes the events that a push causes.
type Bus interface{ Put(events.Event) }

// Deps are what the service works with; all are needed.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
	Bus       Bus
	Dir       string        // private directory for the repositories; it must exist
	URL       func() string // the rehearsal's endpoint, "http://127.0.0.1:4566"
}

// Service is the repositories of all accounts. Make it with New.
type Service struct {
	Deps
	git string // the git program

	mu     sync.Mutex
	repos  map[string]*repository // by ARN
	people map[string]person      // by git user name
}

type repository struct {
	Name, ARN, ID, Description string
	Account, Region            string
	Created                    time.Time
	dir                        string
	pushing                    sync.Mutex // one push at a time, so that each sees what it changed
}

type person struct {
	password string
	caller   accounts.Caller
}

// New makes a service without repositories. git has to be installed.
func New(d Deps) (*Service, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("find git, which serves the repositories: %w", err)
	}
	// Git's home, empty on purpose: no configuration of this machine's user is ever read.
	if err := os.MkdirAll(filepath.Join(d.Dir, "home"), 0o700); err != nil {
		return nil, fmt.Errorf("make git's home: %w", err)
	}
	return &Service{Deps: d, git: git, repos: map[string]*repository{}, people: map[string]person{}}, nil
}

// GitCredentials makes a user name and password with which git acts as caller, who is an IAM user or
// the root of an account. Source of the name's form: IAM User Guide, "Git credentials" (M).
func (s *Service) GitCredentials(caller accounts.Caller) (user, password string) {
	name := caller.ARN[strings.LastIndexAny(caller.ARN, "/:")+1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	user = name + "-at-" + caller.Account
	for n := 1; s.people[user].password != ""; n++ {
		user = fmt.Sprintf("%s+%d-at-%s", name, n, caller.Account)
	}
	password = random.UUID() + random.UUID()
	s.people[user] = person{password, caller}
	return user, password
}

func (s *Service) person(user, password string) (accounts.Caller, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people[user]
	ok := subtle.ConstantTimeCompare([]byte(p.password), []byte(password)) == 1 && p.password != ""
	return p.caller, ok
}

// nameRule is a repository's name. Source: CodeCommit API Reference, RepositoryName (H). It lets no
// slash through, and "." and ".." are refused besides.
var nameRule = regexp.MustCompile(`^[\w.-]{1,100}$`)

func validName(name string) bool {
	return nameRule.MatchString(name) && strings.Trim(name, ".") != "" && !strings.HasSuffix(name, ".git")
}

func badName(name string) error {
	return wire.Errorf(400, "InvalidRepositoryNameException", "The repository name %q is not valid.", name)
}

func arnOf(region, account, name string) string {
	return fmt.Sprintf("arn:aws:codecommit:%s:%s:%s", region, account, name)
}

// Create makes an empty repository as the caller.
func (s *Service) Create(ctx context.Context, caller accounts.Caller, region, name, description string) (Metadata, error) {
	if !validName(name) {
		return Metadata{}, badName(name)
	}
	arn := arnOf(region, caller.Account, name)
	if err := s.authorize(caller, "CreateRepository", arn); err != nil {
		return Metadata{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repos[arn] != nil {
		return Metadata{}, wire.Errorf(400, "RepositoryNameExistsException", "Repository named %s already exists", name)
	}
	r := &repository{
		Name: name, ARN: arn, ID: random.UUID(), Description: description, Account: caller.Account, Region: region, Created: s.Clock.Now(),
	}
	r.dir = filepath.Join(s.Dir, caller.Account, region, name+".git")
	if err := os.MkdirAll(filepath.Dir(r.dir), 0o700); err != nil {
		return Metadata{}, fmt.Errorf("create repository %s: %w", name, err)
	}
	if _, err := s.run(ctx, "", "init", "--quiet", "--bare", "--initial-branch=main", "--template=", r.dir); err != nil {
		return Metadata{}, fmt.Errorf("create repository %s: %w", name, err)
	}
	s.repos[arn] = r
	return s.metadata(r), nil
}

// Describe replaces a repository's description.
func (s *Service) Describe(caller accounts.Caller, arn, description string) error {
	if err := s.authorize(caller, "UpdateRepositoryDescription", arn); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repos[arn]
	if r == nil {
		return wire.Errorf(400, "RepositoryDoesNotExistException", "%s does not exist", arn)
	}
	r.Description = description
	return nil
}

// Delete removes a repository as the caller and returns its ID. One that is gone is no error and has none
// (API Reference, DeleteRepository).
func (s *Service) Delete(caller accounts.Caller, arn string) (id string, err error) {
	if err := s.authorize(caller, "DeleteRepository", arn); err != nil {
		return "", err
	}
	s.mu.Lock()
	r := s.repos[arn]
	delete(s.repos, arn)
	s.mu.Unlock()
	if r == nil {
		return "", nil
	}
	if err := os.RemoveAll(r.dir); err != nil {
		return "", fmt.Errorf("delete repository %s: %w", r.Name, err)
	}
	return r.ID, nil
}

// find is the repository of an account by name, once action on it is allowed.
func (s *Service) find(caller accounts.Caller, region, name string, actions ...string) (*repository, error) {
	arn := arnOf(region, caller.Account, name)
	for _, action := range actions {
		if err := s.authorize(caller, action, arn); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[arn]; r != nil {
		return r, nil
	}
	return nil, wire.Errorf(400, "RepositoryDoesNotExistException", "%s does not exist", name)
}

func (s *Service) list(account, region string) []*repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*repository
	for _, r := range s.repos {
		if r.Account == account && r.Region == region {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *repository) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (s *Service) authorize(caller accounts.Caller, action, arn string) error {
	return s.Directory.Authorize(accounts.Check{Caller: caller, Action: "codecommit:" + action, Resource: arn})
}
