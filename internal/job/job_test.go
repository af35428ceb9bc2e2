package job

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
)

func TestAJobFromEventToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, one(&distribution{takes: 6 * time.Second}))
		if err := w.run(t, time.Minute, jobEvent(firstJob, `{"release": "exec-7", "verify": ["/about"]}`, "", 1)); err != nil {
			t.Fatal(err)
		}
		line := "default: distribution E1 invalidation IE1 created -> completed within 7.2 s -> seen from FRA56-P1 (3 of 3 pages equal to the release)"
		want := Answer{Summary: line, External: "IE1", Percent: 100, Variables: map[string]string{
			"InvalidationIds": "IE1", "Items": "/*", "Verified": "content", "Verdict": line,
		}}
		if diff := cmp.Diff(want, w.desk.last()); diff != "" {
			t.Error(diff)
		}
		var paths []string
		for _, x := range w.eyes.asked[0].Expect {
			paths = append(paths, x.Path+" "+x.Key)
		}
		if diff := cmp.Diff([]string{"/ index.html", "/index.html index.html", "/about index.html"}, paths); diff != "" {
			t.Error(diff)
		}
		if !strings.Contains(w.log.String(), `"job":"`+firstJob+`"`) || !strings.Contains(w.log.String(), `"release":"exec-7"`) {
			t.Errorf("lines lack the job or the release:\n%s", w.log)
		}
	})
}

func TestWithoutAnArtifactOnlyAgeIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, one(&distribution{}))
		if err := w.run(t, time.Minute, jobEvent(firstJob, "", "", 0)); err != nil {
			t.Fatal(err)
		}
		if v := w.desk.last().Variables; v["Verified"] != "age" || !strings.Contains(v["Verdict"], "judged by age alone") {
			t.Error(v)
		}
	})
}

// Where nobody without a signature can look, the answer says that it took completion's word.
func TestWhatNobodyCanSeeIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*distribution{"open": {id: "E1"}, "private": {id: "E2", private: true}})
		if err := w.run(t, time.Minute, jobEvent(firstJob, "", "", 0)); err != nil {
			t.Fatal(err)
		}
		a := w.desk.last()
		if a.Variables["Verified"] != "completion" || a.Percent != 100 || !strings.Contains(a.Summary, "-> not seen: viewers need signed URLs") || len(w.eyes.asked) != 1 {
			t.Errorf("%+v, %d looks", a, len(w.eyes.asked))
		}
	})
}

// The action goes on over as many jobs as it needs, under the first job's ID, and pays once.
func TestContinuation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := &distribution{id: "E1", takes: 150 * time.Second}, &distribution{id: "E2", takes: time.Second}
		w := newWorld(t, map[string]*distribution{"slow": slow, "quick": quick})
		id, token, jobs := firstJob, "", 0
		for ; jobs < 20; jobs++ {
			if err := w.run(t, time.Minute, jobEvent(id, `{"items": ["/a", "/b*"]}`, token, 1)); err != nil {
				t.Fatal(err)
			}
			a := w.desk.last()
			if a.Failure != "" || len(a.Token) > maxToken {
				t.Fatal(a)
			}
			if token = a.Token; token == "" {
				break
			}
			if a.Variables != nil || a.Percent == 0 || a.Percent == 100 || !strings.Contains(a.Summary, "slow: distribution E1 invalidation IE1 created") {
				t.Errorf("%+v", a)
			}
			id = fmt.Sprintf("%08d-2222-4222-8222-222222222222", jobs)
			time.Sleep(30 * time.Second)
		}
		if slow.paid != 1 || quick.paid != 1 || jobs < 2 || len(w.eyes.asked) != 2 {
			t.Errorf("paid %d and %d in %d jobs, looked %d times", slow.paid, quick.paid, jobs+1, len(w.eyes.asked))
		}
		v := w.desk.last().Variables
		if v["InvalidationIds"] != "IE2 IE1" || v["Items"] != "/a /b*" || v["Verified"] != "content" {
			t.Error(v)
		}
	})
}

