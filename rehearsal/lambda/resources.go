package lambda

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

// The resource types that templates may make of Lambda.
const (
	functionType    = "AWS::Lambda::Function"
	versionType     = "AWS::Lambda::Version"
	aliasType       = "AWS::Lambda::Alias"
	permissionType  = "AWS::Lambda::Permission"
	eventConfigType = "AWS::Lambda::EventInvokeConfig"
)

// ResourceTypes is what templates may make: functions, versions, aliases, permissions and the
// retries of asynchronous events.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{
		{
			Name: functionType, Attributes: []string{"Arn"}, Create: s.createFunction, Update: s.updateFunction, Delete: s.deleteFunction,
			Fixed: []string{"FunctionName"}, Named: "FunctionName",
		},
		{Name: versionType, Attributes: []string{"Version", "FunctionArn"}, Create: s.createVersion, Delete: s.deleteFunction},
		{
			Name: aliasType, Attributes: []string{"AliasArn"}, Create: s.createAlias, Update: s.updateAlias, Delete: s.deleteAlias,
			Fixed: []string{"FunctionName", "Name"},
		},
		{Name: permissionType, Create: s.createPermission, Delete: s.deletePermission},
		{
			Name: eventConfigType, Create: s.createEventConfig, Update: s.updateEventConfig, Delete: s.deleteEventConfig,
			Fixed: []string{"FunctionName", "Qualifier"},
		},
	}
}

type functionProperties struct {
	FunctionName, Description, Runtime, Handler, Role string
	Architectures                                     []string
	Code                                              struct{ S3Bucket, S3Key string }
	MemorySize, Timeout                               templates.Int
	Environment                                       *Environment
	LoggingConfig                                     *Logging
}

// settings are the properties that change in place. What a template does not mention has AWS's
// default, also when it was mentioned before.
func (p functionProperties) settings() Settings {
	memory, timeout := minMemory, 3
	if p.MemorySize != 0 {
		memory = int(p.MemorySize)
	}
	if p.Timeout != 0 {
		timeout = int(p.Timeout)
	}
	if p.Environment == nil {
		p.Environment = &Environment{}
	}
	if p.LoggingConfig == nil {
		p.LoggingConfig = &Logging{}
	}
	return Settings{
		Runtime: &p.Runtime, Role: &p.Role, Handler: &p.Handler, Description: &p.Description, Timeout: &timeout,
		MemorySize: &memory, Environment: p.Environment, LoggingConfig: p.LoggingConfig,
	}
}

