package logs

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const logGroupType = "AWS::Logs::LogGroup"

type logGroupProperties struct {
	LogGroupName    string
	RetentionInDays templates.Int
}

// ResourceTypes is what templates may make: log groups.
func (s *Service) ResourceTypes() []templates.Type {
	return []templates.Type{{
		Name: logGroupType, Attributes: []string{"Arn"},
		Create: s.createResource, Update: s.updateResource, Delete: s.deleteResource,
		Fixed: []string{"LogGroupName"}, Named: "LogGroupName",
	}}
}

func (s *Service) createResource(_ context.Context, r templates.Request) (templates.Resource, error) {
	p, err := templates.Decode[logGroupProperties](logGroupType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.LogGroupName == "" {
		p.LogGroupName = r.Stack + "-" + r.LogicalID + "-" + rand.Text()[:12]
	}
	at := Place{r.Account, r.Region}
	if err := s.CreateGroup(r.Caller, at, p.LogGroupName); err != nil {
		return templates.Resource{}, err
	}
	if p.RetentionInDays != 0 {
		if err := s.SetRetention(r.Caller, at, p.LogGroupName, int(p.RetentionInDays)); err != nil {
			return templates.Resource{}, errors.Join(err, s.DeleteGroup(r.Caller, at, p.LogGroupName))
		}
	}
	return logGroupResource(at, p.LogGroupName), nil
}

func (s *Service) updateResource(_ context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
	p, err := templates.Decode[logGroupProperties](logGroupType, r.Properties)
	if err != nil {
		return templates.Resource{}, err
	}
	if p.LogGroupName != "" && p.LogGroupName != e.Resource.Ref {
		return templates.Resource{}, wire.NotEmulated("renaming the log group %s to %s", e.Resource.Ref, p.LogGroupName)
	}
	at := Place{r.Account, r.Region}
	if err := s.SetRetention(r.Caller, at, e.Resource.Ref, int(p.RetentionInDays)); err != nil {
		return templates.Resource{}, err
	}
	return logGroupResource(at, e.Resource.Ref), nil
}

func (s *Service) deleteResource(_ context.Context, e templates.Existing) error {
	err := s.DeleteGroup(e.Caller, Place{e.Account, e.Region}, e.Resource.Ref)
	if err != nil && wire.AsError(err).Code == "ResourceNotFoundException" {
		return nil
	}
	return err
}

// logGroupResource's Arn ends in ":*". Source: CloudFormation User Guide, AWS::Logs::LogGroup (H).
func logGroupResource(p Place, name string) templates.Resource {
	return templates.Resource{Ref: name, Attributes: map[string]string{"Arn": GroupARN(p, name) + ":*"}}
}
