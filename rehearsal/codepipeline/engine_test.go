package codepipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

func code(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// in runs a test in a bubble of its own time.
func in(t *testing.T, o codepipeline.Options, test func(*world)) {
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, o)) })
}

func (w *world) succeed(change func(*codepipeline.Success)) error {
	j, _ := w.functions.job()
	answer := codepipeline.Success{JobID: j.Job.ID}
	if change != nil {
		change(&answer)
	}
	err := w.service.PutJobSuccessResult(w.root, answer)
	synctest.Wait()
	return err
}

func ptr[T any](v T) *T { return &v }

func TestRelease(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		var told []string
		w.journal.OnEvent(func(e journal.Event) {
			if a, ok := e.Data.(codepipeline.ActionStateChange); ok && a.Action.Status != "InProgress" {
				told = append(told, a.Stage+"/"+a.Action.Name+" "+a.Action.Status)
			}
		})
		w.declare(nil)
		id := w.start()
		w.want(id, codepipeline.InProgress)
		j, n := w.functions.job()
		if n != 1 || j.Job.AccountID != accountA || j.Job.Data.ContinuationToken != nil || strings.Contains(w.functions.raw[0], "continuationToken") {
			t.Fatalf("job event: %+v", j)
		}
		want := `{"release":"` + id + `","commit":"0000000000000000000000000000000000000001"}`
		if got := j.Job.Data.ActionConfiguration.Configuration["UserParameters"]; got != want {
			t.Errorf("UserParameters = %s, want %s", got, want)
		}
		at := j.Job.Data.InputArtifacts[0].Location.S3Location
		if at.BucketName != "artifacts" || !strings.HasPrefix(at.ObjectKey, "site/Site/") || !strings.Contains(w.functions.raw[0], `"revision":null`) {
			t.Errorf("input artifact: %+v", at)
		}
		if err := w.succeed(func(s *codepipeline.Success) {
			s.Variables = map[string]string{"InvalidationIds": "I1"}
			s.Details = &codepipeline.ExecutionDetails{Summary: ptr("seen"), ExternalID: ptr("I1")}
		}); err != nil {
			t.Fatal(err)
		}
		w.want(id, codepipeline.Succeeded)
		if a := w.action(id, "Purge"); a.Summary != "seen" || a.ExternalExecutionID != "I1" {
			t.Errorf("purge: %+v", a)
		}
		if got := strings.Join(told, ", "); got != "Source/Commit Succeeded, Build/Build Succeeded, Deliver/Deploy Succeeded, Deliver/Purge Succeeded" {
			t.Errorf("told %s", got)
		}
		w.deployed()
	})
}

func (w *world) deployed() {
	w.t.Helper()
	for key, kind := range map[string]string{"index.html": "text/html", "assets/app.js": "application/javascript", "x.bin": "application/octet-stream"} {
		o, err := w.buckets.GetObject(context.Background(), w.rootOf(accountB), "site-bucket", key)
		if err != nil || o.Header.Get("Content-Type") != kind || o.Header.Get("Cache-Control") != "max-age=0" {
			w.t.Errorf("%s: %v %v", key, err, o.Header)
		}
	}
	var put bool
	for _, c := range w.journal.Calls() {
		if c.Action == "s3:PutObject" && c.Resource == "arn:aws:s3:::site-bucket/index.html" {
			put = strings.HasPrefix(c.Principal, "arn:aws:sts::222222222222:assumed-role/deploy/") && c.Decision == "allow"
		}
	}
	if !put {
		w.t.Error("the site was not put by the deploy role's session")
	}
}

func TestSilence(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		id := w.start()
		pass(19*time.Minute + 59*time.Second)
		w.want(id, codepipeline.InProgress)
		pass(2 * time.Second)
		w.want(id, codepipeline.Failed)
		a := w.action(id, "Purge")
		if a.ErrorCode != "JobFailed" || !strings.HasPrefix(a.Message, "The AWS Lambda function job failed to return a result. Check the function") {
			t.Errorf("purge: %+v", a)
		}
		if err := w.succeed(nil); code(err) != "InvalidJobStateException" {
			t.Errorf("a late answer: %v", err)
		}
	})
}

func TestContinuation(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		id := w.start()
		first, _ := w.functions.job()
		for i := range 3 { // an hour in all: each token restarts the 20 minutes
			pass(19 * time.Minute)
			if err := w.succeed(func(s *codepipeline.Success) { s.Token = ptr("token") }); err != nil {
				t.Fatal(err)
			}
			if _, n := w.functions.job(); n != i+1 {
				t.Fatalf("%d jobs before the interval", n)
			}
			if err := w.succeed(nil); code(err) != "InvalidJobStateException" {
				t.Errorf("an answer between jobs: %v", err)
			}
			pass(30 * time.Second)
		}
		j, n := w.functions.job()
		if n != 4 || j.Job.ID == first.Job.ID || j.Job.Data.ContinuationToken == nil || *j.Job.Data.ContinuationToken != "token" {
			t.Fatalf("job %d: %+v", n, j)
		}
		w.want(id, codepipeline.InProgress)
		pass(19*time.Minute + 31*time.Second) // the interval counts as silence
		w.want(id, codepipeline.Failed)
	})
}