func (s *Service) createFunction(ctx context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[functionProperties](functionType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.FunctionName == "" {
		p.FunctionName = generatedName(r)
	}
	out, err := s.Create(ctx, r.Caller, r.Region, CreateInput{
		Settings: p.settings(), FunctionName: p.FunctionName, Architectures: p.Architectures,
		Code: Package{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key},
	})
	return functionResource(out), err
}

func functionResource(c Configuration) templates.Resource {
	return templates.Resource{Ref: c.FunctionName, Attributes: map[string]string{"Arn": c.FunctionArn}}
}

// generatedName is how CloudFormation names what a template does not.
func generatedName(r templates.Request) string {
	random := "-" + rand.Text()[:12]
	name := r.Stack + "-" + r.LogicalID
	return name[:min(len(name), 64-len(random))] + random
}

func (s *Service) updateFunction(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[functionProperties](functionType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	old, err := templates.Decode[functionProperties](functionType, e.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	name := e.Resource.Ref
	if p.FunctionName != old.FunctionName {
		return templates.Resource{}, wire.NotEmulated("renaming the function %s to %s", name, p.FunctionName)
	}
	if p.Code != old.Code || strings.Join(p.Architectures, " ") != strings.Join(old.Architectures, " ") {
		_, err := s.UpdateCode(ctx, r.Caller, r.Region, name, UpdateCodeInput{
			Package: Package{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key}, Architectures: p.Architectures,
		})
		if err != nil {
			return templates.Resource{}, err
		}
	}
	out, err := s.UpdateConfiguration(ctx, r.Caller, r.Region, name, UpdateConfigurationInput{Settings: p.settings()})
	return functionResource(out), err
}

// deleteFunction serves functions (Ref is the name) and versions (Ref is the qualified ARN).
func (s *Service) deleteFunction(_ context.Context, e templates.Existing) error {
	return absent(s.Delete(e.Caller, e.Region, e.Resource.Ref, ""))
}

// absent turns "it is not there" into no error, as CloudFormation does when it deletes.
func absent(err error) error {
	if err != nil && wire.AsError(err).Code == "ResourceNotFoundException" {
		return nil
	}
	return err
}

type versionProperties struct{ FunctionName, Description string }

// createVersion refuses what would be the same version again, as CloudFormation does (M: the text
// is from its resource provider's answers).
func (s *Service) createVersion(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[versionProperties](versionType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	out, fresh, err := s.Publish(r.Caller, r.Region, p.FunctionName, PublishInput{Description: p.Description})
	if err != nil {
		return templates.Resource{}, err
	}
	if !fresh {
		return templates.Resource{}, wire.Errorf(400, "AlreadyExists",
			"A version for this Lambda function exists ( %s ). Modify the function to create a new version.", out.Version)
	}
	return templates.Resource{Ref: out.FunctionArn, Attributes: map[string]string{"Version": out.Version, "FunctionArn": out.FunctionArn}}, nil
}

type aliasProperties struct{ FunctionName, FunctionVersion, Name, Description string }

func (s *Service) createAlias(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[aliasProperties](aliasType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	out, err := s.CreateAlias(r.Caller, r.Region, p.FunctionName, AliasInput{Name: p.Name, FunctionVersion: &p.FunctionVersion, Description: &p.Description})
	return aliasResource(out), err
}

func aliasResource(a Alias) templates.Resource {
	return templates.Resource{Ref: a.AliasArn, Attributes: map[string]string{"AliasArn": a.AliasArn}}
}

func (s *Service) updateAlias(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[aliasProperties](aliasType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	old, err := templates.Decode[aliasProperties](aliasType, e.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.Name != old.Name || p.FunctionName != old.FunctionName {
		return templates.Resource{}, wire.NotEmulated("renaming the alias %s or moving it to another function", e.Resource.Ref)
	}
	out, err := s.UpdateAlias(r.Caller, r.Region, p.FunctionName, AliasInput{Name: p.Name, FunctionVersion: &p.FunctionVersion, Description: &p.Description})
	return aliasResource(out), err
}

func (s *Service) deleteAlias(_ context.Context, e templates.Existing) error {
	p, err := templates.Decode[aliasProperties](aliasType, e.Properties)
	if err != nil {
		return err
	}
	return absent(s.DeleteAlias(e.Caller, e.Region, p.FunctionName, p.Name))
}

type permissionProperties struct {
	FunctionName, Action, Principal, SourceArn, SourceAccount, PrincipalOrgID string
}

func (s *Service) createPermission(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[permissionProperties](permissionType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	id := generatedName(r)
	_, err = s.AddPermission(r.Caller, r.Region, p.FunctionName, "", Permission{
		StatementId: id, Action: p.Action, Principal: p.Principal,
		SourceArn: p.SourceArn, SourceAccount: p.SourceAccount, PrincipalOrgID: p.PrincipalOrgID,
	})
	return templates.Resource{Ref: id}, err
}

func (s *Service) deletePermission(_ context.Context, e templates.Existing) error {
	p, err := templates.Decode[permissionProperties](permissionType, e.Properties)
	if err != nil {
		return err
	}
	return absent(s.RemovePermission(e.Caller, e.Region, p.FunctionName, "", e.Resource.Ref, ""))
}

type eventConfigProperties struct {
	FunctionName, Qualifier  string
	MaximumRetryAttempts     *templates.Int
	MaximumEventAgeInSeconds *templates.Int
}

func (s *Service) createEventConfig(_ context.Context, r templates.Request) (templates.Resource, error) {
	return s.putEventConfig(r.Caller, r)
}

func (s *Service) updateEventConfig(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	old, err := templates.Decode[eventConfigProperties](eventConfigType, e.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	p, err := templates.Decode[eventConfigProperties](eventConfigType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.FunctionName != old.FunctionName || p.Qualifier != old.Qualifier {
		return templates.Resource{}, wire.NotEmulated("moving an event invoke configuration from %s to %s", old.FunctionName, p.FunctionName)
	}
	return s.putEventConfig(r.Caller, r)
}

func (s *Service) putEventConfig(c accounts.Caller, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[eventConfigProperties](eventConfigType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	_, arn, err := s.PutEventConfig(c, r.Region, p.FunctionName, p.Qualifier, EventConfig{
		MaximumRetryAttempts: whole(p.MaximumRetryAttempts), MaximumEventAgeInSeconds: whole(p.MaximumEventAgeInSeconds),
	}, false)
	return templates.Resource{Ref: arn}, err
}

func whole(i *templates.Int) *int {
	if i == nil {
		return nil
	}
	n := int(*i)
	return &n
}

func (s *Service) deleteEventConfig(_ context.Context, e templates.Existing) error {
	p, err := templates.Decode[eventConfigProperties](eventConfigType, e.Properties)
	if err != nil {
		return err
	}
	return absent(s.DeleteEventConfig(e.Caller, e.Region, p.FunctionName, p.Qualifier))
}
