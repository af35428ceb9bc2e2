package cloudfront

import (
	"context"
	"slices"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// AccessControl is an origin access control: how CloudFront signs its requests to a bucket.
type AccessControl struct {
	ID, ETag        string
	Account         string
	Name            string
	Description     string
	SigningBehavior string // "always", "never", "no-override"
}

// Signs reports whether requests to the origin are signed as CloudFront. "no-override" gives way to
// a viewer's own Authorization header, which no cache policy here forwards.
func (a *AccessControl) Signs() bool { return a != nil && a.SigningBehavior != "never" }

const controlKind = "origin-access-control"

// CreateOriginAccessControl makes an origin access control for S3 in the caller's account. Name,
// Description and SigningBehavior are read from c.
func (s *Service) CreateOriginAccessControl(_ context.Context, caller accounts.Caller, c AccessControl) (*AccessControl, error) {
	// The resource of a creation has no ID yet (L: as AWS's denials show it).
	if err := s.authorize(caller, "CreateOriginAccessControl", arn(caller.Account, controlKind, "*")); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkControl(caller.Account, "", c); err != nil {
		return nil, err
	}
	c.ID, c.ETag, c.Account = random.ID("E", 13), random.ID("E", 13), caller.Account
	s.controls[c.ID] = &c
	return &c, nil
}

// checkControl refuses what AWS does; id is the one that is to become so, empty for a new one. The caller
// holds mu.
func (s *Service) checkControl(account, id string, c AccessControl) error {
	switch {
	case c.Name == "" || len(c.Name) > 64:
		return invalid("The origin access control's name has 1 to 64 characters.")
	case !slices.Contains([]string{"always", "never", "no-override"}, c.SigningBehavior):
		return invalid("The signing behavior %q is not one of always, never, no-override.", c.SigningBehavior)
	}
	for _, other := range s.controls {
		if other.Account == account && other.Name == c.Name && other.ID != id {
			return wire.Errorf(409, "OriginAccessControlAlreadyExists",
				"An origin access control with the same name already exists.")
		}
	}
	return nil
}

// UpdateOriginAccessControl changes one, and with it every distribution that uses it. What readers hold of
// the former does not change under them.
func (s *Service) UpdateOriginAccessControl(_ context.Context, caller accounts.Caller, id string, c AccessControl) error {
	if _, err := s.control(caller, "UpdateOriginAccessControl", id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkControl(caller.Account, id, c); err != nil {
		return err
	}
	c.ID, c.ETag, c.Account = id, random.ID("E", 13), caller.Account
	s.controls[id] = &c
	for name, old := range s.distributions {
		d := *old
		d.Config.Origins = slices.Clone(old.Config.Origins)
		for i, o := range d.Config.Origins {
			if o.AccessControl != nil && o.AccessControl.ID == id {
				d.Config.Origins[i].AccessControl = &c
				s.distributions[name] = &d
			}
		}
	}
	return nil
}

// GetOriginAccessControl reads one.
func (s *Service) GetOriginAccessControl(_ context.Context, caller accounts.Caller, id string) (*AccessControl, error) {
	return s.control(caller, "GetOriginAccessControl", id)
}

// DeleteOriginAccessControl removes one that no distribution uses.
func (s *Service) DeleteOriginAccessControl(_ context.Context, caller accounts.Caller, id string) error {
	if _, err := s.control(caller, "DeleteOriginAccessControl", id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.distributions {
		for _, o := range d.Config.Origins {
			if o.AccessControl != nil && o.AccessControl.ID == id {
				return wire.Errorf(409, "OriginAccessControlInUse",
					"Cannot delete the origin access control because it's in use by one or more distributions.")
			}
		}
	}
	delete(s.controls, id)
	return nil
}

func (s *Service) control(caller accounts.Caller, action, id string) (*AccessControl, error) {
	s.mu.Lock()
	c := s.controls[id]
	s.mu.Unlock()
	account := caller.Account
	if c != nil {
		account = c.Account
	}
	if err := s.authorize(caller, action, arn(account, controlKind, id)); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, wire.Errorf(404, "NoSuchOriginAccessControl", "The specified origin access control does not exist.")
	}
	return c, nil
}
