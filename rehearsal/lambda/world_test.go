package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/logs"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	region   = "us-east-1"
)

// bootstrap is the function of testdata/handler, built once for all tests.
var bootstrap []byte

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "bootstrap-")
	if err != nil {
		panic(err)
	}
	out := filepath.Join(dir, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", out, "./testdata/handler")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("build the test function: %v\n%s", err, text))
	}
	if bootstrap, err = os.ReadFile(out); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// zipped packs files, all of them executable.
func zipped(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, data := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Store}
		h.SetMode(0o755)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// world is two accounts with Lambda, Logs and STS behind the front door.
type world struct {
	t       *testing.T
	dir     *accounts.Directory
	clock   *clock.Clock
	journal *journal.Journal
	logs    *logs.Service
	lambda  *Service
	front   *front.Server
	root    map[string]accounts.Credentials
	objects map[string][]byte // S3: "bucket/key"
	events  chan journal.Event
	assume  []error // of the next attempts to take on a role
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{
		t: t, clock: clock.New(true), journal: &journal.Journal{}, root: map[string]accounts.Credentials{},
		objects: map[string][]byte{}, events: make(chan journal.Event, 1000),
	}
	t.Cleanup(w.clock.Close)
	w.journal.OnEvent(func(e journal.Event) { w.events <- e })
	w.dir = accounts.New(w.clock, w.journal)
	for _, id := range []string{accountA, accountB} {
		cred, err := w.dir.Add(id)
		if err != nil {
			t.Fatal(err)
		}
		w.root[id] = cred
	}
	w.logs = logs.New(logs.Deps{Directory: w.dir, Clock: w.clock})
	tokens := sts.New(w.dir)
	o.Dir = t.TempDir()
	var err error
	w.lambda, err = New(Deps{
		Directory: w.dir, Clock: w.clock, Journal: w.journal, Logs: w.logs, Options: o,
		Assume: func(ctx context.Context, c accounts.Caller, role, session string) (accounts.Credentials, error) {
			if len(w.assume) > 0 {
				err := w.assume[0]
				w.assume = w.assume[1:]
				return accounts.Credentials{}, err
			}
			return tokens.Assume(ctx, c, sts.Input{RoleARN: role, SessionName: session})
		},
		GetObject: func(_ context.Context, c accounts.Caller, bucket, key string) ([]byte, error) {
			if err := w.dir.Authorize(accounts.Check{Caller: c, Action: "s3:GetObject", Resource: "arn:aws:s3:::" + bucket + "/" + key}); err != nil {
				return nil, err
			}
			data, ok := w.objects[bucket+"/"+key]
			if !ok {
				return nil, wire.Errorf(404, "NoSuchKey", "The specified key does not exist.")
			}
			return data, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.lambda.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.front, err = front.Listen("", w.dir, w.clock, w.journal); err != nil {
		t.Fatal(err)
	}
	w.front.Handle(SigningName, w.lambda, wire.WriteJSONError)
	w.front.Handle(logs.SigningName, w.logs, wire.WriteJSONError)
	go func() { _ = w.front.Serve() }()
	t.Cleanup(func() { _ = w.front.Close() })
	return w
}

// role makes a role that Lambda may assume, with the statements as its policy.
func (w *world) role(account, name string, statements ...string) string {
	w.t.Helper()
	return w.roleOf(account, name, `{"Service":"lambda.amazonaws.com"}`, statements...)
}

func (w *world) roleOf(account, name, principal string, statements ...string) string {
	w.t.Helper()
	r := accounts.Role{Account: account, Name: name, Inline: map[string]iam.Document{}}
	r.Trust = w.document(`{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}`)
	if len(statements) > 0 {
		r.Inline["inline"] = w.document(statements...)
	}
	made, err := w.dir.CreateRole(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ARN
}

func (w *world) document(statements ...string) iam.Document {
	w.t.Helper()
	var list []json.RawMessage
	for _, s := range statements {
		list = append(list, json.RawMessage(s))
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": list})
	if err != nil {
		w.t.Fatal(err)
	}
	doc, err := iam.Parse(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return doc
}

func allow(action, resource string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q}`, action, resource)
}

// session is somebody with a role.
func (w *world) session(roleARN string) accounts.Credentials {
	w.t.Helper()
	r, err := w.dir.Role(roleARN)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.dir.Session(r, "somebody", nil, nil, time.Hour)
}

// client is an SDK client with somebody's credentials.
func (w *world) client(cred accounts.Credentials) *api.Client {
	return api.New(api.Options{
		Region: region, BaseEndpoint: aws.String(w.front.URL()), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: cred.AccessKeyID, SecretAccessKey: cred.SecretAccessKey, SessionToken: cred.SessionToken}, nil
		}),
	})
}

// function makes a function of the test binary in an account, with a role of its own.
func (w *world) function(account, name string, change ...func(*CreateInput)) Configuration {
	w.t.Helper()
	in := CreateInput{
		FunctionName: name, Architectures: []string{architecture()},
		Code: Package{ZipFile: zipped(w.t, map[string][]byte{"bootstrap": bootstrap})},
		Settings: Settings{
			Runtime: ptrTo(theRuntime), Handler: ptrTo("bootstrap"), Timeout: ptrTo(10),
			Role: ptrTo("arn:aws:iam::" + account + ":role/" + name),
		},
	}
	if _, err := w.dir.Role(*in.Role); err != nil {
		w.role(account, name, allow("logs:*", "*"))
	}
	for _, f := range change {
		f(&in)
	}
	out, err := w.lambda.Create(w.t.Context(), w.root[account].Caller, region, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func ptrTo[T any](v T) *T { return &v }

// invoke calls a function in-process as the root of its account.
func (w *world) invoke(account, function, payload string) InvokeOutput {
	w.t.Helper()
	out, err := w.lambda.Invoke(w.t.Context(), w.root[account].Caller, InvokeInput{Region: region, Function: function, Payload: []byte(payload)})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// reply is what the test function answers.
type reply struct {
	Text     string
	PID      int
	Child    int
	Env      map[string]string
	Dir      string
	Args     []string
	ARN      string
	Request  string
	Deadline int64
}

func decode[T any](t testing.TB, data []byte) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return out
}

func (w *world) call(account, function, payload string) reply {
	w.t.Helper()
	out := w.invoke(account, function, payload)
	if out.FunctionError != "" {
		w.t.Fatalf("%s failed: %s", function, out.Payload)
	}
	return decode[reply](w.t, out.Payload)
}

// await takes events until one has the name.
func (w *world) await(name string) Invocation {
	w.t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.events:
			if e.Name == name {
				return e.Data.(Invocation)
			}
		case <-timeout:
			w.t.Fatalf("no event %s", name)
		}
	}
}

// errorCode is an error's AWS code, "" for none.
func errorCode(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

// untrust is a change of a role after which Lambda may not assume it.
func untrust(w *world) func(*accounts.Role) error {
	doc := w.document(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`)
	return func(r *accounts.Role) error {
		r.Trust = doc
		return nil
	}
}
