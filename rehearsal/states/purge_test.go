package states_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/wire"
)

// The committed machine, as it should go.
func TestPurge(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		e := w.run(`{"items":["/a","/b*"],"release":"7"}`, time.Minute)
		if e.Status != states.Succeeded || e.Error != "" || e.Stop.IsZero() {
			t.Fatalf("ended %+v", e)
		}
		var out struct {
			Release      string
			Items        []string
			Batch        struct{ Quantity, Looks int }
			Invalidation struct{ ID, Status string }
		}
		if err := json.Unmarshal([]byte(e.Output), &out); err != nil {
			t.Fatal(err)
		}
		if out.Release != "7" || out.Batch.Quantity != 2 || out.Batch.Looks != 2 || out.Invalidation.ID != "I1" || out.Invalidation.Status != "Completed" {
			t.Errorf("output %s", e.Output)
		}
		sum := sha256.Sum256([]byte(e.ARN))
		made, caller := w.cdn.made[0], w.cdn.callers[0]
		if made.Reference != "unstale-1-"+hex.EncodeToString(sum[:]) || !slices.Equal(made.Items, []string{"/a", "/b*"}) {
			t.Errorf("made %+v", made)
		}
		if caller.RoleARN != purgeRole || !strings.HasPrefix(e.ARN, "arn:aws:states:us-east-1:111111111111:execution:purge:") {
			t.Errorf("caller %+v of %s", caller, e.ARN)
		}
		// 6 s, a look, 3 s, a look.
		if took := e.Stop.Sub(e.Start); took != 9*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// What the input may be.
func TestInputs(t *testing.T) {
	for input, want := range map[string]string{
		``:                  "/*",
		`{}`:                "/*",
		`{"items":["/x"]}`:  "/x",
		`{"items":[]}`:      "ItemsWrong",
		`{"items":"/x"}`:    "ItemsWrong",
		`{"items":null}`:    "ItemsWrong",
		`{"items":{"0":1}}`: "ItemsWrong",
		`[1]`:               "States.ResultPathMatchFailure", // there is no place for the items
	} {
		in(t, func(t *testing.T, w *world) {
			e := w.run(input, time.Minute)
			got := e.Error
			if len(w.cdn.made) > 0 {
				got = strings.Join(w.cdn.made[0].Items, " ")
			}
			if got != want {
				t.Errorf("input %s: %s, want %s: %+v", input, got, want, e)
			}
		})
	}
}

func aws(status int, name, text string) error { return wire.Errorf(status, name, "%s", text) }

func repeat(err error, n int) []error { return slices.Repeat([]error{err}, n) }

// What CloudFront may answer, and what becomes of the execution: the errors as Step Functions names
// them, the tries, and who is to do what.
func TestErrors(t *testing.T) {
	throttled, tooMany := aws(400, "Throttling", "Rate exceeded"), aws(400, "TooManyInvalidationsInProgress", "Processing your request will cause you to exceed the maximum number of in-progress invalidations.")
	tests := []struct {
		name         string
		create, look []error
		status, err  string // how it ends
		cause        string // a part of it
		retries      []time.Duration
	}{
		{name: "throttled twice", create: repeat(throttled, 2), status: states.Succeeded, retries: secs(1, 2)},
		{name: "unavailable", create: repeat(aws(503, "ServiceUnavailable", "try again"), 1), status: states.Succeeded, retries: secs(1)},
		{name: "no answer", create: []error{states.ErrNoAnswer}, status: states.Succeeded, retries: secs(1)},
		{
			name: "throttled for long", create: repeat(throttled, 9), status: states.Failed, err: "Unexpected",
			cause: "CloudFront.CloudFrontException: Rate exceeded (Service: CloudFront, Status Code: 400, Request ID:", retries: secs(1, 2, 4, 8, 16, 20, 20, 20),
		},
		{name: "busy three times", create: repeat(tooMany, 3), status: states.Succeeded, retries: []time.Duration{15 * time.Second, 22500 * time.Millisecond, 33750 * time.Millisecond}},
		{name: "busy for long", create: repeat(tooMany, 16), status: states.Failed, err: "TooMany", cause: "maximum number of in-progress invalidations"},
		{
			// Each retrier counts its own: two busy answers do not use up what throttling may.
			name: "busy and throttled", create: []error{tooMany, throttled, tooMany, throttled}, status: states.Succeeded,
			retries: []time.Duration{15 * time.Second, time.Second, 22500 * time.Millisecond, 2 * time.Second},
		},
		{name: "bad item", create: repeat(aws(400, "InvalidArgument", "bad path"), 1), status: states.Failed, err: "BatchRefused", cause: "refuses the items or their reference: bad path"},
		{name: "too large", create: repeat(aws(413, "BatchTooLarge", "large"), 1), status: states.Failed, err: "BatchRefused", cause: "Status Code: 413"},
		{name: "no distribution", create: repeat(aws(404, "NoSuchDistribution", "none"), 1), status: states.Failed, err: "NoDistribution", cause: "has no distribution E1SITE: none"},
		{name: "denied", create: repeat(wire.Denied("no"), 1), status: states.Failed, err: "Denied", cause: "Let the policy of this role"},
		{name: "unknown to the model", create: repeat(aws(409, "InvalidationBatchAlreadyExists", "used"), 9), status: states.Failed, err: "Unexpected", cause: "CloudFront.CloudFrontException: used"},
		{name: "not emulated", create: repeat(wire.NotEmulated("tenants"), 1), status: states.Failed, err: "States.Runtime", cause: "does not emulate tenants"},
		{name: "a look is throttled", look: repeat(throttled, 2), status: states.Succeeded},
		{name: "a look is denied", look: repeat(wire.Denied("no"), 1), status: states.Failed, err: "Denied"},
		{name: "it is gone", look: repeat(aws(404, "NoSuchInvalidation", "gone"), 1), status: states.Failed, err: "Unexpected", cause: "CloudFront.NoSuchInvalidationException: gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.cdn.create, w.cdn.look = tt.create, tt.look
				e := w.run("", time.Hour)
				if e.Status != tt.status || e.Error != tt.err || !strings.Contains(e.Cause, tt.cause) {
					t.Errorf("ended %s %s: %s", e.Status, e.Error, e.Cause)
				}
				if got := w.retries("Create"); tt.retries != nil && !slices.Equal(got, tt.retries) {
					t.Errorf("waited %v before the next tries, want %v", got, tt.retries)
				}
				if len(w.cdn.made) > 1 {
					t.Errorf("made %d invalidations", len(w.cdn.made))
				}
			})
		})
	}
}

func secs(list ...int) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, time.Duration(s)*time.Second)
	}
	return out
}

// An answer that is lost, and the reference refused when the task tries again: a second reference purges
// again, and there is no third. Where CloudFront answers as it documents, the first is enough.
func TestAUsedReference(t *testing.T) {
	reused := aws(400, "InvalidArgument", "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution.")
	exists := aws(409, "InvalidationBatchAlreadyExists", "The invalidation batch already exists.")
	for name, tt := range map[string]struct {
		create []error
		made   int
		err    string
	}{
		"as documented":               {nil, 1, ""},
		"InvalidArgument":             {[]error{states.ErrNoAnswer, reused}, 1, ""},
		"unknown to the model":        {append([]error{states.ErrNoAnswer}, repeat(exists, 8)...), 1, ""},
		"the second too":              {[]error{states.ErrNoAnswer, reused, reused}, 0, "BatchRefused"},
		"the second is throttled":     {append([]error{reused}, repeat(aws(400, "Throttling", "Rate exceeded"), 3)...), 1, ""},
		"the second has wrong items":  {[]error{reused, aws(400, "InvalidArgument", "bad path")}, 0, "BatchRefused"},
		"the second finds no such":    {[]error{reused, aws(404, "NoSuchDistribution", "none")}, 0, "NoDistribution"},
		"unknown, about nothing used": {repeat(aws(500, "InternalError", "broken"), 9), 0, "Unexpected"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.cdn.create = tt.create
				e := w.run("", time.Hour)
				if e.Error != tt.err || len(w.cdn.made) != tt.made {
					t.Fatalf("ended %s %s: %s, with %d invalidations", e.Status, e.Error, e.Cause, len(w.cdn.made))
				}
				sum := sha256.Sum256([]byte(e.ARN))
				want := "unstale-1-" + hex.EncodeToString(sum[:])
				if len(tt.create) > 0 {
					want += "-2"
				}
				if tt.made == 1 && w.cdn.made[0].Reference != want {
					t.Errorf("the reference is %s, want %s", w.cdn.made[0].Reference, want)
				}
			})
		})
	}
}

