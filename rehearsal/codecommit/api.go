package codecommit

import (
	"context"
	"net/http"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/awsjson"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Metadata is a repository as the API describes it.
type Metadata struct {
	AccountID     string       `json:"accountId"`
	ID            string       `json:"repositoryId"`
	Name          string       `json:"repositoryName"`
	Description   string       `json:"repositoryDescription,omitempty"`
	DefaultBranch string       `json:"defaultBranch,omitempty"` // absent while there is no branch
	ARN           string       `json:"Arn"`
	CloneURL      string       `json:"cloneUrlHttp"`
	Created       awsjson.Time `json:"creationDate"`
}

func (s *Service) metadata(r *repository) Metadata {
	return Metadata{
		AccountID: r.Account, ID: r.ID, Name: r.Name, Description: r.Description, ARN: r.ARN,
		CloneURL: s.URL() + GitPath + r.Name, Created: awsjson.Time(r.Created),
	}
}

type named struct {
	Name        string `json:"repositoryName"`
	Description string `json:"repositoryDescription"`
}

type branchInput struct {
	Repository string `json:"repositoryName"`
	Branch     string `json:"branchName"`
}

// ServeHTTP speaks AWS JSON 1.1 (X-Amz-Target: CodeCommit_20150413.*).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	awsjson.Handler{Prefix: "CodeCommit_20150413", Operations: map[string]awsjson.Operation{
		"GetRepository":    awsjson.Op(s.getRepository),
		"ListRepositories": awsjson.Op(s.listRepositories),
		"GetBranch":        awsjson.Op(s.getBranch),
		"CreateRepository": awsjson.Op(s.createRepository),
		"DeleteRepository": awsjson.Op(s.deleteRepository),
	}}.ServeHTTP(w, r)
}

func (s *Service) createRepository(ctx context.Context, c front.Call, in named) (any, error) {
	m, err := s.Create(ctx, c.Caller, c.Region, in.Name, in.Description)
	if err != nil {
		return nil, err
	}
	return map[string]any{"repositoryMetadata": m}, nil
}

func (s *Service) deleteRepository(_ context.Context, c front.Call, in struct {
	Name string `json:"repositoryName"`
},
) (any, error) {
	switch {
	case in.Name == "":
		return nil, wire.Errorf(400, "RepositoryNameRequiredException", "A repository name is required.")
	case !validName(in.Name):
		return nil, badName(in.Name)
	}
	out := map[string]any{}
	id, err := s.Delete(c.Caller, arnOf(c.Region, c.Caller.Account, in.Name))
	if id != "" {
		out["repositoryId"] = id
	}
	return out, err
}

func (s *Service) getRepository(ctx context.Context, c front.Call, in struct {
	Name string `json:"repositoryName"`
},
) (any, error) {
	r, err := s.find(c.Caller, c.Region, in.Name, "GetRepository")
	if err != nil {
		return nil, err
	}
	m := s.metadata(r)
	refs, err := s.refs(ctx, r)
	if err != nil {
		return nil, err
	}
	head, err := s.run(ctx, r.dir, "symbolic-ref", "HEAD")
	if ref := strings.TrimSpace(string(head)); err == nil && refs[ref] != "" {
		m.DefaultBranch = strings.TrimPrefix(ref, "refs/heads/")
	}
	return map[string]any{"repositoryMetadata": m}, nil
}

func (s *Service) listRepositories(_ context.Context, c front.Call, _ struct{}) (any, error) {
	if err := s.Directory.Authorize(accounts.Check{Caller: c.Caller, Action: "codecommit:ListRepositories", Resource: "*"}); err != nil {
		return nil, err
	}
	list := []map[string]string{}
	for _, r := range s.list(c.Caller.Account, c.Region) {
		list = append(list, map[string]string{"repositoryName": r.Name, "repositoryId": r.ID})
	}
	return map[string]any{"repositories": list}, nil
}

func (s *Service) getBranch(ctx context.Context, c front.Call, in branchInput) (any, error) {
	commit, err := s.Branch(ctx, c.Caller, c.Region, in.Repository, in.Branch)
	if err != nil {
		return nil, err
	}
	return map[string]any{"branch": map[string]string{"branchName": in.Branch, "commitId": commit}}, nil
}

const repositoryType = "AWS::CodeCommit::Repository"

type properties struct{ RepositoryName, RepositoryDescription string }

// update changes the description. AWS would also rename a repository in place.
func (s *Service) update(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[properties](repositoryType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.RepositoryName != e.Resource.Attributes["Name"] {
		return templates.Resource{}, wire.NotEmulated("renaming the repository %s", e.Resource.Attributes["Name"])
	}
	return e.Resource, s.Describe(r.Caller, e.Resource.Attributes["Arn"], p.RepositoryDescription)
}

// ResourceTypes is AWS::CodeCommit::Repository.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{{
		Name: repositoryType, Attributes: []string{"Arn", "CloneUrlHttp", "Name"},
		Create: func(ctx context.Context, r templates.Request) (templates.Resource, error) {
			p, err := templates.Decode[properties](repositoryType, r.Properties)
			if err != nil {
				return templates.Resource{}, err
			}
			m, err := s.Create(ctx, r.Caller, r.Region, p.RepositoryName, p.RepositoryDescription)
			if err != nil {
				return templates.Resource{}, err
			}
			return templates.Resource{
				Ref: m.ID, Attributes: map[string]string{"Arn": m.ARN, "CloneUrlHttp": m.CloneURL, "Name": m.Name},
			}, nil
		},
		Update: s.update,
		Delete: func(_ context.Context, e templates.Existing) error {
			_, err := s.Delete(e.Caller, e.Resource.Attributes["Arn"])
			return err
		},
	}}
}
