package codebuild

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const projectType = "AWS::CodeBuild::Project"

// project is a build project's properties as CloudFormation spells them, and the count of its builds.
type project struct {
	Name, Description, ServiceRole string
	Artifacts, Source              struct{ Type string }
	Environment                    struct{ Type, ComputeType, Image string }
	EncryptionKey                  string
	LogsConfig                     struct {
		CloudWatchLogs struct{ Status, GroupName string }
	}
	TimeoutInMinutes templates.Int

	builds  int
	created time.Time
	region  string
	account string
}

var projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9\-_]{1,149}$`)

// check refuses what CodeBuild would, and what the rehearsal does not run.
func (p project) check() error {
	switch {
	case !projectName.MatchString(p.Name):
		return invalid("Invalid project name %q: it must match %s", p.Name, projectName)
	case p.ServiceRole == "":
		return invalid("Invalid service role: Service role is required")
	case p.Source.Type != "CODEPIPELINE" || p.Artifacts.Type != "CODEPIPELINE":
		return wire.NotEmulated("a build project whose source or artifacts are not of the type CODEPIPELINE (%s)", p.Name)
	case p.Environment.Type == "" || p.Environment.ComputeType == "" || p.Environment.Image == "":
		return invalid("Project environment type, computeType and image are required")
	case p.TimeoutInMinutes != 0 && (p.TimeoutInMinutes < 5 || p.TimeoutInMinutes > 2160): // API Reference (H)
		return invalid("Invalid timeoutInMinutes %d: 5 to 2160", p.TimeoutInMinutes)
	}
	switch p.LogsConfig.CloudWatchLogs.Status {
	case "", "ENABLED", "DISABLED":
		return nil
	}
	return invalid("Invalid CloudWatch Logs status %q", p.LogsConfig.CloudWatchLogs.Status)
}

// timeout is an hour unless the project says otherwise. Source: API Reference, CreateProject (H).
func (p project) timeout() time.Duration {
	return time.Duration(cmp.Or(p.TimeoutInMinutes, 60)) * time.Minute
}

// logGroup is where builds log; empty when the project has logs disabled.
func (p project) logGroup() string {
	if p.LogsConfig.CloudWatchLogs.Status == "DISABLED" {
		return ""
	}
	return cmp.Or(p.LogsConfig.CloudWatchLogs.GroupName, "/aws/codebuild/"+p.Name)
}

// ResourceTypes is AWS::CodeBuild::Project. Environment.Type, ComputeType and Image are accepted as
// statements about an image that is not there: builds run on this machine.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{{
		Name: projectType, Attributes: []string{"Arn"}, Fixed: []string{"Name"}, Named: "Name",
		Create: func(_ context.Context, r templates.Request) (templates.Resource, error) {
			return s.put(r, "codebuild:CreateProject", true)
		},
		Update: func(_ context.Context, r templates.Request, _ templates.Existing) (templates.Resource, error) {
			return s.put(r, "codebuild:UpdateProject", false)
		},
		Delete: func(_ context.Context, e templates.Existing) error {
			return s.remove(e.Caller, e.Resource.Attributes["Arn"])
		},
	}}
}

func (s *Service) put(r templates.Request, action string, create bool) (templates.Resource, error) {
	p, err := templates.Decode[project](projectType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	p.Name = cmp.Or(p.Name, r.Stack+"-"+r.LogicalID)
	if err := p.check(); err != nil {
		return templates.Resource{}, err
	}
	arn := projectARN(r.Region, r.Account, p.Name)
	if err := s.Directory.Authorize(accounts.Check{Caller: r.Caller, Action: action, Resource: arn}); err != nil {
		return templates.Resource{}, err
	}
	if err := s.Directory.PassRole(r.Caller, p.ServiceRole, Principal, "InvalidInputException"); err != nil {
		return templates.Resource{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.projects[arn]
	if create && old != nil {
		return templates.Resource{}, wire.Errorf(400, "ResourceAlreadyExistsException", "Project already exists: %s", arn)
	}
	p.region, p.account, p.created = r.Region, r.Account, s.Clock.Now()
	if old != nil {
		p.builds, p.created = old.builds, old.created
	}
	s.projects[arn] = &p
	return templates.Resource{Ref: p.Name, Attributes: map[string]string{"Arn": arn}}, nil
}

func (s *Service) remove(caller accounts.Caller, arn string) error {
	if err := s.Directory.Authorize(accounts.Check{Caller: caller, Action: "codebuild:DeleteProject", Resource: arn}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.projects, arn)
	return nil
}

func projectARN(region, account, name string) string {
	return fmt.Sprintf("arn:aws:codebuild:%s:%s:project/%s", region, account, name)
}

func buildARN(region, account, id string) string {
	return fmt.Sprintf("arn:aws:codebuild:%s:%s:build/%s", region, account, id)
}

func noProject(arn string) error {
	return wire.Errorf(400, "ResourceNotFoundException", "Project cannot be found for name: %s", arn)
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "InvalidInputException", format, args...)
}
