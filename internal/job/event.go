package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/scrub"
)

// Credentials are a job's artifactCredentials: the session of the pipeline's action role, meant for
// the artifacts and for nothing else. However they are printed, they do not show.
type Credentials struct{ keyID, secret, token string }

// Provider gives them to an SDK client.
func (c Credentials) Provider() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		if c.keyID == "" || c.secret == "" {
			return aws.Credentials{}, errors.New("use artifact credentials: the job brought none")
		}
		return aws.Credentials{
			AccessKeyID: c.keyID, SecretAccessKey: c.secret, SessionToken: c.token, Source: "artifactCredentials",
		}, nil
	})
}

// Format implements fmt.Formatter, for every verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(scrub.Hidden)) }

// LogValue implements slog.LogValuer.
func (Credentials) LogValue() slog.Value { return slog.StringValue(scrub.Hidden) }

// MarshalJSON implements json.Marshaler.
func (Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(scrub.Hidden) }

// event is what a job brings, as far as it is used here. Source: CodePipeline user guide, "Lambda
// invoke action reference" (JSON event example).
type event struct {
	id          string // of the job
	parameters  string // UserParameters, as written in the pipeline
	token       string // "" for the first job of an action
	inputs      []artifact
	credentials Credentials
}

// artifact is where an input artifact lies.
type artifact struct{ name, bucket, key string }

// EventError says that an invocation is no CodePipeline job that could be answered. It is a wire
// contract: Lambda reports the type's name.
type EventError struct{ Reason string }

func (e *EventError) Error() string { return "decode event: " + e.Reason }

// wireEvent is the event's JSON. Fields that are not known are let pass: AWS adds some.
type wireEvent struct {
	Job *struct {
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	} `json:"CodePipeline.job"`
}

type wireData struct {
	ActionConfiguration struct {
		Configuration struct {
			UserParameters string `json:"UserParameters"`
		} `json:"configuration"`
	} `json:"actionConfiguration"`
	InputArtifacts []struct {
		Name     string `json:"name"`
		Location struct {
			Type       string `json:"type"`
			S3Location struct {
				BucketName string `json:"bucketName"`
				ObjectKey  string `json:"objectKey"`
			} `json:"s3Location"`
		} `json:"location"`
	} `json:"inputArtifacts"`
	ArtifactCredentials struct {
		AccessKeyID     string `json:"accessKeyId"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
	} `json:"artifactCredentials"`
	ContinuationToken string `json:"continuationToken"`
}

// maxJobID bounds what is sent back as a job's ID, which is a UUID.
const maxJobID = 100

// decodeEvent reads an event. With an error the event still has its ID where one was found, so that
// the job can be answered. The decoder's own errors are left out: they may quote the event.
func decodeEvent(raw []byte) (event, error) {
	var outer wireEvent
	outerErr := json.Unmarshal(raw, &outer)
	if outer.Job == nil {
		return event{}, &EventError{`it is no CodePipeline job: it has no object "CodePipeline.job"; ` +
			"invoke this function from a pipeline's Lambda action"}
	}
	e := event{id: outer.Job.ID}
	if e.id == "" || len(e.id) > maxJobID {
		e.id = ""
		return e, &EventError{"the job has no ID, so it cannot be answered"}
	}
	var data wireData
	err := json.Unmarshal(outer.Job.Data, &data)
	// Even of a broken event the credentials are wanted: to keep them out of what is written.
	e.credentials = Credentials{
		data.ArtifactCredentials.AccessKeyID, data.ArtifactCredentials.SecretAccessKey, data.ArtifactCredentials.SessionToken,
	}
	if outerErr != nil || err != nil {
		return e, &EventError{"the job's data do not have the shape that CodePipeline documents"}
	}
	e.parameters, e.token = data.ActionConfiguration.Configuration.UserParameters, data.ContinuationToken
	for _, in := range data.InputArtifacts {
		at := in.Location.S3Location
		if in.Location.Type != "S3" || at.BucketName == "" || at.ObjectKey == "" {
			return e, &EventError{fmt.Sprintf("input artifact %q has no place in S3", in.Name)}
		}
		e.inputs = append(e.inputs, artifact{in.Name, at.BucketName, at.ObjectKey})
	}
	return e, nil
}