// Lambda may deliver an event twice; a retried stage is another job.
func TestRedeliveryPaysOnceAndARetryPurgesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &distribution{}
		w := newWorld(t, one(d))
		for range 2 {
			if err := w.run(t, time.Minute, jobEvent(firstJob, "", "", 0)); err != nil {
				t.Fatal(err)
			}
		}
		if d.paid != 1 {
			t.Errorf("paid %d times for one job", d.paid)
		}
		if err := w.run(t, time.Minute, jobEvent(secondJob, "", "", 0)); err != nil || d.paid != 2 {
			t.Errorf("paid %d times for two, %v", d.paid, err)
		}
	})
}

func TestFailures(t *testing.T) {
	denied := &gateway.Error{
		Code: gateway.AccessDenied, Message: "User: arn:aws:iam::222222222222:role/x is not authorized", Operation: "create invalidation",
		Distribution: "E1", Account: "222222222222", Caller: "arn:aws:sts::222222222222:assumed-role/invalidator/s",
		Action: "cloudfront:CreateInvalidation", Resource: "arn:aws:cloudfront::222222222222:distribution/E1", Try: "allow it",
	}
	for _, tt := range []struct {
		what   string
		params string
		change func(*world)
		inputs int
		want   FailureType
		says   []string
	}{
		{
			"denied", "", func(w *world) { w.distributions["default"].fail = map[string]error{"create": denied} }, 0, PermissionError,
			[]string{
				"failed after stage planned", "caller: " + denied.Caller, "action: " + denied.Action, "resource: " + denied.Resource,
				"try: allow it", "in account 222222222222",
			},
		},
		{"bad parameters", `{"itemz": []}`, nil, 0, ConfigurationError, []string{`there is no field "itemz"`, "fields are targets, items"}},
		{"a bad item", `{"items": ["*"]}`, nil, 0, ConfigurationError, []string{"read UserParameters: items: parse item"}},
		{"an unknown target", `{"targets": ["shop"]}`, nil, 0, ConfigurationError, []string{`there is no target "shop"; this function has default`}},
		{"two artifacts", "", nil, 2, ConfigurationError, []string{"the action has 2"}},
		{"an artifact that is no zip", "", func(w *world) { w.shelf.content = []byte("<html>") }, 1, ConfigurationError, []string{`open input artifact "Build"`, "zip"}},
		{
			"an artifact that is refused", "", func(w *world) {
				w.shelf.fail = &store.Error{What: "read", Bucket: "b", Key: "k", Code: "AccessDenied", Err: errors.New("no")}
			},
			1, PermissionError,
			[]string{"read s3://b/k", "try: allow s3:GetObject"},
		},
		{"an artifact that is gone", "", func(w *world) { w.shelf.fail = &store.Error{Code: "NoSuchKey", Err: errors.New("no")} }, 1, ConfigurationError, nil},
		{"a broken function", "", func(w *world) { w.config.Broken = errors.New("read targets: none") }, 0, ConfigurationError, []string{"read targets: none"}},
		{
			"a route that is not there", "", func(w *world) {
				w.config.Gateway = func(target.Target, string) (purge.Gateway, error) { return nil, errors.New("there is no such route") }
			}, 0, ConfigurationError, []string{"there is no such route"},
		},
		{"a panic in a gateway", "", func(w *world) { w.distributions["default"].panics = "index out of range" }, 0, JobFailed, []string{"the function panicked: index out of range"}},
		{"a panic before", "", func(w *world) { w.shelf.panics = true }, 1, JobFailed, []string{"the function panicked: shelf broke"}},
		{"stale viewers", "", func(w *world) { w.eyes.stale = true }, 1, JobFailed, []string{"invalidation IE1 is completed, but viewers do not see the release"}},
		{
			"no such distribution", "", func(w *world) {
				w.distributions["default"].fail = map[string]error{"distribution": &gateway.Error{Code: gateway.NoSuchDistribution}}
			}, 0, ConfigurationError, []string{"NoSuchDistribution"},
		},
		{
			"AWS down for long", "", func(w *world) {
				w.distributions["default"].fail = map[string]error{"create": &gateway.Error{Code: gateway.ServiceUnavailable}}
			}, 0, SystemUnavailable, []string{"ServiceUnavailable"},
		},
		{"out of time", `{"wait": "1m"}`, func(w *world) { w.distributions["default"].takes = time.Hour }, 0, JobFailed, []string{"still not completed", "raise wait"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, one(&distribution{}))
				if tt.change != nil {
					tt.change(w)
				}
				token := ""
				for range 10 {
					if err := w.run(t, 2*time.Minute, jobEvent(firstJob, tt.params, token, tt.inputs)); err != nil {
						t.Fatal(err)
					}
					if token = w.desk.last().Token; token == "" {
						break
					}
				}
				a := w.desk.last()
				if a.Failure != tt.want || strings.Contains(a.Message, "goroutine") || strings.Contains(a.Message, ".go:") {
					t.Errorf("%s: %s; want %s", a.Failure, a.Message, tt.want)
				}
				for _, says := range tt.says {
					if !strings.Contains(a.Message, says) {
						t.Errorf("message lacks %q:\n%s", says, a.Message)
					}
				}
			})
		})
	}
}

