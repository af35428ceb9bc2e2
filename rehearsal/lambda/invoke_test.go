package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

func TestInvoke(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.Timeout = ptrTo(1) })
	client := w.client(w.root[accountB])
	tests := map[string]struct {
		payload   string
		fails     bool
		errorType string // of the body
		message   string // part of errorMessage, or of the text
		lasting   string // part of the log's tail
	}{
		"answer":      {payload: `{"text":"hello"}`, message: "hello"},
		"no payload":  {payload: ``},
		"error":       {payload: `{"do":"error","text":"went wrong"}`, fails: true, errorType: "errorString", message: "went wrong"},
		"panic":       {payload: `{"do":"panic","text":"oh no"}`, fails: true, errorType: "string", message: "oh no"},
		"exit":        {payload: `{"do":"exit"}`, fails: true, errorType: "Runtime.ExitError", message: "Runtime exited with error: exit status 3", lasting: "Runtime.ExitError"},
		"timeout":     {payload: `{"do":"hang"}`, fails: true, errorType: "Sandbox.Timedout", message: "Error: Task timed out after 1.00 seconds", lasting: "hanging\n"},
		"too big":     {payload: `{"do":"big"}`, fails: true, errorType: "Function.ResponseSizeTooLarge", message: "exceeded maximum allowed payload size"},
		"output":      {payload: `{"do":"print","text":"a line"}`, lasting: "a line\nand on stderr\nEND RequestId: "},
		"after error": {payload: `{"text":"still there"}`, message: "still there"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := client.Invoke(t.Context(), &api.InvokeInput{
				FunctionName: aws.String("worker"), Payload: []byte(test.payload), LogType: types.LogTypeTail,
			})
			if err != nil {
				t.Fatal(err)
			}
			body := decode[struct{ Text, ErrorType, ErrorMessage string }](t, out.Payload)
			if got := aws.ToString(out.FunctionError) != ""; got != test.fails {
				t.Errorf("function error %q, body %s", aws.ToString(out.FunctionError), out.Payload)
			}
			if body.ErrorType != test.errorType || !strings.Contains(body.Text+body.ErrorMessage, test.message) {
				t.Errorf("body %s", out.Payload)
			}
			tail, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(tail), test.lasting) || !strings.Contains(string(tail), "REPORT RequestId: ") {
				t.Errorf("log tail %q", tail)
			}
			if out.StatusCode != 200 || aws.ToString(out.ExecutedVersion) != "$LATEST" {
				t.Errorf("status %d, version %s", out.StatusCode, aws.ToString(out.ExecutedVersion))
			}
		})
	}
}

func TestInvokeRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	client := w.client(w.root[accountB])
	tests := map[string]struct {
		in   api.InvokeInput
		code string
	}{
		"unknown function":  {api.InvokeInput{FunctionName: aws.String("nobody")}, "ResourceNotFoundException"},
		"unknown version":   {api.InvokeInput{FunctionName: aws.String("worker"), Qualifier: aws.String("7")}, "ResourceNotFoundException"},
		"unknown alias":     {api.InvokeInput{FunctionName: aws.String("worker:live")}, "ResourceNotFoundException"},
		"two qualifiers":    {api.InvokeInput{FunctionName: aws.String("worker:live"), Qualifier: aws.String("7")}, "InvalidParameterValueException"},
		"other region":      {api.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-west-1:222222222222:function:worker")}, "ResourceNotFoundException"},
		"not JSON":          {api.InvokeInput{FunctionName: aws.String("worker"), Payload: []byte("hello")}, "InvalidRequestContentException"},
		"too big":           {api.InvokeInput{FunctionName: aws.String("worker"), Payload: quoted(maxSync)}, "RequestTooLargeException"},
		"event too big":     {api.InvokeInput{FunctionName: aws.String("worker"), Payload: quoted(maxAsync), InvocationType: types.InvocationTypeEvent}, "RequestTooLargeException"},
		"no such type":      {api.InvokeInput{FunctionName: aws.String("worker"), InvocationType: "Maybe"}, "ValidationException"},
		"no such log type":  {api.InvokeInput{FunctionName: aws.String("worker"), LogType: "Head"}, "ValidationException"},
		"context not JSON":  {api.InvokeInput{FunctionName: aws.String("worker"), ClientContext: aws.String("aGVsbG8=")}, "InvalidRequestContentException"},
		"name of an object": {api.InvokeInput{FunctionName: aws.String("a b")}, "ValidationException"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := client.Invoke(t.Context(), &test.in)
			wantAPIError(t, err, test.code)
		})
	}
}