// An invalidation that does not complete is left after 200 looks, and the cause says which.
func TestTooSlow(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.cdn.completes = 24 * time.Hour
		e := w.run("", time.Hour)
		if e.Status != states.Failed || e.Error != "TooSlow" || !strings.Contains(e.Cause, "Invalidation I1 of distribution E1SITE is not completed after 200 looks") || w.cdn.looks != 200 {
			t.Errorf("ended %s %s: %s, after %d looks", e.Status, e.Error, e.Cause, w.cdn.looks)
		}
	})
}

// A call that hangs is given up after its time, and tried again.
func TestTaskTimesOut(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.cdn.hang = true
		e := w.run("", time.Hour)
		if e.Status != states.Succeeded || !slices.Equal(w.retries("Create"), secs(1)) || e.Stop.Sub(e.Start) < time.Minute {
			t.Errorf("ended %s %s: %s after %v", e.Status, e.Error, e.Cause, e.Stop.Sub(e.Start))
		}
	})
}

func TestExecutionTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(strings.Replace(committed(t, purgeRole), `"TimeoutSeconds": 5400`, `"TimeoutSeconds": 20`, 1))
		w.cdn.completes = time.Hour
		if e := w.run("", time.Hour); e.Status != states.TimedOut || e.Stop.Sub(e.Start) != 20*time.Second {
			t.Errorf("ended %+v", e)
		}
	})
}

func TestStop(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.cdn.completes = time.Hour
		e := w.run("", 10*time.Second)
		if e.Status != states.Running {
			t.Fatalf("is %s", e.Status)
		}
		stopped, err := w.service.Stop(w.root, e.ARN, "Enough", "because")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		looks := w.cdn.looks
		time.Sleep(time.Minute)
		again, err := w.service.Stop(w.root, e.ARN, "More", "")
		e, _ = w.service.Describe(w.root, e.ARN)
		if e.Status != states.Aborted || e.Error != "Enough" || e.Cause != "because" || !e.Stop.Equal(stopped) || !again.Equal(stopped) || err != nil || w.cdn.looks != looks {
			t.Errorf("%+v, %v, looked %d times after it was stopped", e, err, w.cdn.looks-looks)
		}
	})
}

// Every hop of the credentials is decided: by the machine's role, by the purge role's trust, by the external
// ID that Step Functions sends.
func TestCredentials(t *testing.T) {
	tests := []struct {
		name   string
		change func(*world) error
	}{
		{"the machine's role may not assume", func(w *world) error {
			return w.directory.UpdateRole(machineRole, func(r *accounts.Role) error { r.Inline = nil; return nil })
		}},
		{"the other account does not trust it", func(w *world) error {
			return w.retrust(`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/other"}`)
		}},
		{"the external ID is another", func(w *world) error { return w.retrust(`"StringEquals":{"sts:ExternalId":"another"}`) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				if err := tt.change(w); err != nil {
					t.Fatal(err)
				}
				e := w.run("", time.Minute)
				const cause = "The role arn:aws:iam::111111111111:role/machine is not authorized to assume the task state's role, arn:aws:iam::222222222222:role/purge."
				if e.Status != states.Failed || e.Error != "Unexpected" || !strings.HasPrefix(e.Cause, "States.TaskFailed: "+cause) {
					t.Errorf("ended %s %s: %s", e.Status, e.Error, e.Cause)
				}
			})
		})
	}
	in(t, func(t *testing.T, w *world) { // the machine's own role, after the machine was made
		if err := w.directory.DeleteRole(machineRole); err != nil {
			t.Fatal(err)
		}
		if e := w.run("", time.Minute); e.Error != "Unexpected" || !strings.Contains(e.Cause, "Neither the global service principal") {
			t.Errorf("ended %s %s: %s", e.Status, e.Error, e.Cause)
		}
	})
}

