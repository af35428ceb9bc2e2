package lambda

import (
	"context"
	"maps"
	"slices"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Package says where a function's code is: the bytes of a zip, or an object in S3.
type Package struct {
	ZipFile  []byte
	S3Bucket string
	S3Key    string
}

// CreateInput is a CreateFunction request.
type CreateInput struct {
	Settings
	FunctionName  string
	Code          Package
	Publish       bool
	PackageType   string // Zip
	Architectures []string
}

// Create makes a function.
func (s *Service) Create(ctx context.Context, c accounts.Caller, region string, in CreateInput) (Configuration, error) {
	t, err := parseTarget(in.FunctionName, "", place{c.Account, region})
	if err != nil {
		return Configuration{}, err
	}
	if err := s.authorize(c, "CreateFunction", t); err != nil {
		return Configuration{}, err
	}
	if t.account != c.Account {
		return Configuration{}, wire.Denied("Cross-account creation of functions is not allowed.")
	}
	v := &version{key: t.key, Configuration: Configuration{
		FunctionName: t.name, FunctionArn: t.key.arn(""), Timeout: 3, MemorySize: minMemory, Version: latest,
		TracingConfig: Tracing{"PassThrough"}, EphemeralStorage: Storage{512}, State: "Active", LastUpdateStatus: "Successful",
		LoggingConfig: Logging{LogFormat: "Text", LogGroup: "/aws/lambda/" + t.name}, PackageType: "Zip",
	}}
	if in.PackageType != "" && in.PackageType != "Zip" {
		return Configuration{}, wire.NotEmulated("the package type %s", in.PackageType)
	}
	if v.Architectures, err = checkArchitecture(in.Architectures); err != nil {
		return Configuration{}, err
	}
	if err := in.apply(&v.Configuration); err != nil {
		return Configuration{}, err
	}
	if err := s.pass(ctx, c, v.Role, t.key); err != nil {
		return Configuration{}, err
	}
	if v.code, err = s.load(ctx, c, in.Code); err != nil {
		return Configuration{}, err
	}
	v.CodeSize, v.CodeSha256 = v.code.size, v.code.sha
	s.revise(&v.Configuration)
	if err := s.add(v); err != nil {
		return Configuration{}, err
	}
	if in.Publish {
		out, _, err := s.publish(t, "")
		return out, err
	}
	return v.Configuration, nil
}

func (s *Service) add(v *version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[v.key] != nil {
		return conflict("Function already exist: %s", v.key.name)
	}
	s.functions[v.key] = &function{
		key: v.key, latest: v, versions: map[string]*version{}, aliases: map[string]*alias{},
		policies: map[string]*policy{}, events: map[string]*EventConfig{},
	}
	return nil
}

// UpdateCodeInput is an UpdateFunctionCode request.
type UpdateCodeInput struct {
	Package
	Publish       bool
	DryRun        bool
	Architectures []string
	RevisionId    string // spelt as on the wire
}

// UpdateCode puts other code behind $LATEST; processes with the old code end.
func (s *Service) UpdateCode(ctx context.Context, c accounts.Caller, region, name string, in UpdateCodeInput) (Configuration, error) {
	t, err := s.changing(c, region, name, "UpdateFunctionCode")
	if err != nil {
		return Configuration{}, err
	}
	if len(in.Architectures) > 0 {
		if _, err := checkArchitecture(in.Architectures); err != nil {
			return Configuration{}, err
		}
	}
	loaded, err := s.load(ctx, c, in.Package)
	if err != nil {
		return Configuration{}, err
	}
	out, err := s.replace(t, in.RevisionId, in.DryRun, func(v *version) error {
		v.code = loaded
		v.CodeSize, v.CodeSha256 = loaded.size, loaded.sha
		return nil
	})
	if err == nil && in.Publish && !in.DryRun {
		out, _, err = s.publish(t, "")
	}
	return out, err
}

// UpdateConfigurationInput is an UpdateFunctionConfiguration request.
type UpdateConfigurationInput struct {
	Settings
	RevisionId string // spelt as on the wire
}

// UpdateConfiguration changes $LATEST's settings; processes with the old ones end.
func (s *Service) UpdateConfiguration(ctx context.Context, c accounts.Caller, region, name string, in UpdateConfigurationInput) (Configuration, error) {
	t, err := s.changing(c, region, name, "UpdateFunctionConfiguration")
	if err != nil {
		return Configuration{}, err
	}
	if in.Role != nil {
		if err := s.pass(ctx, c, *in.Role, t.key); err != nil {
			return Configuration{}, err
		}
	}
	return s.replace(t, in.RevisionId, false, func(v *version) error { return in.apply(&v.Configuration) })
}

// changing is how every change of a function begins: its name, the decision, that it exists.
func (s *Service) changing(c accounts.Caller, region, name, action string) (target, error) {
	t, err := parseTarget(name, "", place{c.Account, region})
	if err != nil {
		return target{}, err
	}
	if err := s.authorize(c, action, t); err != nil {
		return target{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.find(t)
	return t, err
}

// replace puts a changed copy in place of $LATEST.
func (s *Service) replace(t target, revision string, dry bool, change func(*version) error) (Configuration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return Configuration{}, err
	}
	if err := checkRevision(revision, f.latest.RevisionId); err != nil {
		return Configuration{}, err
	}
	v := *f.latest
	if err := change(&v); err != nil {
		return Configuration{}, err
	}
	if dry {
		return v.Configuration, nil
	}
	s.revise(&v.Configuration)
	old := f.latest
	f.latest = &v
	s.pool.retire(old)
	return v.Configuration, nil
}

// Get describes a version; an alias gives the version it stands for.
func (s *Service) Get(c accounts.Caller, region, action, name, qualifier string) (Configuration, error) {
	t, err := parseTarget(name, qualifier, place{c.Account, region})
	if err != nil {
		return Configuration{}, err
	}
	if err := s.authorize(c, action, t); err != nil {
		return Configuration{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return Configuration{}, err
	}
	v, err := f.resolve(t.qualifier)
	if err != nil {
		return Configuration{}, err
	}
	out := v.Configuration
	if t.qualifier != "" {
		out.FunctionArn = t.arn() // AWS answers with the ARN as it was asked
	}
	return out, nil
}

// List describes $LATEST of every function of the caller's account, by name.
func (s *Service) List(c accounts.Caller, region string) ([]Configuration, error) {
	// ListFunctions has no resource level. Source: Service Authorization Reference (H).
	if err := s.Directory.Authorize(accounts.Check{Caller: c, Action: "lambda:ListFunctions", Resource: "*"}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := map[string]Configuration{}
	for k, f := range s.functions {
		if k.place == (place{c.Account, region}) {
			byName[k.name] = f.latest.Configuration
		}
	}
	out := []Configuration{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out, nil
}

// Delete removes a function with everything of it, or one published version.
func (s *Service) Delete(c accounts.Caller, region, name, qualifier string) error {
	t, err := parseTarget(name, qualifier, place{c.Account, region})
	if err != nil {
		return err
	}
	if err := s.authorize(c, "DeleteFunction", t); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(t)
	if err != nil {
		return err
	}
	if t.qualifier != "" {
		return s.deleteVersion(f, t.qualifier)
	}
	delete(s.functions, t.key)
	s.pool.retire(f.latest)
	for _, v := range f.versions {
		s.pool.retire(v)
	}
	return nil
}