// quoted is a JSON string of a little more than n bytes.
func quoted(n int) []byte { return []byte(`"` + strings.Repeat("x", n) + `"`) }

func wantAPIError(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
}

func TestInvokeWays(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.Publish = true })
	c := w.root[accountB].Caller
	if _, err := w.lambda.CreateAlias(c, region, "worker", AliasInput{Name: "live", FunctionVersion: ptrTo("1")}); err != nil {
		t.Fatal(err)
	}
	client := w.client(w.root[accountB])
	arn := "arn:aws:lambda:us-east-1:222222222222:function:worker"
	tests := []struct{ function, qualifier, seen, version string }{
		{"worker", "", arn, "$LATEST"},
		{"worker", "$LATEST", arn + ":$LATEST", "$LATEST"},
		{"worker:live", "", arn + ":live", "1"},
		{"worker", "live", arn + ":live", "1"},
		{"worker", "1", arn + ":1", "1"},
		{"222222222222:function:worker", "live", arn + ":live", "1"},
		{arn + ":live", "", arn + ":live", "1"},
		{arn, "1", arn + ":1", "1"},
	}
	for _, test := range tests {
		t.Run(test.function+" "+test.qualifier, func(t *testing.T) {
			in := &api.InvokeInput{FunctionName: &test.function, Payload: []byte(`{"do":"about"}`)}
			if test.qualifier != "" {
				in.Qualifier = &test.qualifier
			}
			out, err := client.Invoke(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if got := decode[reply](t, out.Payload); got.ARN != test.seen || aws.ToString(out.ExecutedVersion) != test.version {
				t.Errorf("function saw %s, version %s", got.ARN, aws.ToString(out.ExecutedVersion))
			}
			in.InvocationType = types.InvocationTypeDryRun
			dry, err := client.Invoke(t.Context(), in)
			if err != nil || dry.StatusCode != 204 {
				t.Errorf("dry run: %v, %v", dry, err)
			}
		})
	}
}

func TestEnvironmentIsAWSs(t *testing.T) {
	t.Setenv("SECRET_OF_THIS_MACHINE", "x")
	w := newWorld(t, Options{Environment: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "OVER": "rehearsal"}})
	w.function(accountB, "worker", func(in *CreateInput) {
		in.Environment = &Environment{Variables: map[string]string{"DISTRIBUTION_ID": "E1", "OVER": "function"}}
		in.Timeout = ptrTo(20)
	})
	got := w.call(accountB, "worker", `{"do":"about"}`)
	want := map[string]string{
		"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_LAMBDA_FUNCTION_NAME": "worker",
		"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/worker", "_HANDLER": "bootstrap", "TZ": ":UTC",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "DISTRIBUTION_ID": "E1", "OVER": "function", "LAMBDA_TASK_ROOT": got.Dir,
	}
	for k, v := range want {
		if got.Env[k] != v {
			t.Errorf("%s is %q, want %q", k, got.Env[k], v)
		}
	}
	for _, k := range []string{"SECRET_OF_THIS_MACHINE", "HOME", "AWS_EXECUTION_ENV"} {
		if v, ok := got.Env[k]; ok {
			t.Errorf("%s is set to %q", k, v)
		}
	}
	cred, ok := w.dir.Key(got.Env["AWS_ACCESS_KEY_ID"])
	if !ok || cred.SecretAccessKey != got.Env["AWS_SECRET_ACCESS_KEY"] || cred.SessionToken != got.Env["AWS_SESSION_TOKEN"] {
		t.Fatal("the credentials are not a session's")
	}
	if cred.Caller.ARN != "arn:aws:sts::222222222222:assumed-role/worker/worker" {
		t.Errorf("session %s", cred.Caller.ARN)
	}
	if !strings.HasPrefix(got.Env["TMPDIR"], w.lambda.dir) || !strings.HasPrefix(got.Dir, w.lambda.dir) {
		t.Errorf("TMPDIR %s and directory %s are not in %s", got.Env["TMPDIR"], got.Dir, w.lambda.dir)
	}
	if left := time.Until(time.UnixMilli(got.Deadline)); left < 15*time.Second || left > 20*time.Second {
		t.Errorf("the deadline is %v away, want a little under 20 s", left)
	}
}

