package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// shell is an environment that has files of the AWS CLI and one endpoint, and knows nothing else of AWS.
func shell(t *testing.T, endpoint, config string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restored at the end
		}
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_STS": endpoint, "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
}

const keys = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s\n"

func TestLoadConfig(t *testing.T) {
	shell(t, "", "[profile here]\nregion = eu-west-1\n"+keys+"[profile nowhere]\n"+keys)
	type load func(context.Context, string, string) (aws.Config, error)
	or := func(otherwise string) load {
		return func(ctx context.Context, profile, region string) (aws.Config, error) {
			return loadConfigOr(ctx, profile, region, otherwise)
		}
	}
	for _, tt := range []struct {
		name            string
		load            load
		profile, region string
		want, refusal   string
	}{
		{"the profile's region", loadConfig, "here", "", "eu-west-1", ""},
		{"the flag wins", loadConfig, "here", "eu-north-1", "eu-north-1", ""},
		{"nobody names one", loadConfig, "nowhere", "", "us-east-1", ""},
		{"without a profile", loadConfig, "", "", "us-east-1", ""},
		{"another one's", or("ap-south-1"), "nowhere", "", "ap-south-1", ""},
		{"one has to be named", loadRegional, "nowhere", "", "", "profile nowhere has no region | --region us-east-1"},
		{"and is, by the flag", loadRegional, "nowhere", "eu-north-1", "eu-north-1", ""},
		{"and is, by the profile", loadRegional, "here", "", "eu-west-1", ""},
		{"no such profile", loadConfig, "gone", "", "", "read profile gone: | aws configure list-profiles"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := tt.load(t.Context(), tt.profile, tt.region)
			if tt.refusal == "" {
				if err != nil || cfg.Region != tt.want {
					t.Errorf("region %q, %v, want %q", cfg.Region, err, tt.want)
				}
				return
			}
			says, try, _ := strings.Cut(tt.refusal, " | ")
			var u usage
			var h hinted
			if !errors.As(err, &u) || !errors.As(err, &h) || !strings.Contains(err.Error(), says) || h.try != try {
				t.Errorf("%v, try %q, want %s", err, h.try, tt.refusal)
			}
		})
	}
}

// world is a server of AWS's that does with every call what it is told, and counts them.
type world struct {
	context.Context // of calls
	host            string
	calls           atomic.Int32
}

func answering(t *testing.T, answer http.HandlerFunc) *world {
	t.Helper()
	// An answer that overtakes the end of its request makes net/http close the connection.
	sent := make(chan struct{}, 10)
	ctx, over := context.WithCancel(t.Context())
	w := &world{Context: httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent <- struct{}{} }})}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // a server sees that its client is gone only after that
		gone, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		select {
		case <-sent:
			answer(rw, r.WithContext(gone))
		case <-gone.Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(over)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	w.host = u.Host
	shell(t, s.URL, "[default]\n"+keys+"[profile becomes]\nrole_arn = arn:aws:iam::222222222222:role/r\nsource_profile = default\n")
	return w
}

// flood sends a reply without an end, after what begins it.
func flood(status int, begin string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, begin)
		for chunk := []byte(strings.Repeat("a", 1<<20)); r.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
}

func TestAnswersWithoutEnd(t *testing.T) {
	identity := func(ctx context.Context, cfg aws.Config) error {
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}
	function := func(ctx context.Context, cfg aws.Config) error {
		_, err := lambda.NewFromConfig(cfg).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
		return err
	}
	object := func(ctx context.Context, cfg aws.Config) error {
		_, err := s3.NewFromConfig(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
		return err
	}
	for name, tt := range map[string]struct {
		status         int
		begin, profile string
		call           func(context.Context, aws.Config) error
	}{
		"xml":                {200, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>", "", identity},
		"no xml":             {200, "", "", identity},
		"an xml error":       {403, "<ErrorResponse>", "", identity},
		"json":               {200, `{"FunctionName":"`, "", function},
		"a json error":       {403, `{"message":"`, "", function},
		"an object's error":  {404, "<Error>", "", object},
		"a profile's role":   {200, "<AssumeRoleResponse><AssumeRoleResult>", "becomes", function},
		"its error":          {403, "<ErrorResponse><Error>", "becomes", function},
		"after what is read": {200, "<GetCallerIdentityResponse><GetCallerIdentityResult></GetCallerIdentityResult></GetCallerIdentityResponse>", "", identity},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(t, flood(tt.status, tt.begin))
			cfg, err := loadConfig(t.Context(), tt.profile, "")
			if err != nil {
				t.Fatal(err)
			}
			err = tt.call(w, cfg)
			if name == "after what is read" && err == nil {
				return // what AWS says was complete
			}
			if want := "the answer of " + w.host + ": it is longer than 16 MiB"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
			if w.calls.Load() != 1 {
				t.Errorf("%d attempts", w.calls.Load())
			}
		})
	}
}

