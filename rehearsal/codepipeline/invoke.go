package codepipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
)

// The time a function has to answer. Source: User Guide, "Quotas" (H): 20 minutes without a reply, which a
// continuation restarts, and 24 hours over all.
const (
	silence = 20 * time.Minute
	overall = 24 * time.Hour
)

// invokeAction invokes a function and waits for its answer about the job. Source: User Guide, "AWS
// Lambda action reference" (H).
type invokeAction struct{ *Service }

// Check takes what CodePipeline takes.
func (invokeAction) Check(a Action) error {
	if err := counts(a, 0, 5, 0, 5); err != nil {
		return err
	}
	return configKeys(a, []string{"FunctionName"}, "UserParameters")
}

func (s invokeAction) Run(ctx context.Context, run *Run) (Outcome, error) {
	// Needed besides lambda:InvokeFunction. Source: User Guide, "Service role permissions" (H).
	if err := s.Functions.List(ctx, run.Caller, run.Region); err != nil {
		return Outcome{}, err
	}
	begin := s.Clock.Now()
	heard, token := begin, ""
	for {
		m, err := s.ask(ctx, run, token, min(silence-s.Clock.Now().Sub(heard), overall-s.Clock.Now().Sub(begin)))
		switch {
		case err != nil:
			return Outcome{}, err
		case m.what == cancelled:
			return Outcome{}, context.Canceled
		case m.what == timedOut:
			return Outcome{}, noAnswer(run.Configuration["FunctionName"])
		case m.answer.failure != nil:
			return Outcome{}, m.answer.failure
		case m.answer.token == "":
			return Outcome{Summary: m.answer.summary, ExternalExecutionID: m.answer.externalID, Variables: m.answer.variables}, nil
		}
		heard, token = s.Clock.Now(), m.answer.token
		run.progress(m.answer.externalID, m.answer.summary, m.answer.percent)
		if run.sleep(s.ContinuationInterval).what == cancelled {
			return Outcome{}, context.Canceled
		}
	}
}

// ask makes a job, invokes the function with it and waits for the answer.
func (s invokeAction) ask(ctx context.Context, run *Run, token string, limit time.Duration) (message, error) {
	j, err := s.newJob(ctx, run, token)
	if err != nil {
		return message{}, err
	}
	payload, err := json.Marshal(map[string]any{"CodePipeline.job": j.event()})
	if err != nil {
		return message{}, fmt.Errorf("write the job event: %w", err)
	}
	err = s.Functions.InvokeEvent(ctx, run.Caller, run.Region, run.Configuration["FunctionName"], payload)
	if err != nil {
		j.promise.keep(message{what: cancelled}) // nobody may answer it any more
		(<-j.promise.got).busy()
		return message{}, err
	}
	end := s.Clock.After(limit, func() { j.promise.keep(message{what: timedOut}) })
	m := run.await(j.promise)
	end()
	return m, nil
}

// sleep waits d of the rehearsal's time.
func (r *Run) sleep(d time.Duration) message {
	p := newPromise(r.service.Clock)
	defer r.service.Clock.After(d, func() { p.keep(message{what: elapsed}) })()
	return r.await(p)
}

// noAnswer is AWS's text. Source: aws-samples/aws-serverless-workshops issue 224 (M).
func noAnswer(function string) error {
	return &Failure{Code: "JobFailed", Message: fmt.Sprintf("The AWS Lambda function %s failed to return a result. Check the function to "+
		"verify that it has permission to call the PutJobSuccessResult action and that it made a call to PutJobSuccessResult.", function)}
}

// job is what a function is asked to answer.
type job struct {
	id      string
	run     *Run
	token   string
	cred    accounts.Credentials
	promise *promise
}

func (s *Service) newJob(ctx context.Context, run *Run, token string) (*job, error) {
	cred, err := run.artifactCredentials(ctx)
	if err != nil {
		return nil, err
	}
	j := &job{id: random.UUID(), run: run, token: token, cred: cred, promise: newPromise(s.Clock)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[j.id] = j
	return j, nil
}

// artifactCredentials are a session of the action's role that can do nothing but read the input
// artifacts and write the output artifacts. That it is the action role's session is M (CDK issue 3274); that
// it is narrowed is L: PutJob* calls with it were denied in spite of grants (CDK issue 15235).
func (r *Run) artifactCredentials(ctx context.Context) (accounts.Credentials, error) {
	policy, err := r.artifactPolicy()
	if err != nil {
		return accounts.Credentials{}, err
	}
	if r.Caller.RoleARN == r.pipelineRole.RoleARN {
		return r.service.assumePipelineRole(ctx, r.execution.pipeline, r.role(), policy)
	}
	return r.service.assumeActionRole(ctx, r.pipelineRole, r.role(), policy)
}

func (r *Run) artifactPolicy() (string, error) {
	bucket := "arn:aws:s3:::" + r.execution.declared.ArtifactStore.Location
	actions, keys := []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketVersioning"}, []string{"kms:Decrypt", "kms:DescribeKey"}
	if len(r.Action.Outputs) > 0 {
		actions, keys = append(actions, "s3:PutObject"), append(keys, "kms:GenerateDataKey*", "kms:Encrypt", "kms:ReEncrypt*")
	}
	raw, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []map[string]any{
		{"Sid": "Artifacts", "Effect": "Allow", "Action": actions, "Resource": []string{bucket, bucket + "/*"}},
		{"Sid": "Key", "Effect": "Allow", "Action": keys, "Resource": "*"},
		{"Sid": "NoAnswers", "Effect": "Deny", "Action": "codepipeline:PutJob*", "Resource": "*"},
	}})
	if err != nil {
		return "", fmt.Errorf("write the artifact credentials' policy: %w", err)
	}
	return string(raw), nil
}

type object = map[string]any

// event is the job as the function gets it: GetJobDetails without action type and context (H).
func (j *job) event() object {
	data := j.data()
	data["actionConfiguration"] = object{"configuration": j.run.Configuration}
	return object{"id": j.id, "accountId": j.run.execution.pipeline.account, "data": data}
}

// data is what the event and GetJobDetails have in common.
func (j *job) data() object {
	r := j.run
	data := object{
		"inputArtifacts":  j.artifacts(r.Action.Inputs),
		"outputArtifacts": j.artifacts(r.Action.Outputs),
		"artifactCredentials": object{
			"accessKeyId": j.cred.AccessKeyID, "secretAccessKey": j.cred.SecretAccessKey, "sessionToken": j.cred.SessionToken,
			"expirationTime": j.cred.Expires.UnixMilli(),
		},
	}
	if j.token != "" {
		data["continuationToken"] = j.token // absent from the first job (M)
	}
	if k := r.execution.declared.ArtifactStore.EncryptionKey; k != nil {
		data["encryptionKey"] = k
	}
	return data
}

func (j *job) artifacts(list []Artifact) []object {
	out := []object{}
	for _, a := range list {
		at, isInput := j.run.state.inputs[a.Name]
		if !isInput {
			at = j.run.state.outputs[a.Name]
		}
		out = append(out, object{
			"name": a.Name, "revision": nil,
			"location": object{"type": "S3", "s3Location": object{"bucketName": at.Bucket, "objectKey": at.Key}},
		})
	}
	return out
}
