// Package iamapi is IAM's own API in a rehearsal: roles and their policies, made, read and removed
// by calls and by templates. Deciding is package iam; the roles live in package accounts.
package iamapi

import (
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Service answers IAM calls. Make it with New.
type Service struct{ directory *accounts.Directory }

// New makes the service over a directory.
func New(d *accounts.Directory) *Service { return &Service{directory: d} }

func (s *Service) allow(caller accounts.Caller, action, resource string) error {
	return s.directory.Authorize(accounts.Check{Caller: caller, Action: "iam:" + action, Resource: resource, Account: caller.Account})
}

// CreateRole makes a role in the caller's account; inline policies are given by name.
func (s *Service) CreateRole(caller accounts.Caller, r accounts.Role) (*accounts.Role, error) {
	if err := valid(r); err != nil {
		return nil, err
	}
	path := r.Path
	if path == "" {
		path = "/"
	}
	arn := "arn:aws:iam::" + caller.Account + ":role" + path + r.Name
	if err := s.allow(caller, "CreateRole", arn); err != nil {
		return nil, err
	}
	for range r.Inline {
		if err := s.allow(caller, "PutRolePolicy", arn); err != nil {
			return nil, err
		}
	}
	r.Account = caller.Account
	return s.directory.CreateRole(r)
}

// valid checks what AWS limits. Source: IAM API Reference, CreateRole (AWS-documented).
func valid(r accounts.Role) error {
	if err := validName("roleName", r.Name, 64); err != nil {
		return err
	}
	if r.Path != "" && (!strings.HasPrefix(r.Path, "/") || !strings.HasSuffix(r.Path, "/")) {
		return wire.Errorf(400, "ValidationError", "The specified value for path is invalid: it must begin and end with /")
	}
	if r.MaxSession != 0 && (r.MaxSession < time.Hour || r.MaxSession > 12*time.Hour) {
		return wire.Errorf(400, "ValidationError", "Value %d at 'maxSessionDuration' failed to satisfy constraint: between 3600 and 43200", int(r.MaxSession.Seconds()))
	}
	if len(r.Description) > 1000 {
		return wire.Errorf(400, "ValidationError", "Value at 'description' failed to satisfy constraint: 1000 characters at most")
	}
	for name := range r.Inline {
		if err := validName("policyName", name, 128); err != nil {
			return err
		}
	}
	return checkSize(r.Name, r.Inline)
}

// DeleteRole removes a role. AWS refuses while it has inline policies; templates remove those first.
func (s *Service) DeleteRole(caller accounts.Caller, name string) error {
	role, err := s.role(caller, "DeleteRole", name)
	if err != nil {
		return err
	}
	if len(role.Inline) > 0 {
		return wire.Errorf(409, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	return s.directory.DeleteRole(role.ARN)
}

// UpdateRole replaces a role's description and the longest duration of its sessions; 0 is an hour.
func (s *Service) UpdateRole(caller accounts.Caller, name, description string, longest time.Duration) error {
	role, err := s.role(caller, "UpdateRole", name)
	if err != nil {
		return err
	}
	if err := valid(accounts.Role{Name: name, Description: description, MaxSession: longest}); err != nil {
		return err
	}
	if longest == 0 {
		longest = time.Hour
	}
	return s.directory.UpdateRole(role.ARN, func(r *accounts.Role) error {
		r.Description, r.MaxSession = description, longest
		return nil
	})
}

// UpdateTrust replaces a role's trust policy.
func (s *Service) UpdateTrust(caller accounts.Caller, name string, text []byte) error {
	role, err := s.role(caller, "UpdateAssumeRolePolicy", name)
	if err != nil {
		return err
	}
	doc, err := parse(text, iam.LayerTrust)
	if err != nil {
		return err
	}
	if doc, err = s.directory.StorePrincipals(doc); err != nil {
		return err
	}
	return s.directory.UpdateRole(role.ARN, func(r *accounts.Role) error { r.Trust = doc; return nil })
}

// PutPolicy adds or replaces an inline policy of a role.
func (s *Service) PutPolicy(caller accounts.Caller, name, policy string, text []byte) error {
	role, err := s.role(caller, "PutRolePolicy", name)
	if err != nil {
		return err
	}
	doc, err := parse(text, iam.LayerIdentity)
	if err != nil {
		return err
	}
	if err := validName("policyName", policy, 128); err != nil {
		return err
	}
	return s.directory.UpdateRole(role.ARN, func(r *accounts.Role) error {
		inline := maps.Clone(r.Inline)
		inline[policy] = doc
		if err := checkSize(r.Name, inline); err != nil {
			return err
		}
		r.Inline = inline
		return nil
	})
}

// DeletePolicy removes an inline policy of a role.
func (s *Service) DeletePolicy(caller accounts.Caller, name, policy string) error {
	role, err := s.role(caller, "DeleteRolePolicy", name)
	if err != nil {
		return err
	}
	return s.directory.UpdateRole(role.ARN, func(r *accounts.Role) error {
		if _, ok := r.Inline[policy]; !ok {
			return wire.Errorf(404, "NoSuchEntity", "The role policy with name %s cannot be found.", policy)
		}
		delete(r.Inline, policy)
		return nil
	})
}

// Role reads a role of the caller's account.
func (s *Service) Role(caller accounts.Caller, name string) (*accounts.Role, error) {
	return s.role(caller, "GetRole", name)
}

// role finds a role of the caller's account by name and decides the action on it.
func (s *Service) role(caller accounts.Caller, action, name string) (*accounts.Role, error) {
	for _, r := range s.directory.Roles(caller.Account) {
		if r.Name == name {
			return &r, s.allow(caller, action, r.ARN)
		}
	}
	if err := s.allow(caller, action, "arn:aws:iam::"+caller.Account+":role/"+name); err != nil {
		return nil, err
	}
	return nil, wire.Errorf(404, "NoSuchEntity", "The role with name %s cannot be found.", name)
}

func parse(text []byte, layer iam.Layer) (iam.Document, error) {
	if strings.TrimSpace(string(text)) == "" {
		return iam.Document{}, wire.Errorf(400, "MalformedPolicyDocument", "The policy document is empty.")
	}
	doc, err := iam.Parse(text)
	if err == nil {
		err = doc.Validate(layer)
	}
	if err != nil {
		return iam.Document{}, wire.Errorf(400, "MalformedPolicyDocument", "%v", err)
	}
	return doc, nil
}

var nameForm = regexp.MustCompile(`^[\w+=,.@-]+$`)

func validName(what, name string, limit int) error {
	if len(name) > limit || !nameForm.MatchString(name) {
		return wire.Errorf(400, "ValidationError", "Value %q at '%s' failed to satisfy constraint: 1 to %d characters of [\\w+=,.@-]", name, what, limit)
	}
	return nil
}

// maxInline is the size of all inline policies of a role together, without white space. Source: IAM
// User Guide, "IAM and AWS STS quotas" (AWS-documented).
const maxInline = 10240

func checkSize(role string, inline map[string]iam.Document) error {
	size := 0
	for _, doc := range inline {
		size += len(doc.String())
	}
	if size > maxInline {
		return wire.Errorf(409, "LimitExceeded", "Maximum policy size of %d bytes exceeded for role %s", maxInline, role)
	}
	return nil
}
