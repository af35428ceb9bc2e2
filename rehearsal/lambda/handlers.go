package lambda

import (
	"net/http"

	"github.com/unstale/unstale/rehearsal/wire"
)

func ok(body any, err error) (answer, error)      { return answer{http.StatusOK, body}, err }
func created(body any, err error) (answer, error) { return answer{http.StatusCreated, body}, err }
func gone(err error) (answer, error)              { return answer{http.StatusNoContent, nil}, err }

func createFunction(s *Service, c call) (answer, error) {
	var in CreateInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return created(s.Create(c.Context(), c.Caller, c.Region, in))
}

func listFunctions(s *Service, c call) (answer, error) {
	if err := c.onePage(); err != nil {
		return answer{}, err
	}
	list, err := s.List(c.Caller, c.Region)
	return ok(map[string]any{"Functions": list}, err)
}

// getFunction answers without Code.Location: that is a pre-signed URL of AWS's own bucket, which
// nothing here could answer.
func getFunction(s *Service, c call) (answer, error) {
	out, err := s.Get(c.Caller, c.Region, "GetFunction", c.name(), c.qualifier())
	return ok(map[string]any{"Configuration": out, "Code": map[string]string{"RepositoryType": "S3"}}, err)
}

func getConfiguration(s *Service, c call) (answer, error) {
	return ok(s.Get(c.Caller, c.Region, "GetFunctionConfiguration", c.name(), c.qualifier()))
}

func updateConfiguration(s *Service, c call) (answer, error) {
	var in UpdateConfigurationInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return ok(s.UpdateConfiguration(c.Context(), c.Caller, c.Region, c.name(), in))
}

func updateCode(s *Service, c call) (answer, error) {
	var in UpdateCodeInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return ok(s.UpdateCode(c.Context(), c.Caller, c.Region, c.name(), in))
}

func deleteFunction(s *Service, c call) (answer, error) {
	return gone(s.Delete(c.Caller, c.Region, c.name(), c.qualifier()))
}

func publishVersion(s *Service, c call) (answer, error) {
	var in PublishInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	out, _, err := s.Publish(c.Caller, c.Region, c.name(), in)
	return created(out, err)
}

func createAlias(s *Service, c call) (answer, error) {
	var in AliasInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	return created(s.CreateAlias(c.Caller, c.Region, c.name(), in))
}

func updateAlias(s *Service, c call) (answer, error) {
	var in AliasInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	in.Name = c.PathValue("alias")
	return ok(s.UpdateAlias(c.Caller, c.Region, c.name(), in))
}

func getAlias(s *Service, c call) (answer, error) {
	return ok(s.GetAlias(c.Caller, c.Region, c.name(), c.PathValue("alias")))
}

func deleteAlias(s *Service, c call) (answer, error) {
	return gone(s.DeleteAlias(c.Caller, c.Region, c.name(), c.PathValue("alias")))
}

func addPermission(s *Service, c call) (answer, error) {
	var in Permission
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	statement, err := s.AddPermission(c.Caller, c.Region, c.name(), c.qualifier(), in)
	return created(map[string]string{"Statement": statement}, err)
}

func removePermission(s *Service, c call) (answer, error) {
	return gone(s.RemovePermission(c.Caller, c.Region, c.name(), c.qualifier(), c.PathValue("statement"), c.URL.Query().Get("RevisionId")))
}

func getPolicy(s *Service, c call) (answer, error) {
	document, revision, err := s.GetPolicy(c.Caller, c.Region, c.name(), c.qualifier())
	return ok(map[string]string{"Policy": document, "RevisionId": revision}, err)
}

// eventConfigInput is a Put- or UpdateFunctionEventInvokeConfig request.
type eventConfigInput struct {
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
	// DestinationConfig may be there when it names no destination, as the CLI's skeletons do.
	DestinationConfig struct{ OnSuccess, OnFailure struct{ Destination string } }
}

func (in eventConfigInput) config() (EventConfig, error) {
	if in.DestinationConfig.OnSuccess.Destination != "" || in.DestinationConfig.OnFailure.Destination != "" {
		return EventConfig{}, wire.NotEmulated("destinations of asynchronous invocations")
	}
	return EventConfig{MaximumRetryAttempts: in.MaximumRetryAttempts, MaximumEventAgeInSeconds: in.MaximumEventAgeInSeconds}, nil
}

func putEventConfig(s *Service, c call) (answer, error)    { return writeEventConfig(s, c, false) }
func updateEventConfig(s *Service, c call) (answer, error) { return writeEventConfig(s, c, true) }

func writeEventConfig(s *Service, c call, merge bool) (answer, error) {
	var in eventConfigInput
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	config, err := in.config()
	if err != nil {
		return answer{}, err
	}
	out, arn, err := s.PutEventConfig(c.Caller, c.Region, c.name(), c.qualifier(), config, merge)
	return ok(out.describe(arn), err)
}

func getEventConfig(s *Service, c call) (answer, error) {
	out, arn, err := s.GetEventConfig(c.Caller, c.Region, c.name(), c.qualifier())
	return ok(out.describe(arn), err)
}

func deleteEventConfig(s *Service, c call) (answer, error) {
	return gone(s.DeleteEventConfig(c.Caller, c.Region, c.name(), c.qualifier()))
}

// describe is a configuration as AWS answers it; LastModified is in seconds since 1970.
func (e EventConfig) describe(arn string) map[string]any {
	out := map[string]any{
		"FunctionArn": arn, "LastModified": float64(e.modified.UnixMilli()) / 1000,
		"DestinationConfig": map[string]any{"OnSuccess": struct{}{}, "OnFailure": struct{}{}},
	}
	if e.MaximumRetryAttempts != nil {
		out["MaximumRetryAttempts"] = *e.MaximumRetryAttempts
	}
	if e.MaximumEventAgeInSeconds != nil {
		out["MaximumEventAgeInSeconds"] = *e.MaximumEventAgeInSeconds
	}
	return out
}
