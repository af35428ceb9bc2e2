package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/events"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	account  = "111111111111"
	region   = "us-east-1"
	pipeline = "arn:aws:codepipeline:us-east-1:111111111111:site"
	role     = "arn:aws:iam::111111111111:role/start"
)

func code(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func push() events.Event {
	return events.Event{
		Source: "aws.codecommit", DetailType: "CodeCommit Repository State Change", Account: account, Region: region,
		Resources: []string{"arn:aws:codecommit:us-east-1:111111111111:site"},
		Detail:    map[string]any{"event": "referenceUpdated", "referenceType": "branch", "referenceName": "main"},
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		matches bool
		code    string
	}{
		{`{"source":["aws.codecommit"]}`, true, ""},
		{`{"source":["aws.s3","aws.codecommit"]}`, true, ""},
		{`{"source":["aws.s3"]}`, false, ""},
		{`{"source":["AWS.codecommit"]}`, false, ""},
		{`{"resources":["arn:aws:codecommit:us-east-1:111111111111:site"]}`, true, ""},
		{`{"resources":["arn:aws:codecommit:us-east-1:111111111111:other"]}`, false, ""},
		{`{"detail-type":["CodeCommit Repository State Change"],"detail":{"event":["referenceCreated","referenceUpdated"],"referenceName":["main"]}}`, true, ""},
		{`{"detail":{"referenceName":["dev"]}}`, false, ""},
		{`{"detail":{"absent":["x"]}}`, false, ""},
		{`{"detail":{"event":{"deep":["x"]}}}`, false, ""},
		{`{"detail":["x"]}`, false, ""},
		{`{"account":["111111111111"],"region":["us-east-1"]}`, true, ""},
		{`{}`, false, "InvalidEventPatternException"},
		{`[]`, false, "InvalidEventPatternException"},
		{`{"source":"aws.codecommit"}`, false, "InvalidEventPatternException"},
		{`{"source":[]}`, false, "InvalidEventPatternException"},
		{`{"detail":{}}`, false, "InvalidEventPatternException"},
		{`{"source":[["a"]]}`, false, "InvalidEventPatternException"},
		{`{"source":[{"prefix":"aws."}]}`, false, "NotEmulated"},
		{`{"$or":[{"source":["a"]}]}`, false, "NotEmulated"},
	} {
		p, err := events.ParsePattern([]byte(tt.pattern))
		if code(err) != tt.code || (err != nil) != (tt.code != "") {
			t.Errorf("%s: %v, want %q", tt.pattern, err, tt.code)
			continue
		}
		if got := p.Matches(push()); got != tt.matches {
			t.Errorf("%s matches: %v", tt.pattern, got)
		}
	}
}

// A pattern made of an event's own values matches it, and stops matching when one of them changes.
func TestPatternOfAnEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		detail := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,4}`), rapid.StringMatching(`[a-z]{1,4}`), 1, 4).Draw(t, "detail")
		e, want := push(), map[string]any{}
		e.Detail = map[string]any{}
		for k, v := range detail {
			e.Detail[k], want[k] = v, []string{"ZZ", v}
		}
		raw, err := json.Marshal(map[string]any{"detail": want})
		if err != nil {
			t.Fatal(err)
		}
		p, err := events.ParsePattern(raw)
		if err != nil || !p.Matches(e) {
			t.Fatalf("%s does not match: %v", raw, err)
		}
		for k := range detail {
			e.Detail[k] = "changed"
			break
		}
		if p.Matches(e) {
			t.Fatalf("%s still matches", raw)
		}
	})
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["aws.codecommit"],"detail":{"a":["b",1,null]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := events.ParsePattern([]byte(text)); err == nil {
			p.Matches(push())
		}
	})
}

// pipelines records who started what.
type pipelines struct {
	callers []accounts.Caller
	arns    []string
}

func (p *pipelines) StartByRule(_ context.Context, c accounts.Caller, arn, _ string) (string, error) {
	p.callers, p.arns = append(p.callers, c), append(p.arns, arn)
	return "execution-1", nil
}

type world struct {
	directory *accounts.Directory
	service   *events.Service
	pipelines *pipelines
	told      *[]events.Delivery
	root      accounts.Caller
}

func newWorld(t *testing.T) world {
	t.Helper()
	c, j := clock.New(false), &journal.Journal{}
	t.Cleanup(c.Close)
	d := accounts.New(c, j)
	root, err := d.Add(account)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sts:AssumeRole"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateRole(accounts.Role{Name: "start", Account: account, Trust: trust}); err != nil {
		t.Fatal(err)
	}
	w := world{directory: d, pipelines: &pipelines{}, told: &[]events.Delivery{}, root: root.Caller}
	j.OnEvent(func(e journal.Event) { *w.told = append(*w.told, e.Data.(events.Delivery)) })
	w.service = events.New(events.Deps{Directory: d, Clock: c, Journal: j, Sessions: sts.New(d), Pipelines: w.pipelines})
	return w
}

func (w world) create(caller accounts.Caller, change func(map[string]any)) (templates.Resource, error) {
	p := map[string]any{
		"Name": "push", "State": "ENABLED", "EventPattern": map[string]any{"source": []any{"aws.codecommit"}},
		"Targets": []any{map[string]any{"Id": "p", "Arn": pipeline, "RoleArn": role}},
	}
	if change != nil {
		change(p)
	}
	return w.service.ResourceTypes()[0].Create(context.Background(), templates.Request{
		Caller: caller, Account: account, Region: region, Stack: "s", LogicalID: "R", Properties: p,
	})
}

func TestRuleStartsAPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r, err := w.create(w.root, nil)
		if err != nil || r.Ref != "push" || r.Attributes["Arn"] != "arn:aws:events:us-east-1:111111111111:rule/push" {
			t.Fatalf("%+v %v", r, err)
		}
		other := push()
		other.Account = "222222222222"
		w.service.Put(other)
		w.service.Put(push())
		synctest.Wait()
		if len(w.pipelines.arns) != 1 || w.pipelines.arns[0] != pipeline || w.pipelines.callers[0].RoleARN != role {
			t.Fatalf("started %v by %+v", w.pipelines.arns, w.pipelines.callers)
		}
		if d := (*w.told)[0]; d.Execution != "execution-1" || d.Error != "" || d.Event.ID == "" {
			t.Errorf("told %+v", d)
		}
		existing := templates.Existing{Caller: w.root, Account: account, Region: region, Resource: r}
		if err := w.service.ResourceTypes()[0].Delete(t.Context(), existing); err != nil {
			t.Fatal(err)
		}
		w.service.Put(push())
		synctest.Wait()
		if len(w.pipelines.arns) != 1 {
			t.Error("a deleted rule started a pipeline")
		}
	})
}

func TestFailedDeliveryIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.create(w.root, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.directory.DeleteRole(role); err != nil {
			t.Fatal(err)
		}
		w.service.Put(push())
		synctest.Wait()
		if len(*w.told) != 1 || !strings.Contains((*w.told)[0].Error, "sts:AssumeRole") || len(w.pipelines.arns) != 0 {
			t.Errorf("told %+v", *w.told)
		}
	})
}

func TestDisabledRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.create(w.root, func(p map[string]any) { p["State"] = "DISABLED" }); err != nil {
			t.Fatal(err)
		}
		w.service.Put(push())
		synctest.Wait()
		if len(w.pipelines.arns) != 0 {
			t.Error("a disabled rule started a pipeline")
		}
	})
}

func TestRefusedRules(t *testing.T) {
	target := func(key, value string) func(map[string]any) {
		return func(p map[string]any) { p["Targets"].([]any)[0].(map[string]any)[key] = value }
	}
	for _, tt := range []struct {
		name   string
		change func(map[string]any)
		code   string
	}{
		{"unknown property", func(p map[string]any) { p["ScheduleExpression"] = "rate(1 day)" }, "NotEmulated"},
		{"unknown target property", target("Input", "{}"), "NotEmulated"},
		{"other target", target("Arn", "arn:aws:sqs:us-east-1:111111111111:q"), "NotEmulated"},
		{"no role", target("RoleArn", ""), "ValidationException"},
		{"role of another account", target("RoleArn", "arn:aws:iam::222222222222:role/start"), "ValidationException"},
		{"name", func(p map[string]any) { p["Name"] = "a b" }, "ValidationException"},
		{"state", func(p map[string]any) { p["State"] = "ON" }, "NotEmulated"},
		{"no pattern", func(p map[string]any) { delete(p, "EventPattern") }, "InvalidEventPatternException"},
		{"six targets", func(p map[string]any) {
			one := p["Targets"].([]any)[0]
			p["Targets"] = []any{one, one, one, one, one, one}
		}, "ValidationException"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			if _, err := w.create(w.root, tt.change); code(err) != tt.code {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
			}
			nobody := accounts.Caller{Principal: iam.Principal{ARN: "arn:aws:iam::111111111111:user/u", Account: account}}
			if _, err := w.create(nobody, nil); code(err) != "AccessDenied" {
				t.Errorf("a caller without grants: %v", err)
			}
		})
	}
}