func (w *world) retrust(condition string) error {
	doc := w.parse(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"` + accountA + `"},"Condition":{` + condition + `}}`)
	return w.directory.UpdateRole(purgeRole, func(r *accounts.Role) error { r.Trust = doc; return nil })
}

// Names make starting idempotent while the execution runs, and refuse otherwise.
func TestNames(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		start := func(name, input string) (states.Execution, error) {
			return w.service.Start(context.Background(), w.root, machineARN, name, input)
		}
		first, err := start("one", `{"items":["/a"]}`)
		if err != nil {
			t.Fatal(err)
		}
		again, err := start("one", `{"items":["/a"]}`)
		if err != nil || again.ARN != first.ARN || !again.Start.Equal(first.Start) {
			t.Errorf("the same again: %+v, %v", again, err)
		}
		if _, err := start("one", `{"items":["/b"]}`); code(err) != "ExecutionAlreadyExists" {
			t.Errorf("another input: %v", err)
		}
		w.wait(first, time.Minute)
		if _, err := start("one", `{"items":["/a"]}`); code(err) != "ExecutionAlreadyExists" || len(w.cdn.made) != 1 {
			t.Errorf("after the end: %v, %d invalidations", err, len(w.cdn.made))
		}
		for name, want := range map[string]string{
			"a b": "InvalidName", "a*": "InvalidName", "a/b": "InvalidName", strings.Repeat("x", 81): "InvalidName", strings.Repeat("x", 80): "", "a.b-c_D": "",
		} {
			if _, err := start(name, ""); code(err) != want {
				t.Errorf("name %q: %v", name, err)
			}
		}
		for _, input := range []string{"{", "{} {}", `{"a":"` + strings.Repeat("x", 256<<10) + `"}`} {
			if _, err := start("", input); code(err) != "InvalidExecutionInput" {
				t.Errorf("input %.20q: %v", input, err)
			}
		}
	})
}

// Whoever asks is decided about, each question by its own action.
func TestAuthorization(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		e := w.run("", time.Minute)
		nobody, err := w.directory.AddUser(accountA, "nobody", w.parse(allow("s3:*", "*")))
		if err != nil {
			t.Fatal(err)
		}
		foreign, _ := w.directory.Root(accountB)
		ctx := context.Background()
		for _, c := range []accounts.Caller{nobody.Caller, foreign.Caller} {
			_, start := w.service.Start(ctx, c, machineARN, "x", "")
			_, describe := w.service.Describe(c, e.ARN)
			_, list := w.service.List(c, machineARN, "")
			_, stop := w.service.Stop(c, e.ARN, "", "")
			_, update := w.service.Update(ctx, c, machineARN, states.Machine{Role: machineRole})
			for name, err := range map[string]error{"start": start, "describe": describe, "list": list, "stop": stop, "update": update, "delete": w.service.Delete(c, machineARN)} {
				if code(err) != "AccessDenied" {
					t.Errorf("%s by %s: %v", name, c.Name(), err)
				}
			}
		}
		missing := strings.Replace(machineARN, ":purge", ":none", 1)
		_, start := w.service.Start(ctx, w.root, missing, "", "")
		_, list := w.service.List(w.root, missing, "")
		_, describe := w.service.Describe(w.root, e.ARN+"x")
		_, alias := w.service.Start(ctx, w.root, machineARN+":live", "", "")
		_, arn := w.service.Describe(w.root, machineARN)
		got := []string{code(start), code(list), code(describe), code(alias), code(arn)}
		if want := []string{"StateMachineDoesNotExist", "StateMachineDoesNotExist", "ExecutionDoesNotExist", "NotEmulated", "InvalidArn"}; !slices.Equal(got, want) {
			t.Errorf("of what is not there: %v, want %v", got, want)
		}
	})
}

// Closing leaves an execution where it is: nothing ends it, nothing waits for it.
func TestClose(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.cdn.completes = time.Hour
		e := w.run("", 10*time.Second)
		if err := errors.Join(w.service.Close(), w.service.Close()); err != nil {
			t.Fatal(err)
		}
		if e, _ = w.service.Describe(w.root, e.ARN); e.Status != states.Running {
			t.Errorf("it is %s", e.Status)
		}
		late, err := w.service.Start(context.Background(), w.root, machineARN, "", "")
		if err != nil || w.wait(late, 10*time.Second).Status != states.Running || len(w.cdn.made) != 1 {
			t.Errorf("started after the end: %v, %d invalidations", err, len(w.cdn.made))
		}
	})
}