// One target's failure does not stop the others on the way, and the answer tells of all.
func TestSomeTargetsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := &distribution{id: "E1", takes: time.Second}, &distribution{id: "E2", panics: "boom"}
		w := newWorld(t, map[string]*distribution{"good": good, "bad": bad})
		if err := w.run(t, time.Minute, jobEvent(firstJob, "", "", 0)); err != nil {
			t.Fatal(err)
		}
		a := w.desk.last()
		if a.Failure != JobFailed || !strings.Contains(a.Message, "bad: failed after stage planned: the function panicked: boom") ||
			!strings.Contains(a.Message, "besides, good: distribution E1 invalidation IE1 created -> completed") || a.External != "IE1" {
			t.Errorf("%+v", a)
		}
	})
}

func TestTheJobIsAnsweredBeforeTheDeadline(t *testing.T) {
	for _, tt := range []struct {
		what   string
		d      *distribution
		time   time.Duration
		margin time.Duration
		most   time.Duration // when the answer has to be there
	}{
		{"waiting", &distribution{takes: time.Hour}, 10 * time.Second, 0, 7 * time.Second},
		{"a short function", &distribution{takes: time.Hour}, 3 * time.Second, 0, 1500 * time.Millisecond},
		{"deaf to its context", &distribution{deaf: true}, 10 * time.Second, 0, 8 * time.Second},
		{"another margin", &distribution{deaf: true}, 10 * time.Second, 600 * time.Millisecond, 9600 * time.Millisecond},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, one(tt.d))
				w.config.Margin = tt.margin
				began := time.Now()
				if err := w.run(t, tt.time, jobEvent(firstJob, "", "", 0)); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > tt.most || w.desk.last().Token == "" {
					t.Errorf("answered after %v: %+v", took, w.desk.last())
				}
				tt.d.mu.Lock()
				tt.d.deaf, tt.d.takes = false, 0
				tt.d.mu.Unlock()
				if err := w.run(t, time.Minute, jobEvent(secondJob, "", w.desk.last().Token, 0)); err != nil || w.desk.last().Summary == "" ||
					w.desk.last().Token != "" {
					t.Errorf("going on: %v, %+v", err, w.desk.last())
				}
				time.Sleep(2 * time.Hour) // the deaf one wakes up
				if tt.d.paid != 1 {
					t.Errorf("paid %d times", tt.d.paid)
				}
			})
		})
	}
}

// What never answers is not carried from token to token for ever.
func TestHandingOverEndsWithWait(t *testing.T) {
	for verb, tt := range map[string]struct {
		parameters string
		d          *distribution
		state      *ledger
	}{
		"purge":    {`{"wait": "3m"}`, &distribution{deaf: true}, nil},
		"announce": {`{"wait": "3m", "announce": true, "release": "exec-7"}`, &distribution{}, &ledger{deaf: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, one(tt.d))
			if tt.state != nil {
				w.config.State = tt.state
			}
			token := ""
			for n := 0; ; n++ {
				if err := w.run(t, time.Minute, jobEvent(firstJob, tt.parameters, token, 1)); err != nil {
					t.Fatal(err)
				}
				if token = w.desk.last().Token; token == "" {
					break
				}
				if n > 5 {
					t.Fatal("never ends")
				}
			}
			if a := w.desk.last(); a.Failure == "" || !strings.HasPrefix(a.Message, verb+": not finished") || !strings.Contains(a.Message, "raise wait") {
				t.Errorf("%+v", a)
			}
			time.Sleep(2 * time.Hour)
		})
	}
}

