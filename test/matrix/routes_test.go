package matrix

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/templates"
	"github.com/unstale/unstale/test/stage"
)

// route is what the tables need to know of a way across the border.
type route struct {
	name     string
	function string // the job function; empty: a state machine does its work
	account  string // where that function is
	across   string // who calls CloudFront, as the script of faults names callers
	calls    int    // that a good run makes at least
	moments  []moment
	// completion is when the points of presence of an ordinary invalidation purge.
	completion []time.Duration
	edits      map[string][][2]string // of templates, by their names: what to replace by what
	// announces keeps the action before the deploy, which is left out elsewhere: it is a job of its own.
	announces bool
	// fallback is for how many seconds the fallback page is cached; empty: what the stories have, and every
	// release waits for that.
	fallback string
}

// moment is how a call ends badly, or the one that makes it.
type moment struct {
	name string
	do   func() faults.Action
}

// deaths are when a function dies with a call.
var deaths = []moment{
	{"before the call arrives", faults.KillInstead},
	{"done, before the reply", faults.KillBefore},
	{"after the reply", faults.KillAfter},
}

// losses befall the calls of who cannot be killed: AWS keeps a state machine's place.
var losses = []moment{
	{"lost before it arrives", faults.Cut},
	{"done, the reply is lost", faults.Lose},
	{"done twice", faults.Twice},
	{"fails once", busy},
}

// soon has functions, whose looks come at 33, 43, 54, ... ms, see an invalidation in progress once and
// then completed.
var soon = []time.Duration{15 * time.Millisecond, 30 * time.Millisecond, 45 * time.Millisecond}

// Edits of the templates let a row choose the parameters of the purge, and give the functions less time
// than on AWS, so that the end of it comes soon.
var (
	parameters = [2]string{
		`{\"targets\":[\"${Target}\"],\"release\":\"#{codepipeline.PipelineExecutionId}\"}`,
		`{\"targets\":[\"${Target}\"],\"release\":\"#{codepipeline.PipelineExecutionId}\"#{Row.Parameters}}`,
	}
	namespace   = [2]string{`"Name": "Build",`, `"Name": "Build", "Namespace": "Row",`}
	shortJob    = [2]string{`"Timeout": 90`, `"Timeout": 6`}
	shortInvoke = [2]string{`"Timeout": 30`, `"Timeout": 3`}
)

var relay = route{
	name: "relay", function: job, account: story.PipelineAccount, across: invalidator, calls: 10, moments: deaths, completion: soon,
	edits: map[string][][2]string{"pipeline-relay": {parameters, namespace, shortJob}, "delivery-relay": {shortInvoke}},
}

// routes are all of them.
var routes = []route{
	relay,
	{
		name: "assume", function: job, account: story.PipelineAccount, across: job, calls: 9, moments: deaths, completion: soon,
		edits: map[string][][2]string{"pipeline-assume": {parameters, namespace, shortJob}},
	},
	{
		name: "direct", function: job, account: story.DeliveryAccount, across: job, calls: 9, moments: deaths, completion: soon,
		edits: map[string][][2]string{"pipeline-direct": {parameters, namespace}, "delivery-direct": {shortJob}},
	},
	{
		// The machine looks after 6 s and then every 3 s.
		name: "states", across: "unstale-purge", calls: 3, moments: losses, completion: []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second},
	},
	{
		name: "same-account", function: job, account: story.PipelineAccount, across: job, calls: 8, moments: deaths, completion: soon,
		edits: map[string][][2]string{"same-account": {parameters, namespace, shortJob}},
	},
}

// The tables leave no route out.
func TestEveryRouteIsHere(t *testing.T) {
	for _, name := range templates.Routes() {
		if on(name).name == "" {
			t.Errorf("no table knows route %s", name)
		}
	}
}

// on is the route of a name.
func on(name string) route {
	for _, r := range routes {
		if r.name == name {
			return r
		}
	}
	return route{}
}

// delivery is the template that has the site.
func (r route) delivery() string {
	if r.name == "same-account" {
		return r.name
	}
	return "delivery-" + r.name
}

// who knows the job function by its viewer, and behind the roles that only it is given or takes on: the
// artifact credentials', the delivery account's, the one that answers. The other functions and machines
// call under their own names.
func (r route) who(x front.Exchange) string {
	switch arn := x.Call.Caller.ARN; {
	case x.Service == faults.Viewer && x.Request.UserAgent() == "unstale-viewer":
		return job
	case r.function == "" || !strings.Contains(arn, ":assumed-role/") || strings.HasSuffix(arn, "/"+invalidator):
		return ""
	default:
		return job
	}
}

// template makes the edits of the route.
func (r route) template(name string, text []byte) []byte {
	for _, edit := range r.edits[name] {
		if !bytes.Contains(text, []byte(edit[0])) {
			panic("the template " + name + " has no " + edit[0])
		}
		text = bytes.ReplaceAll(text, []byte(edit[0]), []byte(edit[1]))
	}
	if r.announces {
		return text
	}
	return stage.WithoutAnnounce(text)
}
