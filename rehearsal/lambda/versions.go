package lambda

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// PublishInput is a PublishVersion request.
type PublishInput struct {
	Description string
	CodeSha256  string // must be $LATEST's, when given
	RevisionId  string // spelt as on the wire
}

// Publish makes a numbered version of $LATEST that never changes. fresh is false when nothing
// has changed since the last one, which is then the answer. Source: Lambda API Reference,
// PublishVersion (H).
func (s *Service) Publish(c accounts.Caller, region, name string, in PublishInput) (out Configuration, fresh bool, err error) {
	t, err := s.changing(c, region, name, "PublishVersion")
	if err != nil {
		return Configuration{}, false, err
	}
	s.mu.Lock()
	f, err := s.find(t)
	if err == nil {
		err = checkRevision(in.RevisionId, f.latest.RevisionId)
	}
	if err == nil && in.CodeSha256 != "" && in.CodeSha256 != f.latest.CodeSha256 {
		err = invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", in.CodeSha256, f.latest.CodeSha256)
	}
	s.mu.Unlock()
	if err != nil {
		return Configuration{}, false, err
	}
	return s.publish(t, in.Description)
}

func (s *Service) publish(t target, description string) (Configuration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return Configuration{}, false, err
	}
	if last := f.newest(); last != nil && reflect.DeepEqual(substance(last), substance(f.latest)) {
		return last.Configuration, false, nil
	}
	v := *f.latest
	s.published[t.key]++
	v.Version = strconv.Itoa(s.published[t.key])
	v.FunctionArn = t.key.arn(v.Version)
	v.Description = cmp.Or(description, v.Description)
	s.revise(&v.Configuration)
	f.versions[v.Version] = &v
	return v.Configuration, true, nil
}

// substance is what makes a version differ from another one; a description alone does not.
func substance(v *version) Configuration {
	c := v.Configuration
	c.Version, c.FunctionArn, c.Description, c.RevisionId, c.LastModified = "", "", "", "", ""
	return c
}

// deleteVersion removes a published version. The caller holds mu.
func (s *Service) deleteVersion(f *function, qualifier string) error {
	v := f.versions[qualifier]
	switch {
	case qualifier == latest:
		return invalid("$LATEST version cannot be deleted without deleting the function.")
	case f.aliases[qualifier] != nil:
		return invalid("Deletion of aliases is not currently supported.")
	case v == nil:
		return notFound(f.arn(qualifier))
	}
	var users []string
	for _, name := range slices.Sorted(maps.Keys(f.aliases)) {
		if f.aliases[name].version == qualifier {
			users = append(users, name)
		}
	}
	if len(users) > 0 {
		return conflict("Unable to delete version because the following aliases reference it: [%s]", strings.Join(users, ", "))
	}
	delete(f.versions, qualifier)
	delete(f.policies, qualifier)
	delete(f.events, qualifier)
	s.pool.retire(v)
	return nil
}

// AliasInput is a CreateAlias or UpdateAlias request; for the latter nil leaves things as they are.
type AliasInput struct {
	Name            string
	FunctionVersion *string
	Description     *string
	RevisionId      string // spelt as on the wire
}

// Alias describes an alias as AWS does.
type Alias struct {
	AliasArn, Name, FunctionVersion, Description, RevisionId string
}

func (f *function) describe(a *alias) Alias {
	return Alias{f.arn(a.name), a.name, a.version, a.description, a.revision}
}

// CreateAlias names a version.
func (s *Service) CreateAlias(c accounts.Caller, region, name string, in AliasInput) (Alias, error) {
	t, err := s.changing(c, region, name, "CreateAlias")
	if err != nil {
		return Alias{}, err
	}
	if !qualifierRule.MatchString(in.Name) || in.Name == latest || versionRule.MatchString(in.Name) {
		return Alias{}, wire.Errorf(400, "ValidationException",
			"1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)", in.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return Alias{}, err
	}
	if f.aliases[in.Name] != nil {
		return Alias{}, conflict("Alias already exists: %s", f.arn(in.Name))
	}
	a := &alias{name: in.Name}
	if in.FunctionVersion == nil {
		return Alias{}, invalid("FunctionVersion is required")
	}
	if err := f.point(a, in); err != nil {
		return Alias{}, err
	}
	f.aliases[in.Name] = a
	return f.describe(a), nil
}

// point puts what in says into a.
func (f *function) point(a *alias, in AliasInput) error {
	if in.FunctionVersion != nil {
		n := *in.FunctionVersion
		if n != latest && f.versions[n] == nil {
			return notFound(f.arn(n))
		}
		a.version = n
	}
	set(&a.description, in.Description)
	a.revision = random.UUID()
	return nil
}

// UpdateAlias points an alias at another version; callers go there from then on.
func (s *Service) UpdateAlias(c accounts.Caller, region, name string, in AliasInput) (Alias, error) {
	var out Alias
	err := s.alias(c, region, name, in.Name, "UpdateAlias", func(f *function, a *alias) error {
		if err := checkRevision(in.RevisionId, a.revision); err != nil {
			return err
		}
		err := f.point(a, in)
		out = f.describe(a)
		return err
	})
	return out, err
}

// GetAlias describes an alias.
func (s *Service) GetAlias(c accounts.Caller, region, name, aliasName string) (Alias, error) {
	var out Alias
	err := s.alias(c, region, name, aliasName, "GetAlias", func(f *function, a *alias) error {
		out = f.describe(a)
		return nil
	})
	return out, err
}

// DeleteAlias removes an alias and the grants on it. One that is not there is no error.
func (s *Service) DeleteAlias(c accounts.Caller, region, name, aliasName string) error {
	err := s.alias(c, region, name, aliasName, "DeleteAlias", func(f *function, a *alias) error {
		delete(f.aliases, aliasName)
		delete(f.policies, aliasName)
		delete(f.events, aliasName)
		return nil
	})
	if err != nil && wire.AsError(err).Code == "ResourceNotFoundException" {
		return nil // AWS answers 204 (M)
	}
	return err
}

// alias does something with one alias once the caller may.
func (s *Service) alias(c accounts.Caller, region, name, aliasName, action string, do func(*function, *alias) error) error {
	t, err := s.changing(c, region, name, action)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return err
	}
	a := f.aliases[aliasName]
	if a == nil {
		return wire.Errorf(404, "ResourceNotFoundException", "Cannot find alias arn: %s", f.arn(aliasName))
	}
	return do(f, a)
}
