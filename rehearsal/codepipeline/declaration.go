package codepipeline

import (
	"encoding/json"
	"fmt"

	"github.com/unstale/unstale/rehearsal/templates"
)

// Declaration is a pipeline's structure. One type reads both CloudFormation's spelling (Stages) and
// the API's (stages), as encoding/json takes names without regard to case; it writes the API's.
type Declaration struct {
	Name          string        `json:"name"`
	RoleARN       string        `json:"roleArn"`
	ArtifactStore ArtifactStore `json:"artifactStore"`
	Stages        []Stage       `json:"stages"`
	ExecutionMode string        `json:"executionMode,omitempty"` // SUPERSEDED
	PipelineType  string        `json:"pipelineType,omitempty"`  // V1 or V2
	Version       int           `json:"version,omitempty"`       // counted by CodePipeline
}

// ArtifactStore is the bucket where a pipeline keeps its artifacts.
type ArtifactStore struct {
	Type          string         `json:"type"` // S3
	Location      string         `json:"location"`
	EncryptionKey *EncryptionKey `json:"encryptionKey,omitempty"`
}

// EncryptionKey is the KMS key of the artifacts.
type EncryptionKey struct {
	ID   string `json:"id"`
	Type string `json:"type"` // KMS
}

// Stage is actions that one execution at a time goes through.
type Stage struct {
	Name    string   `json:"name"`
	Actions []Action `json:"actions"`
}

// Action is one step of a stage.
type Action struct {
	Name          string          `json:"name"`
	Type          ActionType      `json:"actionTypeId"`
	RunOrder      templates.Int   `json:"runOrder,omitempty"` // 1 to 999; 0 means 1
	Configuration map[string]Text `json:"configuration,omitempty"`
	Outputs       []Artifact      `json:"outputArtifacts,omitempty"`
	Inputs        []Artifact      `json:"inputArtifacts,omitempty"`
	RoleARN       string          `json:"roleArn,omitempty"`
	Region        string          `json:"region,omitempty"`
	Namespace     string          `json:"namespace,omitempty"`
}

// ActionType names what carries an action out.
type ActionType struct {
	Category string `json:"category"`
	Owner    string `json:"owner"`
	Provider string `json:"provider"`
	Version  string `json:"version"`
}

func (t ActionType) String() string {
	return fmt.Sprintf("category %s, owner %s, provider %s, version %s", t.Category, t.Owner, t.Provider, t.Version)
}

// Artifact is the name of one.
type Artifact struct {
	Name string `json:"name"`
}

// Text is a configuration value: always text for actions, though templates may also write true or 1.
type Text string

// UnmarshalJSON reads a string, a boolean or a number.
func (t *Text) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*t = Text(v)
	case bool, float64:
		*t = Text(raw)
	default:
		return fmt.Errorf("%s is not a text", raw)
	}
	return nil
}

// order is the action's run order with its default.
func (a Action) order() int {
	if a.RunOrder == 0 {
		return 1
	}
	return int(a.RunOrder)
}
