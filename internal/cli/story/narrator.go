package story

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/templates"
)

// Title opens the show.
func (n Narrator) Title(route string) {
	n.line(0, "%s", n.paint(bold, "unstale rehearse, route "+route))
	if a, b := AccountsOf(route); a == b {
		n.line(0, "A %s  the account of the pipeline and the site", a)
		return
	}
	n.line(0, "A %s  pipeline account      B %s  delivery account", PipelineAccount, DeliveryAccount)
}

// Release opens a chapter.
func (n Narrator) Release(release string) {
	if n.p != nil {
		n.p.mu.Lock()
		n.p.seen = map[string]bool{}
		n.p.mu.Unlock()
	}
	n.line(0, "%s", n.paint(bold, "release "+release+": git push to the pipeline account"))
}

// Viewers shows what viewers got.
func (n Narrator) Viewers(when string, views []View) {
	n.line(1, "%s", n.paint(bold, "viewers: "+when))
	for _, v := range views {
		address := v.URL
		if u, err := url.Parse(v.URL); err == nil && n.p != nil && n.p.Width > 0 {
			if n.news(u.Host) {
				n.line(2, "%s", n.paint(dim, "https://"+u.Host))
			}
			address = u.EscapedPath()
		}
		n.line(2, "%-9s  release %-4s %-22s %s", v.POP, v.Release, v.XCache, n.paint(dim, address))
	}
}

// Event shows what happened at AWS.
func (n Narrator) Event(e journal.Event) {
	switch data := e.Data.(type) {
	case templates.Event:
		if data.Type == "AWS::CloudFormation::Stack" {
			n.line(1, "%s  stack %-28s %s", letter(data.Account), data.Stack, n.status(data.Status))
		} else if strings.HasSuffix(data.Status, "FAILED") {
			n.line(2, "%s %s: %s", data.LogicalID, n.status(data.Status), data.Reason)
		}
	case codepipeline.ActionStateChange:
		if !n.news(data.Execution + data.Stage + data.Action.Name + data.Action.Status) {
			return // the same state again, with a detail more
		}
		text := fmt.Sprintf("%-8s %-8s %s", data.Stage, data.Action.Name, n.status(data.Action.Status))
		n.work(data.Action)
		why := data.Action.Message + data.Action.Summary
		if data.Action.Status == codepipeline.Failed && n.brief() {
			why = "" // it is told at the end, with the rest of the explanation
		}
		if why != "" && data.Action.Status != codepipeline.InProgress {
			text += "  " + n.paint(dim, why)
		}
		n.line(1, "%s", text)
	case codepipeline.ExecutionStateChange:
		n.line(1, "pipeline %s %s", data.Pipeline, n.status(data.Status))
	case states.StateChange:
		n.state(data)
	case cloudfront.InvalidationCreated:
		i := data.Invalidation
		n.line(2, "invalidation %s of %s: %s", i.ID, i.Distribution, strings.Join(i.Items, " "))
	case cloudfront.PopPurged:
		n.line(2, "%-9s  purged %d cached answers", data.POP, data.Removed)
	case cloudfront.InvalidationCompleted:
		n.line(2, "invalidation %s %s", data.Invalidation.ID, n.status(data.Invalidation.Status))
	}
}

// state shows what a state machine does: its tasks, its troubles and its end.
func (n Narrator) state(s states.StateChange) {
	switch {
	case s.What == "Retrying":
		n.line(2, "state %s  %s in %s: %s", s.State, n.paint(amber, "again"), s.Delay.Round(time.Second), s.Error)
	case s.What == "Caught":
		n.line(2, "state %s  %s", s.State, n.paint(red, s.Error))
	case s.What == "Entered" && s.Type != "Choice" && s.Type != "Pass" && n.news(s.Execution+s.State):
		n.line(2, "state %s", s.State)
	}
}

// Call shows a call that crossed the border, once a release for each kind, and every denial.
func (n Narrator) Call(c journal.Call) {
	if n.p == nil {
		return
	}
	denied := c.Decision != "allow"
	if !denied && (c.Caller == "" || c.Caller == c.Account) {
		return
	}
	key := c.Principal + c.Action + c.Resource[:strings.LastIndexAny("/"+c.Resource, "/:")]
	if !n.news(key) && !denied {
		return
	}
	n.line(2, "%s %s %s", n.paint(cyan, "border "+letter(c.Caller)+"->"+letter(c.Account)), c.Action, c.Resource)
	word := n.paint(green, "allowed by")
	if denied {
		word = n.paint(red, "refused by")
	}
	n.line(3, "%s %s", word, c.Statement)
	if denied && !n.brief() {
		n.remedy(c.Remedy)
	}
}

// remedy shows the statement that is missing, as it can be copied.
func (n Narrator) remedy(remedy string) {
	start := strings.IndexByte(remedy, '{')
	if start < 0 {
		return
	}
	n.line(3, "add %s", strings.TrimSpace(remedy[:start]))
	var statement json.RawMessage
	if json.Unmarshal([]byte(remedy[start:]), &statement) == nil {
		if indented, err := json.MarshalIndent(statement, "", "  "); err == nil {
			n.verbatim(4, strings.Split(string(indented), "\n"))
			return
		}
	}
	n.verbatim(4, []string{remedy[start:]})
}

// Failed shows why a pipeline's actions failed that say too little of it: what their builds printed.
func (n Narrator) Failed(p Pipeline) {
	for _, st := range p.Stages {
		for _, a := range st.Actions {
			if len(a.Log) > 0 {
				n.line(1, "%s", n.paint(bold, "the build's last "+counted(len(a.Log), "line")))
				n.verbatim(2, a.Log)
			}
		}
	}
}

// Command shows what a build does now.
func (n Narrator) Command(command string) {
	first, more, _ := strings.Cut(strings.TrimSpace(command), "\n")
	if more != "" {
		first += " ..."
	}
	n.line(2, "%s", n.paint(dim, "$ "+first))
}

func (n Narrator) status(s string) string {
	switch {
	case strings.Contains(s, "FAILED"), strings.Contains(s, "ROLLBACK"), s == codepipeline.Failed:
		return n.paint(red, s)
	case strings.HasSuffix(s, "COMPLETE"), s == codepipeline.Succeeded, s == cloudfront.Completed:
		return n.paint(green, s)
	}
	return n.paint(amber, s)
}

func letter(account string) string {
	switch account {
	case PipelineAccount:
		return "A"
	case DeliveryAccount:
		return "B"
	}
	return "AWS"
}

// End closes the show of a story that went well.
func (n Narrator) End(r Report) {
	crossings := map[string]bool{}
	for _, c := range r.Calls {
		if c.Caller != "" && c.Caller != c.Account && c.Decision == "allow" {
			crossings[c.Action] = true
		}
	}
	n.line(0, "%s in %.1f s: %d calls decided, %d kinds of them across the border; every point of presence serves release 2",
		n.paint(green, "done"), r.Seconds, len(r.Calls), len(crossings))
}
