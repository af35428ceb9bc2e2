package states

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/unstale/unstale/rehearsal/awsjson"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// ServeHTTP speaks AWS JSON 1.0 (X-Amz-Target: AWSStepFunctions.*).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	awsjson.Handler{Prefix: "AWSStepFunctions", Operations: map[string]awsjson.Operation{
		"CreateStateMachine":   awsjson.Op(s.createStateMachine),
		"UpdateStateMachine":   awsjson.Op(s.updateStateMachine),
		"DeleteStateMachine":   awsjson.Op(s.deleteStateMachine),
		"DescribeStateMachine": awsjson.Op(s.describeStateMachine),
		"StartExecution":       awsjson.Op(s.startExecution),
		"DescribeExecution":    awsjson.Op(s.describeExecution),
		"StopExecution":        awsjson.Op(s.stopExecution),
		"ListExecutions":       awsjson.Op(s.listExecutions),
		"GetExecutionHistory":  awsjson.Op(s.getExecutionHistory),
	}}.ServeHTTP(version10{w}, r)
}

// version10 is a writer that says 1.0 where awsjson says 1.1.
type version10 struct{ http.ResponseWriter }

func (w version10) WriteHeader(status int) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.ResponseWriter.WriteHeader(status)
}

func (s *Service) createStateMachine(ctx context.Context, c front.Call, in struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	RoleArn    string `json:"roleArn"`
	Type       string `json:"type"`
},
) (any, error) {
	arn, created, err := s.Create(ctx, c.Caller, c.Region, Machine{in.Name, in.Type, in.RoleArn, in.Definition})
	return fields{"stateMachineArn": arn, "creationDate": awsjson.Time(created)}, err
}

func (s *Service) updateStateMachine(ctx context.Context, c front.Call, in struct {
	Machine    string `json:"stateMachineArn"`
	Definition string `json:"definition"`
	RoleArn    string `json:"roleArn"`
},
) (any, error) {
	revision, err := s.Update(ctx, c.Caller, in.Machine, Machine{Role: in.RoleArn, Definition: in.Definition})
	return fields{"updateDate": awsjson.Time(s.Clock.Now()), "revisionId": revision}, err
}

func (s *Service) deleteStateMachine(_ context.Context, c front.Call, in struct {
	Machine string `json:"stateMachineArn"`
},
) (any, error) {
	return fields{}, s.Delete(c.Caller, in.Machine)
}

// includedData is what Describe* may be asked to leave out; only all of it is given.
type includedData string

func (d includedData) check() error {
	if d != "" && d != "ALL_DATA" {
		return wire.NotEmulated("the includedData %s", d)
	}
	return nil
}

func (s *Service) describeStateMachine(_ context.Context, c front.Call, in struct {
	Machine  string       `json:"stateMachineArn"`
	Included includedData `json:"includedData"`
},
) (any, error) {
	if err := in.Included.check(); err != nil {
		return nil, err
	}
	found, err := s.machine(c.Caller, "DescribeStateMachine", in.Machine)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fields{
		"stateMachineArn": found.arn, "name": found.name, "status": "ACTIVE", "type": "STANDARD", "definition": found.text, "roleArn": found.role,
		"creationDate": awsjson.Time(found.created), "revisionId": found.revision,
	}, nil
}

func (s *Service) startExecution(ctx context.Context, c front.Call, in struct {
	Machine     string `json:"stateMachineArn"`
	Name        string `json:"name"`
	Input       string `json:"input"`
	TraceHeader string `json:"traceHeader"` // for X-Ray, which is not there: taken, as nothing depends on it
},
) (any, error) {
	e, err := s.Start(ctx, c.Caller, in.Machine, in.Name, in.Input)
	return fields{"executionArn": e.ARN, "startDate": awsjson.Time(e.Start)}, err
}

