package codepipeline_test

import (
	"strings"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline"
)

func TestJobAnswerLimits(t *testing.T) {
	long := func(n int) *string { return ptr(strings.Repeat("é", n)) } // characters count, not bytes
	details := func(d codepipeline.ExecutionDetails) func(*codepipeline.Success) {
		return func(s *codepipeline.Success) { s.Details = &d }
	}
	for _, tt := range []struct {
		name string
		set  func(*codepipeline.Success)
		code string
	}{
		{"upper case ID", func(s *codepipeline.Success) { s.JobID = strings.ToUpper(s.JobID) + "A" }, "ValidationException"},
		{"unknown ID", func(s *codepipeline.Success) { s.JobID = "00000000-0000-4000-8000-000000000000" }, "JobNotFoundException"},
		{"empty token", func(s *codepipeline.Success) { s.Token = ptr("") }, "ValidationException"},
		{"token of 2049", func(s *codepipeline.Success) { s.Token = long(2049) }, "ValidationException"},
		{"token of 2048", func(s *codepipeline.Success) { s.Token = long(2048) }, ""},
		{"empty summary", details(codepipeline.ExecutionDetails{Summary: ptr("")}), "ValidationException"},
		{"summary of 2049", details(codepipeline.ExecutionDetails{Summary: long(2049)}), "ValidationException"},
		{"summary of 2048", details(codepipeline.ExecutionDetails{Summary: long(2048)}), ""},
		{"external ID of 1501", details(codepipeline.ExecutionDetails{ExternalID: long(1501)}), "ValidationException"},
		{"percent 101", details(codepipeline.ExecutionDetails{Percent: ptr(101)}), "ValidationException"},
		{"percent -1", details(codepipeline.ExecutionDetails{Percent: ptr(-1)}), "ValidationException"},
		{"percent 100", details(codepipeline.ExecutionDetails{Percent: ptr(100)}), ""},
		{"revision without change", func(s *codepipeline.Success) { s.CurrentRevision = &codepipeline.Revision{Revision: "r"} }, "ValidationException"},
		{"revision", func(s *codepipeline.Success) {
			s.CurrentRevision = &codepipeline.Revision{Revision: "r", ChangeIdentifier: "c"}
		}, ""},
		{"variables with a token", func(s *codepipeline.Success) { s.Token, s.Variables = ptr("t"), map[string]string{"a": "b"} }, "ValidationException"},
		{"variable's name", func(s *codepipeline.Success) { s.Variables = map[string]string{"a b": "c"} }, "ValidationException"},
		{"variables too large", func(s *codepipeline.Success) {
			s.Variables = map[string]string{"a": strings.Repeat("x", 122_880)}
		}, "OutputVariablesSizeExceededException"},
		{"variables just fit", func(s *codepipeline.Success) {
			s.Variables = map[string]string{"a": strings.Repeat("x", 122_879)}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, codepipeline.Options{}, func(w *world) {
				w.declare(nil)
				w.start()
				if err := w.succeed(tt.set); code(err) != tt.code || tt.code == "" && err != nil {
					t.Errorf("got %v, want %q", err, tt.code)
				}
			})
		})
	}
}

func TestFailureAnswerLimits(t *testing.T) {
	for _, tt := range []struct {
		name    string
		details *codepipeline.FailureDetails
		code    string
	}{
		{"none", nil, "ValidationException"},
		{"unknown type", &codepipeline.FailureDetails{Type: "Oops", Message: "m"}, "ValidationException"},
		{"no message", &codepipeline.FailureDetails{Type: "JobFailed"}, "ValidationException"},
		{"message of 5001", &codepipeline.FailureDetails{Type: "JobFailed", Message: strings.Repeat("m", 5001)}, "ValidationException"},
		{"external ID of 1501", &codepipeline.FailureDetails{Type: "JobFailed", Message: "m", ExternalID: ptr(strings.Repeat("m", 1501))}, "ValidationException"},
		{"message of 5000", &codepipeline.FailureDetails{Type: "SystemUnavailable", Message: strings.Repeat("m", 5000)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, codepipeline.Options{}, func(w *world) {
				w.declare(nil)
				w.start()
				j, _ := w.functions.job()
				err := w.service.PutJobFailureResult(w.root, codepipeline.Refusal{JobID: j.Job.ID, Details: tt.details})
				if code(err) != tt.code || tt.code == "" && err != nil {
					t.Errorf("got %v, want %q", err, tt.code)
				}
			})
		})
	}
}

