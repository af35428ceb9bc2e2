package lambda

import (
	"regexp"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/logs"
)

// written is what a log group holds, without what differs from run to run.
func (w *world) written(group string) string {
	w.t.Helper()
	events, err := w.logs.Filter(w.root[accountB].Caller, logs.Place{Account: accountB, Region: region}, group, logs.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.Message)
	}
	text := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(b.String(), "ID")
	return regexp.MustCompile(`[0-9.]+ ms|Used: \d+ MB`).ReplaceAllString(text, "N")
}

func TestOutputIsLogged(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.LoggingConfig = &Logging{LogGroup: "/site/worker"} })
	w.call(accountB, "worker", `{"do":"print","text":"one"}`)
	w.call(accountB, "worker", `{"do":"print","text":"two"}`)
	want := `START RequestId: ID Version: $LATEST
one
and on stderr
END RequestId: ID
REPORT RequestId: ID	Duration: N	Billed Duration: N	Memory Size: 128 MB	Max Memory N	Init Duration: N	
START RequestId: ID Version: $LATEST
two
and on stderr
END RequestId: ID
REPORT RequestId: ID	Duration: N	Billed Duration: N	Memory Size: 128 MB	Max Memory N	
`
	if got := w.written("/site/worker"); got != want {
		t.Errorf("logged:\n%s\nwant:\n%s", got, want)
	}
	streams, err := w.logs.Streams(w.root[accountB].Caller, logs.Place{Account: accountB, Region: region}, "/site/worker", "")
	if err != nil || len(streams) != 1 || !regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`).MatchString(streams[0].Name) {
		t.Errorf("%v, %v", streams, err)
	}
}

// TestRoleMayNotLog: then the output is lost, the function works all the same, and the journal
// has the denial.
func TestRoleMayNotLog(t *testing.T) {
	group := "arn:aws:logs:us-east-1:222222222222:log-group:/site/worker"
	tests := map[string]struct {
		statements []string
		denied     string
		logged     bool
	}{
		"all on the group":    {[]string{allow("logs:*", group+":*")}, "", true},
		"nothing":             {nil, "logs:CreateLogStream", false},
		"no stream":           {[]string{allow("logs:PutLogEvents", group+":*")}, "logs:CreateLogStream", false},
		"no events":           {[]string{allow("logs:CreateLogStream", group+":*")}, "logs:PutLogEvents", false},
		"another group":       {[]string{allow("logs:*", group+"2:*")}, "logs:CreateLogStream", false},
		"group without its *": {[]string{allow("logs:*", group)}, "logs:CreateLogStream", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			at := logs.Place{Account: accountB, Region: region}
			if err := w.logs.CreateGroup(w.root[accountB].Caller, at, "/site/worker"); err != nil {
				t.Fatal(err)
			}
			w.role(accountB, "worker", test.statements...)
			w.function(accountB, "worker", func(in *CreateInput) { in.LoggingConfig = &Logging{LogGroup: "/site/worker"} })
			w.call(accountB, "worker", `{"do":"print","text":"a line"}`)
			if got := strings.Contains(w.written("/site/worker"), "a line"); got != test.logged {
				t.Errorf("logged: %v", got)
			}
			var denied string
			for _, c := range w.journal.Calls() {
				if c.Decision == "deny" {
					denied = c.Action
					if c.Principal != accounts.SessionARN("arn:aws:iam::222222222222:role/worker", "worker") {
						t.Errorf("denied to %s", c.Principal)
					}
				}
			}
			if denied != test.denied {
				t.Errorf("denied %q, want %q", denied, test.denied)
			}
		})
	}
}

// TestGroupIsMade: Lambda makes the log group when it is missing and the role may.
func TestGroupIsMade(t *testing.T) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker") // its role may do all with logs
	w.call(accountB, "worker", `{"do":"print","text":"a line"}`)
	if !strings.Contains(w.written("/aws/lambda/worker"), "a line") {
		t.Error("nothing was logged")
	}
	at := logs.Place{Account: accountB, Region: region}
	if err := w.logs.DeleteGroup(w.root[accountB].Caller, at, "/aws/lambda/worker"); err != nil {
		t.Fatal(err)
	}
	w.call(accountB, "worker", `{"do":"print","text":"lost"}`) // the stream it writes to is gone
	w.call(accountB, "worker", `{"do":"print","text":"found"}`)
	if got := w.written("/aws/lambda/worker"); !strings.Contains(got, "found") {
		t.Errorf("logged: %s", got)
	}
}