func TestDelivery(t *testing.T) {
	refusal := func(code string) error { return &AnswerError{JobID: firstJob, Code: code, Err: errors.New(code)} }
	for _, tt := range []struct {
		what    string
		fails   []error
		answers int
		err     string // code of the error that Lambda gets, "" for none
	}{
		{"accepted", nil, 1, ""},
		{"already over", []error{refusal("InvalidJobStateException")}, 1, ""},
		{"unknown job", []error{refusal("JobNotFoundException")}, 1, "JobNotFoundException"},
		{"denied", []error{refusal("AccessDeniedException")}, 1, "AccessDeniedException"},
		{"no network", []error{refusal("")}, 1, "none"},
		{"variables too long", []error{refusal("OutputVariablesSizeExceededException")}, 2, ""},
		{"invalid", []error{refusal("ValidationException")}, 2, ""},
		{"invalid throughout", []error{refusal("ValidationException"), refusal("ValidationException")}, 2, "ValidationException"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, one(&distribution{}))
				w.desk.fails = tt.fails
				err := w.run(t, time.Minute, jobEvent(firstJob, "", "", 0))
				var failed *AnswerError
				if errors.As(err, &failed) != (tt.err != "") || (failed != nil && failed.Code != strings.Replace(tt.err, "none", "", 1)) {
					t.Errorf("error %v", err)
				}
				if len(w.desk.answers) != tt.answers {
					t.Fatalf("%d answers; want %d", len(w.desk.answers), tt.answers)
				}
				if tt.answers == 2 && (w.desk.last().Failure != JobFailed || !strings.Contains(w.desk.last().Message, "CodePipeline refused this answer")) {
					t.Errorf("%+v", w.desk.last())
				}
			})
		})
	}
}

func TestTooManyTargets(t *testing.T) {
	many := map[string]*distribution{}
	var names []string
	for i := range maxTargets + 1 {
		name := fmt.Sprintf("t%d", i)
		many[name], names = &distribution{id: fmt.Sprintf("E%d", i)}, append(names, `"`+name+`"`)
	}
	for _, tt := range []struct {
		params string
		fails  bool
	}{
		{"", true},
		{`{"targets": [` + strings.Join(names, ",") + `]}`, true},
		{`{"targets": [` + strings.Join(names[1:], ",") + `]}`, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, many)
			if err := w.run(t, time.Minute, jobEvent(firstJob, tt.params, "", 0)); err != nil {
				t.Fatal(err)
			}
			if a := w.desk.last(); (a.Failure == ConfigurationError) != tt.fails {
				t.Errorf("%s: %+v", tt.params, a)
			}
		})
	}
}

func TestFailureTypes(t *testing.T) {
	all := []FailureType{JobFailed, ConfigurationError, PermissionError, SystemUnavailable}
	for _, tt := range []struct {
		err  error
		want FailureType
	}{
		{errors.New("strange"), JobFailed},
		{&gateway.Error{Code: gateway.ReferenceReused}, JobFailed},
		{&gateway.Error{Code: gateway.TooManyInvalidationsInProgress}, SystemUnavailable},
		{&gateway.Error{Code: gateway.NetworkError}, SystemUnavailable},
		{&gateway.Error{Code: gateway.DistributionNotAllowed}, ConfigurationError},
		{&gateway.Error{Code: "ExpiredToken"}, PermissionError},
		{&store.Error{Code: "SlowDown", Err: errors.New("x")}, SystemUnavailable},
		{&store.Error{Err: errors.New("x")}, JobFailed},
		{&store.Error{Err: context.DeadlineExceeded}, SystemUnavailable},
		{&purge.Failure{Err: &gateway.Error{Code: gateway.AccessDenied}}, PermissionError},
		{&TokenError{"x"}, JobFailed},
	} {
		if got := failureType(tt.err); got != tt.want || !slices.Contains(all, got) {
			t.Errorf("failureType(%v) = %s; want %s", tt.err, got, tt.want)
		}
	}
}