func TestOverallLimit(t *testing.T) {
	in(t, codepipeline.Options{ContinuationInterval: time.Second}, func(w *world) {
		w.declare(nil)
		id := w.start()
		for range 75 { // 18.75 minutes each, 23.4 hours
			pass(18*time.Minute + 44*time.Second)
			if err := w.succeed(func(s *codepipeline.Success) { s.Token = ptr("t") }); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
		}
		pass(18 * time.Minute)
		_ = w.succeed(func(s *codepipeline.Success) { s.Token = ptr("t") })
		pass(15 * time.Minute)
		w.want(id, codepipeline.InProgress)
		pass(3 * time.Minute)
		w.want(id, codepipeline.Failed)
	})
}

func TestFailureAnswer(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		id := w.start()
		j, _ := w.functions.job()
		refuse := codepipeline.Refusal{JobID: j.Job.ID, Details: &codepipeline.FailureDetails{Type: "PermissionError", Message: "denied: grant it"}}
		if err := w.service.PutJobFailureResult(w.root, refuse); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.want(id, codepipeline.Failed)
		if a := w.action(id, "Purge"); a.ErrorCode != "PermissionError" || a.Message != "denied: grant it" {
			t.Errorf("purge: %+v", a)
		}
		if err := w.service.PutJobFailureResult(w.root, refuse); code(err) != "InvalidJobStateException" {
			t.Errorf("a second answer: %v", err)
		}
		said := codepipeline.JobAnswer{Execution: id, Job: j.Job.ID, Kind: codepipeline.AnswerFailure, Accepted: true, Text: "denied: grant it"}
		again := said
		again.Accepted = false
		if got := w.service.Answers(id); !slices.Equal(got, []codepipeline.JobAnswer{said, again}) {
			t.Errorf("remembers %+v", got)
		}
	})
}

func TestSuperseding(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		w.builds.hold = make(chan struct{})
		first, second, third := w.start(), w.start(), w.start()
		w.want(first, codepipeline.InProgress)
		w.want(second, codepipeline.Superseded)
		w.want(third, codepipeline.InProgress)
		close(w.builds.hold)
		synctest.Wait()
		if len(w.builds.inputs) != 2 {
			t.Errorf("%d builds, want 2", len(w.builds.inputs))
		}
		for _, id := range []string{first, third} {
			if err := w.succeed(nil); err != nil {
				t.Fatal(err)
			}
			w.want(id, codepipeline.Succeeded)
		}
	})
}

func TestRetry(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		id := w.start()
		retry := func(stage, mode string) error {
			err := w.service.RetryStage(w.root, region, "site", stage, id, mode)
			synctest.Wait()
			return err
		}
		if err := retry("Deliver", "FAILED_ACTIONS"); code(err) != "StageNotRetryableException" {
			t.Errorf("retry while it runs: %v", err)
		}
		pass(20 * time.Minute)
		w.want(id, codepipeline.Failed)
		deploy := w.action(id, "Deploy")
		if err := retry("Nowhere", "FAILED_ACTIONS"); code(err) != "StageNotFoundException" {
			t.Errorf("unknown stage: %v", err)
		}
		if err := retry("Deliver", "SOME"); code(err) != "ValidationException" {
			t.Errorf("unknown mode: %v", err)
		}
		if err := retry("Deliver", "FAILED_ACTIONS"); err != nil {
			t.Fatal(err)
		}
		if again := w.action(id, "Deploy"); again.ExecutionID != deploy.ExecutionID {
			t.Error("FAILED_ACTIONS ran the succeeded action again")
		}
		if _, n := w.functions.job(); n != 2 {
			t.Fatalf("%d jobs, want 2", n)
		}
		pass(20 * time.Minute)
		if err := retry("Deliver", "ALL_ACTIONS"); err != nil {
			t.Fatal(err)
		}
		if again := w.action(id, "Deploy"); again.ExecutionID == deploy.ExecutionID {
			t.Error("ALL_ACTIONS did not run the succeeded action again")
		}
		if err := w.succeed(nil); err != nil {
			t.Fatal(err)
		}
		w.want(id, codepipeline.Succeeded)
	})
}

func TestRetryOfAnOvertakenExecution(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		old := w.start()
		pass(20 * time.Minute)
		w.want(old, codepipeline.Failed)
		w.start()
		if err := w.service.RetryStage(w.root, region, "site", "Deliver", old, "ALL_ACTIONS"); code(err) != "NotLatestPipelineExecutionException" {
			t.Errorf("retry: %v", err)
		}
	})
}