// TestWhoMayAnswer is the matrix of callers; the function's action has a role of account B, so that the
// visibilities differ.
func TestWhoMayAnswer(t *testing.T) {
	const denied, missing = "AccessDenied", "JobNotFoundException"
	for _, tt := range []struct {
		jobs                       codepipeline.Visibility
		granted, silent, b, narrow string
	}{
		{codepipeline.PipelineAccount, "", denied, missing, denied},
		{codepipeline.ActionAccount, missing, denied, "", denied},
		{codepipeline.BothAccounts, "", denied, "", denied},
	} {
		for _, who := range []string{"granted", "silent", "b", "narrow"} {
			in(t, codepipeline.Options{Jobs: tt.jobs}, func(w *world) {
				invokeRole := w.role(accountB, "invoke", trust(`{"AWS":"arn:aws:iam::111111111111:root"}`), allow("*"))
				w.declare(func(d *codepipeline.Declaration) { d.Stages[2].Actions[1].RoleARN = invokeRole })
				w.start()
				j, _ := w.functions.job()
				caller, want := w.session(accountA, "job", allow("codepipeline:PutJob*", "codepipeline:GetJobDetails")), tt.granted
				switch who {
				case "silent":
					caller, want = w.session(accountA, "other", allow("s3:*")), tt.silent
				case "b":
					caller, want = w.session(accountB, "job", allow("codepipeline:PutJob*")), tt.b
				case "narrow": // the action role may do anything, its artifact credentials may not
					cred, ok := w.directory.Key(j.Job.Data.ArtifactCredentials.AccessKeyID)
					if !ok || cred.Caller.RoleARN != invokeRole || j.Job.Data.ArtifactCredentials.ExpirationTime == 0 {
						t.Fatalf("artifact credentials: %+v", cred.Caller)
					}
					caller, want = cred.Caller, tt.narrow
				}
				err := w.service.PutJobSuccessResult(caller, codepipeline.Success{JobID: j.Job.ID})
				if code(err) != want || want == "" && err != nil {
					t.Errorf("visibility %d, %s: got %v, want %q", tt.jobs, who, err, want)
				}
			})
		}
	}
}

func (w *world) session(account, role, policy string) accounts.Caller {
	w.t.Helper()
	arn := w.role(account, role, trust(`{"AWS":"`+account+`"}`), policy)
	r, err := w.directory.Role(arn)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.directory.Session(r, "test", []iam.Policy(nil), nil, 0).Caller
}

func TestArtifactCredentialsReadTheArtifact(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		w.start()
		j, _ := w.functions.job()
		cred, _ := w.directory.Key(j.Job.Data.ArtifactCredentials.AccessKeyID)
		at := j.Job.Data.InputArtifacts[0].Location.S3Location
		if _, err := w.buckets.GetObject(t.Context(), cred.Caller, at.BucketName, at.ObjectKey); err != nil {
			t.Errorf("read the input artifact: %v", err)
		}
		if _, err := w.buckets.PutObject(t.Context(), cred.Caller, at.BucketName, at.ObjectKey, nil, nil); code(err) != "AccessDenied" {
			t.Errorf("write the input artifact: %v", err)
		}
	})
}

func TestGetJobDetails(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		id := w.start()
		j, _ := w.functions.job()
		d, err := w.service.JobDetails(w.root, j.Job.ID)
		if err != nil {
			t.Fatal(err)
		}
		where := d["data"].(map[string]any)["pipelineContext"].(map[string]any)
		if where["pipelineExecutionId"] != id || where["pipelineName"] != "site" {
			t.Errorf("context: %v", where)
		}
		if _, err := w.service.JobDetails(w.root, "x"); code(err) != "ValidationException" {
			t.Errorf("bad ID: %v", err)
		}
	})
}