func TestProcessesAreUsedAgain(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	c := w.root[accountB].Caller
	first := w.call(accountB, "worker", `{}`)
	if again := w.call(accountB, "worker", `{}`); again.PID != first.PID {
		t.Errorf("a warm process was not used again")
	}
	_, err := w.lambda.UpdateConfiguration(t.Context(), c, region, "worker", UpdateConfigurationInput{Settings: Settings{Timeout: ptrTo(9)}})
	if err != nil {
		t.Fatal(err)
	}
	second := w.call(accountB, "worker", `{}`)
	if second.PID == first.PID {
		t.Error("the process outlived its configuration")
	}
	_, err = w.lambda.UpdateCode(t.Context(), c, region, "worker", UpdateCodeInput{Package: Package{
		ZipFile: zipped(t, map[string][]byte{"bootstrap": bootstrap, "other": nil}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if third := w.call(accountB, "worker", `{}`); third.PID == second.PID {
		t.Error("the process outlived its code")
	}
}

func TestThrottled(t *testing.T) {
	w := newWorld(t, Options{Processes: 1})
	w.function(accountB, "worker")
	w.function(accountA, "other")
	w.call(accountA, "other", `{}`) // its idle process makes room for:
	v, err := w.lambda.executable(target{key: key{place{accountB, region}, "worker"}})
	if err != nil {
		t.Fatal(err)
	}
	busy, err := w.lambda.pool.acquire(v)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client(w.root[accountA]).Invoke(t.Context(), &api.InvokeInput{FunctionName: aws.String("other")})
	wantAPIError(t, err, "TooManyRequestsException")
	w.lambda.pool.release(busy)
	w.call(accountA, "other", `{}`)
}

func TestConcurrentInvocations(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	file := filepath.Join(t.TempDir(), "go")
	payload := `{"do":"wait","text":"` + file + `"}`
	pids := make(chan int)
	for range 3 {
		go func() { pids <- w.call(accountB, "worker", payload).PID }()
	}
	for range 3 {
		w.await("InvocationStart")
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-pids
	}
}

func TestCannotStart(t *testing.T) {
	w := newWorld(t, Options{})
	with := func(files map[string][]byte, env map[string]string) func(*CreateInput) {
		return func(in *CreateInput) {
			in.Code.ZipFile = zipped(t, files)
			in.Environment = &Environment{Variables: env}
			in.Timeout = ptrTo(1)
		}
	}
	good := map[string][]byte{"bootstrap": bootstrap}
	tests := map[string]struct {
		change        func(*CreateInput)
		kind, message string
	}{
		"none":      {with(map[string][]byte{"main": bootstrap}, nil), "Runtime.InvalidEntrypoint", "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		"garbage":   {with(map[string][]byte{"bootstrap": []byte("\x7fELF garbage")}, nil), "Runtime.InvalidEntrypoint", "Error: fork/exec /var/task/bootstrap: exec format error"},
		"init-exit": {with(good, map[string]string{"START": "exit"}), "Runtime.ExitError", "Error: Runtime exited with error: exit status 7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w.function(accountB, name, test.change)
			out := w.invoke(accountB, name, `{}`)
			got := decode[failure](t, out.Payload)
			if out.FunctionError != "Unhandled" || got.Type != test.kind || !strings.HasSuffix(got.Message, test.message) {
				t.Errorf("%s %s", out.FunctionError, out.Payload)
			}
		})
	}
}

func TestUntrustedRole(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	err := w.dir.UpdateRole("arn:aws:iam::222222222222:role/worker", untrust(w))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client(w.root[accountB]).Invoke(t.Context(), &api.InvokeInput{FunctionName: aws.String("worker")})
	wantAPIError(t, err, "AccessDeniedException")
	if !strings.Contains(err.Error(), "The role defined for the function cannot be assumed by Lambda.") {
		t.Error(err)
	}
}

func TestClientContext(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker")
	text, _ := json.Marshal(map[string]any{"client": map[string]string{"app_title": "x"}})
	_, err := w.client(w.root[accountB]).Invoke(t.Context(), &api.InvokeInput{
		FunctionName: aws.String("worker"), ClientContext: aws.String(base64.StdEncoding.EncodeToString(text)),
	})
	if err != nil {
		t.Fatal(err)
	}
}