func TestStop(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		w.builds.hold = make(chan struct{})
		building, waiting := w.start(), w.start()
		stop := func(id string, abandon bool) error {
			err := w.service.StopExecution(w.root, region, "site", id, "because", abandon)
			synctest.Wait()
			return err
		}
		if err := stop(waiting, false); err != nil {
			t.Fatal(err)
		}
		w.want(waiting, codepipeline.Stopped)
		if err := stop(building, false); err != nil {
			t.Fatal(err)
		}
		w.want(building, codepipeline.Stopping)
		if err := stop(building, false); code(err) != "DuplicatedStopRequestException" {
			t.Errorf("stop twice: %v", err)
		}
		if err := stop(building, true); err != nil {
			t.Fatal(err)
		}
		w.want(building, codepipeline.Stopped)
		if a := w.action(building, "Build"); a.Status != codepipeline.Abandoned {
			t.Errorf("build: %+v", a)
		}
		if err := stop(building, true); code(err) != "PipelineExecutionNotStoppableException" {
			t.Errorf("stop what has ended: %v", err)
		}
	})
}

func TestStopAfterTheActionsUnderWay(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		w.builds.hold = make(chan struct{})
		id := w.start()
		if err := w.service.StopExecution(w.root, region, "site", id, "", false); err != nil {
			t.Fatal(err)
		}
		close(w.builds.hold)
		synctest.Wait()
		w.want(id, codepipeline.Stopped)
		if a := w.action(id, "Build"); a.Status != codepipeline.Succeeded {
			t.Errorf("build: %+v", a)
		}
		if a := w.action(id, "Deploy"); a.Status != "" {
			t.Errorf("deploy: %+v", a)
		}
	})
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*world)
		action  string
		code    string
		text    string
	}{
		{"no branch", func(w *world) { w.source.err = wire.Errorf(400, "BranchDoesNotExistException", "no main") }, "Commit", "JobFailed", "no main"},
		{"build", func(w *world) { w.builds.status = "FAILED" }, "Build", "JobFailed", "Build terminated with state: FAILED. Phase: BUILD. npm failed"},
		{"invoke denied", func(w *world) { w.functions.err = wire.Denied("no grant") }, "Purge", "PermissionError", "no grant"},
		{"no deploy role any more", func(w *world) {
			if err := w.directory.DeleteRole(deployRole); err != nil {
				w.t.Fatal(err)
			}
		}, "Deploy", "PermissionError", "is not authorized to perform AssumeRole on role " + deployRole},
		{"no pipeline role any more", func(w *world) {
			if err := w.directory.DeleteRole(pipelineRole); err != nil {
				w.t.Fatal(err)
			}
		}, "Commit", "PermissionError", "AssumeRole on role " + pipelineRole},
		{"artifact not shared", func(w *world) {
			if err := w.buckets.DeleteBucketPolicy(context.Background(), w.root, "artifacts"); err != nil {
				w.t.Fatal(err)
			}
		}, "Deploy", "PermissionError", "s3:GetObject"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, codepipeline.Options{}, func(w *world) {
				w.declare(nil)
				tt.prepare(w)
				id := w.start()
				w.want(id, codepipeline.Failed)
				if a := w.action(id, tt.action); a.Status != codepipeline.Failed || a.ErrorCode != tt.code || !strings.Contains(a.Message, tt.text) {
					t.Errorf("%s: %+v", tt.action, a)
				}
			})
		})
	}
}

func TestUnresolvedVariable(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(func(d *codepipeline.Declaration) {
			d.Stages[2].Actions[1].Configuration["UserParameters"] = "#{src.Nothing}"
		})
		id := w.start()
		if a := w.action(id, "Purge"); a.ErrorCode != "ConfigurationError" || !strings.Contains(a.Message, "#{src.Nothing}") {
			t.Errorf("purge: %+v", a)
		}
	})
}

func TestParallelActions(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(func(d *codepipeline.Declaration) {
			purge := d.Stages[2].Actions[1]
			purge.Name, purge.Namespace = "Purge2", ""
			d.Stages[2].Actions = append(d.Stages[2].Actions, purge)
		})
		id := w.start()
		if _, n := w.functions.job(); n != 2 {
			t.Fatalf("%d jobs, want both at once", n)
		}
		for _, e := range w.functions.events {
			if err := w.service.PutJobSuccessResult(w.root, codepipeline.Success{JobID: e.Job.ID}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		w.want(id, codepipeline.Succeeded)
	})
}

func TestStartTokenIsUsedOnce(t *testing.T) {
	in(t, codepipeline.Options{}, func(w *world) {
		w.declare(nil)
		one, err := w.service.Start(context.Background(), w.root, region, "site", "k")
		two, err2 := w.service.Start(context.Background(), w.root, region, "site", "k")
		if err != nil || err2 != nil || one != two {
			t.Errorf("%s %v, %s %v", one, err, two, err2)
		}
		if _, err := w.service.Start(context.Background(), w.root, region, "other", ""); code(err) != "PipelineNotFoundException" {
			t.Errorf("unknown pipeline: %v", err)
		}
		if _, err := w.service.Start(context.Background(), w.rootOf(accountB), region, "site", ""); code(err) != "PipelineNotFoundException" {
			t.Errorf("a pipeline of another account: %v", err)
		}
	})
}
