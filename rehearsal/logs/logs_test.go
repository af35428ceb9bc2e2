package logs

import (
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

const account = "222222222222"

var at = Place{account, "us-east-1"}

type world struct {
	t     *testing.T
	dir   *accounts.Directory
	clock *clock.Clock
	tell  *journal.Journal
	logs  *Service
	root  accounts.Credentials
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New(false), tell: &journal.Journal{}}
	t.Cleanup(w.clock.Close)
	w.dir = accounts.New(w.clock, w.tell)
	var err error
	if w.root, err = w.dir.Add(account); err != nil {
		t.Fatal(err)
	}
	w.logs = New(Deps{Directory: w.dir, Clock: w.clock})
	return w
}

// somebody is a session of a role with one statement.
func (w *world) somebody(name, action, resource string) accounts.Caller {
	w.t.Helper()
	role, err := w.dir.CreateRole(accounts.Role{
		Account: account, Name: name, Inline: map[string]iam.Document{"p": {Version: iam.Version2012, Statements: []iam.Statement{
			{Effect: iam.Allow, Action: []string{action}, Resource: []string{resource}},
		}}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.dir.Session(role, "s", nil, nil, time.Hour).Caller
}

func errorCode(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

// put writes messages to a stream, one a second, and makes the stream and its group when missing.
func (w *world) put(group, stream string, messages ...string) {
	w.t.Helper()
	c := w.root.Caller
	for _, err := range []error{w.logs.CreateGroup(c, at, group), w.logs.CreateStream(c, at, group, stream)} {
		if err != nil && errorCode(err) != "ResourceAlreadyExistsException" {
			w.t.Fatal(err)
		}
	}
	for _, m := range messages {
		if err := w.logs.Put(c, at, group, stream, []Event{{Time: w.clock.Now(), Message: m}}); err != nil {
			w.t.Fatal(err)
		}
		w.clock.Advance(time.Second)
	}
}

func text(events []Event) string {
	var out []string
	for _, e := range events {
		out = append(out, e.Message)
	}
	return strings.Join(out, " ")
}

func TestFilter(t *testing.T) {
	w := newWorld(t)
	w.put("/site", "a/1", "one error")
	w.put("/site", "b/2", "two")
	between := w.clock.Now()
	w.put("/site", "a/1", "three Error", "four error")
	tests := map[string]struct {
		query Query
		want  string
	}{
		"all, in order":    {Query{}, "one error two three Error four error"},
		"one stream":       {Query{Streams: []string{"b/2"}}, "two"},
		"by prefix":        {Query{Prefix: "a/"}, "one error three Error four error"},
		"since":            {Query{Span: Span{From: between}}, "three Error four error"},
		"until":            {Query{Span: Span{To: between}}, "one error two"},
		"a word":           {Query{Pattern: "error"}, "one error four error"},
		"two words":        {Query{Pattern: "error four"}, "four error"},
		"a phrase":         {Query{Pattern: `"three Error"`}, "three Error"},
		"phrase and word":  {Query{Pattern: `"four e" error`}, "four error"},
		"none":             {Query{Pattern: "five"}, ""},
		"of an empty span": {Query{Span: Span{From: between, To: between}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := w.logs.Filter(w.root.Caller, at, "/site", test.query)
			if err != nil || text(got) != test.want {
				t.Errorf("%q, %v, want %q", text(got), err, test.want)
			}
		})
	}
}

func TestPatternRefused(t *testing.T) {
	for pattern, code := range map[string]string{
		`{ $.level = "error" }`: "NotEmulated", "[a, b]": "NotEmulated", "?a ?b": "NotEmulated", "-debug": "NotEmulated",
		"%a+%": "NotEmulated", `"open`: "InvalidParameterException",
	} {
		if _, err := newPattern(pattern); errorCode(err) != code {
			t.Errorf("%s: %v, want %s", pattern, err, code)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("error", "an error")
	f.Add(`"a b" c`, "c a b")
	f.Fuzz(func(t *testing.T, pattern, message string) {
		match, err := newPattern(pattern)
		if err == nil && match(message) && !match(message+" and more") {
			t.Fatalf("%q matches %q but not more of it", pattern, message)
		}
	})
}

func TestRetention(t *testing.T) {
	w := newWorld(t)
	w.put("/site", "s", "old")
	if err := w.logs.SetRetention(w.root.Caller, at, "/site", 7); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(6 * 24 * time.Hour)
	w.put("/site", "s", "new")
	events := func() string {
		t.Helper()
		out, err := w.logs.Events(w.root.Caller, at, "/site", "s", Span{})
		if err != nil {
			t.Fatal(err)
		}
		return text(out)
	}
	if got := events(); got != "old new" {
		t.Errorf("after 6 days: %s", got)
	}
	w.clock.Advance(2 * 24 * time.Hour)
	if got := events(); got != "new" {
		t.Errorf("after 8 days: %s", got)
	}
	groups, err := w.logs.Groups(w.root.Caller, at, "/s")
	if err != nil || len(groups) != 1 || groups[0].Retention != 7 || groups[0].StoredBytes != int64(len("new")+eventOverhead) {
		t.Errorf("%+v, %v", groups, err)
	}
	if err := w.logs.SetRetention(w.root.Caller, at, "/site", 8); errorCode(err) != "InvalidParameterException" {
		t.Errorf("8 days: %v", err)
	}
	if err := w.logs.SetRetention(w.root.Caller, at, "/site", 0); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.put("/site", "s", "one")
	c, now := w.root.Caller, w.clock.Now()
	event := func(messages ...string) []Event {
		var out []Event
		for _, m := range messages {
			out = append(out, Event{Time: now, Message: m})
		}
		return out
	}
	tests := map[string]struct {
		err  error
		code string
	}{
		"a group twice":       {w.logs.CreateGroup(c, at, "/site"), "ResourceAlreadyExistsException"},
		"a group's name":      {w.logs.CreateGroup(c, at, "a b"), "InvalidParameterException"},
		"a stream twice":      {w.logs.CreateStream(c, at, "/site", "s"), "ResourceAlreadyExistsException"},
		"a stream's name":     {w.logs.CreateStream(c, at, "/site", "a:b"), "InvalidParameterException"},
		"no group":            {w.logs.CreateStream(c, at, "/other", "s"), "ResourceNotFoundException"},
		"no group to delete":  {w.logs.DeleteGroup(c, at, "/other"), "ResourceNotFoundException"},
		"another region":      {w.logs.DeleteGroup(c, Place{account, "eu-west-1"}, "/site"), "ResourceNotFoundException"},
		"no stream":           {w.logs.Put(c, at, "/site", "t", event("x")), "ResourceNotFoundException"},
		"no events":           {w.logs.Put(c, at, "/site", "s", nil), "InvalidParameterException"},
		"an empty event":      {w.logs.Put(c, at, "/site", "s", event("")), "InvalidParameterException"},
		"too many events":     {w.logs.Put(c, at, "/site", "s", make([]Event, maxBatch+1)), "InvalidParameterException"},
		"too large":           {w.logs.Put(c, at, "/site", "s", event(strings.Repeat("x", maxBatchBytes))), "InvalidParameterException"},
		"events out of order": {w.logs.Put(c, at, "/site", "s", []Event{{Time: now, Message: "a"}, {Time: now.Add(-1), Message: "b"}}), "InvalidParameterException"},
	}
	for name, test := range tests {
		if errorCode(test.err) != test.code {
			t.Errorf("%s: %v, want %s", name, test.err, test.code)
		}
	}
}

func TestDecided(t *testing.T) {
	group := "arn:aws:logs:us-east-1:222222222222:log-group:/site"
	events := []Event{{Time: time.Now(), Message: "x"}}
	operations := map[string]func(s *Service, c accounts.Caller) error{
		"CreateLogGroup":        func(s *Service, c accounts.Caller) error { return s.CreateGroup(c, at, "/site2") },
		"DeleteLogGroup":        func(s *Service, c accounts.Caller) error { return s.DeleteGroup(c, at, "/site") },
		"PutRetentionPolicy":    func(s *Service, c accounts.Caller) error { return s.SetRetention(c, at, "/site", 1) },
		"DeleteRetentionPolicy": func(s *Service, c accounts.Caller) error { return s.SetRetention(c, at, "/site", 0) },
		"DescribeLogGroups":     func(s *Service, c accounts.Caller) error { _, err := s.Groups(c, at, ""); return err },
		"CreateLogStream":       func(s *Service, c accounts.Caller) error { return s.CreateStream(c, at, "/site", "t") },
		"PutLogEvents":          func(s *Service, c accounts.Caller) error { return s.Put(c, at, "/site", "s", events) },
		"DescribeLogStreams":    func(s *Service, c accounts.Caller) error { _, err := s.Streams(c, at, "/site", ""); return err },
		"GetLogEvents":          func(s *Service, c accounts.Caller) error { _, err := s.Events(c, at, "/site", "s", Span{}); return err },
		"FilterLogEvents":       func(s *Service, c accounts.Caller) error { _, err := s.Filter(c, at, "/site", Query{}); return err },
	}
	for action, do := range operations {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t)
			w.put("/site", "s", "one")
			if err := do(w.logs, w.somebody("without", "s3:*", "*")); errorCode(err) != "AccessDenied" || !strings.Contains(wire.AsError(err).Message, "logs:"+action) {
				t.Errorf("without a grant: %v", err)
			}
			if err := do(w.logs, w.somebody("with", "logs:"+action, "*")); err != nil {
				t.Errorf("with the grant: %v", err)
			}
			if action == "DescribeLogGroups" || action == "CreateLogGroup" {
				return
			}
			if action != "DeleteLogGroup" && action != "CreateLogStream" {
				if err := do(w.logs, w.somebody("group", "logs:"+action, group+":*")); err != nil {
					t.Errorf("with the grant on the group: %v", err)
				}
			}
			if err := do(w.logs, w.somebody("other", "logs:"+action, group+"3:*")); errorCode(err) != "AccessDenied" {
				t.Errorf("with a grant on another group: %v", err)
			}
		})
	}
}