func (s *Service) describeExecution(_ context.Context, c front.Call, in struct {
	Execution string       `json:"executionArn"`
	Included  includedData `json:"includedData"`
},
) (any, error) {
	if err := in.Included.check(); err != nil {
		return nil, err
	}
	e, err := s.Describe(c.Caller, in.Execution)
	if err != nil {
		return nil, err
	}
	out := e.summary()
	out["input"], out["inputDetails"] = e.Input, fields{"included": true}
	if e.Status == Succeeded {
		out["output"], out["outputDetails"] = e.Output, fields{"included": true}
	}
	if e.Error != "" {
		out["error"] = e.Error
	}
	if e.Cause != "" {
		out["cause"] = e.Cause
	}
	return out, nil
}

// summary is what lists and descriptions have in common.
func (e Execution) summary() fields {
	out := fields{
		"executionArn": e.ARN, "stateMachineArn": e.Machine, "name": e.Name, "status": e.Status, "startDate": awsjson.Time(e.Start), "redriveCount": 0,
	}
	if !e.Stop.IsZero() {
		out["stopDate"] = awsjson.Time(e.Stop)
	}
	return out
}

func (s *Service) stopExecution(_ context.Context, c front.Call, in struct {
	Execution string `json:"executionArn"`
	Error     string `json:"error"`
	Cause     string `json:"cause"`
},
) (any, error) {
	stopped, err := s.Stop(c.Caller, in.Execution, in.Error, in.Cause)
	return fields{"stopDate": awsjson.Time(stopped)}, err
}

func (s *Service) listExecutions(_ context.Context, c front.Call, in struct {
	Machine string `json:"stateMachineArn"`
	Status  string `json:"statusFilter"`
	page
},
) (any, error) {
	if in.Status != "" && !slices.Contains([]string{Running, Succeeded, Failed, TimedOut, Aborted}, in.Status) {
		return nil, wire.NotEmulated("the statusFilter %s", in.Status)
	}
	all, err := s.List(c.Caller, in.Machine, in.Status)
	if err != nil {
		return nil, err
	}
	out := fields{}
	from, to, err := in.cut(len(all), 100, out)
	if err != nil {
		return nil, err
	}
	executions := []fields{}
	for _, e := range all[from:to] {
		executions = append(executions, e.summary())
	}
	out["executions"] = executions
	return out, nil
}

func (s *Service) getExecutionHistory(_ context.Context, c front.Call, in struct {
	Execution string `json:"executionArn"`
	Reverse   bool   `json:"reverseOrder"`
	Include   *bool  `json:"includeExecutionData"` // default true
	page
},
) (any, error) {
	all, err := s.history(c.Caller, in.Execution)
	if err != nil {
		return nil, err
	}
	if in.Reverse {
		slices.Reverse(all)
	}
	out := fields{}
	from, to, err := in.cut(len(all), 100, out)
	if err != nil {
		return nil, err
	}
	events := []fields{}
	for _, e := range all[from:to] {
		events = append(events, e.wire(in.Include == nil || *in.Include))
	}
	out["events"] = events
	return out, nil
}

// page is where in a list to go on. Its token is the number of entries before; a history that grows
// is read from the same place all the same, unless it is read backwards.
type page struct {
	Max   int    `json:"maxResults"` // 0: the default; at most 1,000 (H)
	Token string `json:"nextToken"`
}

// cut is the part of n entries to answer, and puts the next token into out.
func (p page) cut(n, standard int, out fields) (from, to int, err error) {
	if p.Max < 0 || p.Max > 1000 {
		return 0, 0, wire.Errorf(400, "ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must be between 0 and 1000", p.Max)
	}
	if p.Token != "" {
		if from, err = strconv.Atoi(p.Token); err != nil || from < 0 || from > n {
			return 0, 0, wire.Errorf(400, "InvalidToken", "Invalid Token: '%s'", p.Token)
		}
	}
	if p.Max > 0 {
		standard = p.Max
	}
	if to = min(n, from+standard); to < n {
		out["nextToken"] = strconv.Itoa(to)
	}
	return from, to, nil
}
