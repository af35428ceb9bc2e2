package iamapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// boundary is how a role shows its permissions boundary.
type boundary struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  string
}

// boundaryOf is a role's boundary, nil when it has none. Boundaries are managed policies: the name of the
// policy is its ARN.
func boundaryOf(r *accounts.Role) *boundary {
	if r.Boundary == nil {
		return nil
	}
	return &boundary{"PermissionsBoundaryPolicy", r.Boundary.Name}
}

// onlyVersion is what every managed policy of a rehearsal has.
const onlyVersion = "v1"

type xmlPolicy struct {
	PolicyName       string
	Arn              string
	DefaultVersionID string `xml:"DefaultVersionId"`
	AttachmentCount  int
	IsAttachable     bool
}

type xmlVersion struct {
	Document         string
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
}

// managed reads a managed policy. The rehearsal has those that are attached to a role, or bound it.
func (s *Service) managed(caller accounts.Caller, action, arn, version string) (any, error) {
	owner := accounts.AccountOf(arn)
	if owner == "aws" { // AWS's own policies are everybody's
		owner = caller.Account
	}
	err := s.directory.Authorize(accounts.Check{Caller: caller, Action: "iam:" + action, Resource: arn, Account: owner})
	if err != nil {
		return nil, err
	}
	found, uses := s.attachedAs(caller.Account, arn)
	switch {
	case found == nil:
		return nil, wire.Errorf(404, "NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
	case action == "GetPolicy":
		return struct{ Policy xmlPolicy }{xmlPolicy{accounts.RoleName(arn), arn, onlyVersion, uses, true}}, nil
	case version != onlyVersion:
		return nil, wire.Errorf(404, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", arn, version)
	}
	return struct{ PolicyVersion xmlVersion }{xmlVersion{encoded(*found), onlyVersion, true}}, nil
}

// attachedAs finds a managed policy's document and how many roles it is attached to.
func (s *Service) attachedAs(account, arn string) (found *iam.Document, uses int) {
	for _, r := range s.directory.Roles(account) {
		if r.Boundary != nil && r.Boundary.Name == arn {
			found = &r.Boundary.Document
		}
		for _, m := range r.Managed {
			if m.ARN == arn {
				found, uses = &m.Document, uses+1
			}
		}
	}
	return found, uses
}

// ofUser reads what a user has: inline policies, and here never managed ones or groups.
func (s *Service) ofUser(caller accounts.Caller, action, name, policy string) (any, error) {
	if err := s.allow(caller, action, "arn:aws:iam::"+caller.Account+":user/"+name); err != nil {
		return nil, err
	}
	u, err := s.directory.User(caller.Account, name)
	if err != nil {
		return nil, err
	}
	switch action {
	case "ListUserPolicies":
		return struct {
			Names       []string `xml:"PolicyNames>member"`
			IsTruncated bool
		}{Names: slices.Sorted(maps.Keys(u.Inline))}, nil
	case "ListAttachedUserPolicies":
		return struct {
			Policies    struct{} `xml:"AttachedPolicies"`
			IsTruncated bool
		}{}, nil
	case "ListGroupsForUser":
		return struct {
			Groups      struct{}
			IsTruncated bool
		}{}, nil
	}
	doc, ok := u.Inline[policy]
	if !ok {
		return nil, wire.Errorf(404, "NoSuchEntity", "The user policy with name %s cannot be found.", policy)
	}
	return struct{ UserName, PolicyName, PolicyDocument string }{u.Name, policy, encoded(doc)}, nil
}

// principal finds a role or user of the caller's account by its ARN.
func (s *Service) principal(account, arn string) (iam.Principal, error) {
	for _, r := range s.directory.Roles(account) {
		if r.ARN == arn {
			return iam.Principal{ARN: accounts.SessionARN(arn, "simulation"), Account: account, RoleARN: arn, UniqueID: r.ID}, nil
		}
	}
	if strings.HasPrefix(arn, "arn:aws:iam::"+account+":user/") {
		if u, err := s.directory.User(account, accounts.RoleName(arn)); err == nil && u.ARN == arn {
			return iam.Principal{ARN: arn, Account: account, UniqueID: u.ID}, nil
		}
	}
	return iam.Principal{}, wire.Errorf(404, "NoSuchEntity", "The principal %s cannot be found.", arn)
}