// Objects of S3 are as long as they are. A manifest of a large site is longer than anything else here.
func TestObjectsAreStreams(t *testing.T) {
	w := answering(t, flood(200, ""))
	cfg, err := loadConfig(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := s3.NewFromConfig(cfg).GetObject(w, &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	const length = 20 << 20
	if n, err := io.CopyN(io.Discard, out.Body, length); n != length || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := out.Body.Close(); err != nil {
		t.Error(err)
	}
}

// limited is the configuration of the environment with other bounds.
func limited(t *testing.T, b replies) aws.Config {
	t.Helper()
	cfg, err := loadConfig(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	cfg.APIOptions[0] = b.bound
	return cfg
}

func TestAnswersThatDoNotCome(t *testing.T) {
	const soon = 30 * time.Millisecond
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	slow := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<GetCallerIdentityResponse>")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		bounds replies
		want   string
	}{
		"nothing":          {silent, replies{1 << 20, time.Hour, soon, time.Hour}, "it did not begin to answer within 30ms"},
		"a beginning":      {slow, replies{1 << 20, time.Hour, soon, time.Hour}, "it did not finish its answer within 30ms"},
		"not even reached": {silent, replies{1 << 20, 0, time.Hour, time.Hour}, "it could not be reached or sent to within 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(t, tt.answer)
			t.Setenv("AWS_MAX_ATTEMPTS", "2")
			_, err := sts.NewFromConfig(limited(t, tt.bounds)).GetCallerIdentity(w, &sts.GetCallerIdentityInput{})
			if want := "wait for " + w.host + ": " + tt.want; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
			if n := w.calls.Load(); n != 2 && tt.bounds.send > 0 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

// A function is waited for longer than anything else, and who interrupts is not told that it was slow.
func TestFunctionsAreWaitedFor(t *testing.T) {
	release := make(chan struct{})
	w := answering(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	c := lambda.NewFromConfig(limited(t, replies{1 << 20, time.Hour, time.Millisecond, time.Hour}))
	_, err := c.GetFunctionConfiguration(w, &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
	var slow *slowError
	if !errors.As(err, &slow) {
		t.Errorf("read a function: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	if _, err := c.Invoke(w, &lambda.InvokeInput{FunctionName: aws.String("f")}); err != nil {
		t.Errorf("invoke: %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	interrupt := make(chan struct{})
	w := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		close(interrupt)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(w)
	go func() {
		<-interrupt
		cancel()
	}()
	_, err := sts.NewFromConfig(limited(t, defaultReplies())).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	var slow *slowError
	if !errors.Is(err, context.Canceled) || errors.As(err, &slow) {
		t.Errorf("%v", err)
	}
}

// Bodies are counted to the byte, however they are read.
func TestReplySize(t *testing.T) {
	for _, tt := range []struct {
		length, most int64
		buffer       int
		ok           bool
	}{{10, 10, 1, true}, {10, 10, 100, true}, {11, 10, 1, false}, {11, 10, 100, false}, {0, 0, 5, true}, {1, 0, 5, false}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := &watch{host: "h", cancel: cancel}
		w.phase(time.Hour, "")
		body := io.NopCloser(strings.NewReader(strings.Repeat("x", int(tt.length))))
		r := &reply{ReadCloser: body, ctx: ctx, watch: w, left: tt.most, most: tt.most}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, tt.buffer))
		if (err == nil) != tt.ok || n != min(tt.length, tt.most) {
			t.Errorf("%+v: %d bytes, %v", tt, n, err)
		}
		if again, err := r.Read(make([]byte, 1)); again != 0 || err == nil {
			t.Errorf("%+v: after the end %d, %v", tt, again, err)
		}
		if err := r.Close(); err != nil || ctx.Err() == nil {
			t.Errorf("closed: %v, %v", err, ctx.Err())
		}
	}
}

// AWS tells by the user agent who called, in CloudTrail.
func TestUserAgent(t *testing.T) {
	var agent string
	server := answering(t, func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	})
	cfg, err := loadConfig(t.Context(), "", "")
	if err == nil {
		_, err = sts.NewFromConfig(cfg).GetCallerIdentity(server, &sts.GetCallerIdentityInput{})
	}
	if err != nil || !strings.Contains(agent, " unstale/") {
		t.Errorf("%q, %v", agent, err)
	}
}

// See readable: a body with WriteTo loses answers of endpoints that are quick.
func TestRequestsAreReadable(t *testing.T) {
	asked := false
	client := cloudformation.New(cloudformation.Options{
		Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, APIOptions: []func(*middleware.Stack) error{defaultReplies().bound},
		HTTPClient: doer(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if _, ok := r.Body.(io.WriterTo); ok || err != nil || int64(len(body)) != r.ContentLength || !strings.Contains(string(body), "StackName=st") {
				t.Errorf("WriteTo %v, %v, %d bytes announced, body %q", ok, err, r.ContentLength, body)
			}
			asked = true
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("<DescribeStackEventsResponse><DescribeStackEventsResult/></DescribeStackEventsResponse>"))}, nil
		}),
	})
	if _, err := client.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("st")}); err != nil || !asked {
		t.Error(asked, err)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }
