package codebuild

import (
	"context"
	"net/http"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/awsjson"
	"github.com/unstale/unstale/rehearsal/front"
)

// ServeHTTP speaks AWS JSON 1.1: BatchGetBuilds and BatchGetProjects. Builds are started by
// pipelines only, so StartBuild is not served.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	awsjson.Handler{Prefix: "CodeBuild_20161006", Operations: map[string]awsjson.Operation{
		"BatchGetBuilds":   awsjson.Op(s.batchGetBuilds),
		"BatchGetProjects": awsjson.Op(s.batchGetProjects),
	}}.ServeHTTP(w, r)
}

type object = map[string]any

func (s *Service) batchGetBuilds(_ context.Context, c front.Call, in struct {
	IDs []string `json:"ids"`
},
) (any, error) {
	builds, missing := []object{}, []string{}
	for _, id := range in.IDs {
		name, _, _ := strings.Cut(id, ":")
		arn := projectARN(c.Region, c.Caller.Account, name)
		if err := s.Directory.Authorize(accounts.Check{Caller: c.Caller, Action: "codebuild:BatchGetBuilds", Resource: arn}); err != nil {
			return nil, err
		}
		s.mu.Lock()
		b := s.builds[id]
		s.mu.Unlock()
		if b == nil || b.place.Account != c.Caller.Account || b.place.Region != c.Region {
			missing = append(missing, id)
			continue
		}
		builds = append(builds, describeBuild(s.snapshot(b), b))
	}
	return object{"builds": builds, "buildsNotFound": missing}, nil
}

func describeBuild(now Build, b *build) object {
	phases := []object{}
	for _, p := range now.Phases {
		phase := object{
			"phaseType": p.Name, "phaseStatus": p.Status,
			"startTime": awsjson.Time(p.Start), "endTime": awsjson.Time(p.End), "durationInSeconds": int(p.End.Sub(p.Start).Seconds()),
		}
		if p.Message != "" {
			phase["contexts"] = []object{{"statusCode": p.Status, "message": p.Message}}
		}
		phases = append(phases, phase)
	}
	out := object{
		"id": now.ID, "arn": now.ARN, "buildNumber": now.Number, "projectName": now.Project, "buildStatus": now.Status,
		"currentPhase": now.Phase, "phases": phases, "initiator": now.Initiator, "serviceRole": now.Role,
		"startTime": awsjson.Time(now.Start), "buildComplete": now.Status != StatusInProgress,
		"source":                object{"type": "CODEPIPELINE", "location": b.input.Source.ARN()},
		"resolvedSourceVersion": b.input.Revision,
		"timeoutInMinutes":      int(b.project.timeout().Minutes()),
		"environment":           b.project.environment(),
	}
	if now.Group != "" {
		out["logs"] = object{"groupName": now.Group, "streamName": now.Stream}
	}
	if b.input.Output != nil {
		out["artifacts"] = object{"location": b.input.Output.ARN()}
	}
	if !now.End.IsZero() {
		out["endTime"] = awsjson.Time(now.End)
	}
	return out
}

func (p project) environment() object {
	return object{"type": p.Environment.Type, "computeType": p.Environment.ComputeType, "image": p.Environment.Image}
}

func (s *Service) batchGetProjects(_ context.Context, c front.Call, in struct {
	Names []string `json:"names"`
},
) (any, error) {
	projects, missing := []object{}, []string{}
	for _, name := range in.Names {
		arn := projectARN(c.Region, c.Caller.Account, name)
		if err := s.Directory.Authorize(accounts.Check{Caller: c.Caller, Action: "codebuild:BatchGetProjects", Resource: arn}); err != nil {
			return nil, err
		}
		s.mu.Lock()
		p := s.projects[arn]
		s.mu.Unlock()
		if p == nil {
			missing = append(missing, name)
			continue
		}
		projects = append(projects, object{
			"name": p.Name, "arn": arn, "description": p.Description, "serviceRole": p.ServiceRole,
			"source": object{"type": p.Source.Type}, "artifacts": object{"type": p.Artifacts.Type}, "environment": p.environment(),
			"encryptionKey": p.EncryptionKey, "timeoutInMinutes": int(p.timeout().Minutes()), "created": awsjson.Time(p.created),
		})
	}
	return object{"projects": projects, "projectsNotFound": missing}, nil
}
