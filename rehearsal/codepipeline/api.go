package codepipeline

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/unstale/unstale/rehearsal/awsjson"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// ServeHTTP speaks AWS JSON 1.1 (X-Amz-Target: CodePipeline_20150709.*).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	awsjson.Handler{Prefix: "CodePipeline_20150709", Operations: map[string]awsjson.Operation{
		"CreatePipeline":         awsjson.Op(s.apiCreate),
		"UpdatePipeline":         awsjson.Op(s.apiUpdate),
		"DeletePipeline":         awsjson.Op(s.apiDelete),
		"StartPipelineExecution": awsjson.Op(s.apiStart),
		"StopPipelineExecution":  awsjson.Op(s.apiStop),
		"RetryStageExecution":    awsjson.Op(s.apiRetry),
		"GetPipeline":            awsjson.Op(s.apiGetPipeline),
		"ListPipelines":          awsjson.Op(s.apiListPipelines),
		"GetPipelineState":       awsjson.Op(s.apiState),
		"GetPipelineExecution":   awsjson.Op(s.apiExecution),
		"ListPipelineExecutions": awsjson.Op(s.apiExecutions),
		"ListActionExecutions":   awsjson.Op(s.apiActions),
		"GetJobDetails":          awsjson.Op(s.apiJobDetails),
		"PutJobSuccessResult": awsjson.Op(func(_ context.Context, c front.Call, in Success) (any, error) {
			return nil, s.PutJobSuccessResult(c.Caller, in)
		}),
		"PutJobFailureResult": awsjson.Op(func(_ context.Context, c front.Call, in Refusal) (any, error) {
			return nil, s.PutJobFailureResult(c.Caller, in)
		}),
	}}.ServeHTTP(w, r)
}

// startInput takes the token that SDKs add to every request: a request repeated with its token answers the
// execution that the first one started (H).
type startInput struct {
	Name  string `json:"name"`
	Token string `json:"clientRequestToken"`
}

func (s *Service) apiStart(ctx context.Context, c front.Call, in startInput) (any, error) {
	id, err := s.Start(ctx, c.Caller, c.Region, in.Name, in.Token)
	if err != nil {
		return nil, err
	}
	return object{"pipelineExecutionId": id}, nil
}

func (s *Service) apiStop(_ context.Context, c front.Call, in struct {
	Name      string `json:"pipelineName"`
	Execution string `json:"pipelineExecutionId"`
	Abandon   bool   `json:"abandon"`
	Reason    string `json:"reason"`
},
) (any, error) {
	if err := s.StopExecution(c.Caller, c.Region, in.Name, in.Execution, in.Reason, in.Abandon); err != nil {
		return nil, err
	}
	return object{"pipelineExecutionId": in.Execution}, nil
}

func (s *Service) apiRetry(_ context.Context, c front.Call, in struct {
	Name      string `json:"pipelineName"`
	Stage     string `json:"stageName"`
	Execution string `json:"pipelineExecutionId"`
	Mode      string `json:"retryMode"`
},
) (any, error) {
	if err := s.RetryStage(c.Caller, c.Region, in.Name, in.Stage, in.Execution, in.Mode); err != nil {
		return nil, err
	}
	return object{"pipelineExecutionId": in.Execution}, nil
}

func (s *Service) apiJobDetails(_ context.Context, c front.Call, in struct {
	JobID string `json:"jobId"`
},
) (any, error) {
	details, err := s.JobDetails(c.Caller, in.JobID)
	if err != nil {
		return nil, err
	}
	return object{"jobDetails": details}, nil
}

func (s *Service) apiGetPipeline(_ context.Context, c front.Call, in struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
},
) (any, error) {
	p, err := s.find(c.Caller, c.Region, in.Name, "GetPipeline")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Version != 0 && in.Version != p.Version {
		return nil, wire.NotEmulated("earlier versions of a pipeline (version %d of %s)", in.Version, in.Name)
	}
	return object{
		"pipeline": p.Declaration,
		"metadata": object{"pipelineArn": p.arn, "created": awsjson.Time(p.created), "updated": awsjson.Time(p.updated)},
	}, nil
}

func (s *Service) apiListPipelines(_ context.Context, c front.Call, in page) (any, error) {
	if err := s.authorize(c.Caller, "ListPipelines", "*"); err != nil {
		return nil, err
	}
	list := []object{}
	for _, p := range s.list(c.Caller.Account, c.Region) {
		s.mu.Lock()
		list = append(list, object{
			"name": p.Name, "version": p.Version, "pipelineType": p.PipelineType, "executionMode": p.ExecutionMode,
			"created": awsjson.Time(p.created), "updated": awsjson.Time(p.updated),
		})
		s.mu.Unlock()
	}
	return in.cut("pipelines", list, 1000)
}

// page is the paging parameters of the List operations.
type page struct {
	Max   int    `json:"maxResults"`
	Token string `json:"nextToken"`
}

// cut answers one page of list under a name. A token is where the page begins.
func (p page) cut(name string, list []object, most int) (any, error) {
	start := 0
	if p.Token != "" {
		n, err := strconv.Atoi(p.Token)
		if err != nil || n < 0 || n > len(list) {
			return nil, wire.Errorf(400, "InvalidNextTokenException", "The next token is invalid.")
		}
		start = n
	}
	if p.Max < 0 || p.Max > most {
		return nil, constraint("maxResults", strconv.Itoa(p.Max), "Member must be between 1 and %d", most)
	}
	if p.Max == 0 {
		p.Max = most
	}
	end := min(start+p.Max, len(list))
	out := object{name: slices.Clip(list[start:end])}
	if end < len(list) {
		out["nextToken"] = strconv.Itoa(end)
	}
	return out, nil
}
