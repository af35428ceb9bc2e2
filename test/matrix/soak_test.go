package matrix

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

var (
	soakFor = flag.Duration("soak", 2*time.Second, "how long to soak")
	seed    = flag.Uint64("seed", 0, "of the soak; without one, a soak that is asked for draws one")
)

// tally is what a soak came to. The last three have to be 0.
type tally struct {
	Runs   int `json:"runs"`
	Faults int `json:"faults"` // calls that were struck, deliveries and refusals besides
	Kills  int `json:"kills"`
	// Unanswered are jobs that ran into AWS's silence timeout although an answer was possible.
	Unanswered int `json:"unanswered"`
	Double     int `json:"double"` // attempts that were charged more than one invalidation
	False      int `json:"false"`  // a pipeline that said what is not so
}

// soaked is the tally to print at the end; nil: nobody asked for a soak.
var soaked *tally

func printTally() {
	if soaked != nil {
		line, _ := json.Marshal(soaked) // six numbers always marshal
		fmt.Println(string(line))
	}
}

// TestSoak plays releases under random faults for a while. make soak SOAK=2m makes it longer, SEED=n
// the same again. What a seed draws does not depend on time; how calls meet does.
func TestSoak(t *testing.T) {
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "soak" })
	if asked && *seed == 0 {
		*seed = rand.Uint64()
	}
	if asked {
		fmt.Printf("seed %d\n", *seed)
	}
	var mu sync.Mutex
	total := &tally{}
	hurried := relay
	hurried.fallback = "0" // more releases, none of which waits
	lanes := []*world{newWorld(t, relay, nil), newWorld(t, hurried, nil)}
	until := time.Now().Add(*soakFor)
	var worlds sync.WaitGroup
	for lane, w := range lanes {
		worlds.Go(func() {
			for run := 0; time.Now().Before(until); run++ {
				day := draw(rand.New(rand.NewPCG(*seed, uint64(lane)<<32+uint64(run))))
				got := w.play(day.row)
				mu.Lock()
				if wrong := total.add(day, got); wrong != "" {
					t.Errorf("lane %d, run %d: %s; struck %v; %s", lane, run, wrong, got.struck, got)
				}
				mu.Unlock()
			}
		})
	}
	worlds.Wait()
	if asked {
		soaked = total
	}
	t.Logf("%+v", *total)
	if total.Runs == 0 || total.Faults == 0 {
		t.Error("nothing was tried")
	}
}

// add counts a run and says what was wrong with it; empty: nothing.
func (n *tally) add(d *day, got result) (wrong string) {
	n.Runs++
	n.Faults += len(got.struck) + d.besides
	for _, killed := range d.killed {
		n.Kills += killed
	}
	if strings.Contains(got.message(), silence) && d.killed[job] < attempts {
		n.Unanswered++
		wrong = "unanswered"
	}
	if len(got.created) > 1 {
		n.Double++
		wrong = "double"
	}
	// What was said of viewers who met errors at the time was true then.
	if lie := got.lie(); lie != "" && (got.status == codepipeline.Succeeded || !d.outage) {
		n.False++
		wrong = "false: " + lie
	}
	return wrong
}

// attempts is how often Lambda tries an event: the first time and two more.
const attempts = 3

// day is a random row, and what is known of it.
type day struct {
	row
	mu      sync.Mutex
	killed  map[string]int // deaths by function
	besides int            // faults that strike no call
	outage  bool           // viewers may have got no answer, or errors, for a while
}

// deadly counts the deaths that an action deals.
func (d *day) deadly(kill faults.Action) faults.Action {
	return func(s *faults.Script, c faults.Call, x front.Exchange) {
		d.mu.Lock()
		d.killed[c.Function]++
		d.mu.Unlock()
		kill(s, c, x)
	}
}

// targets are the calls that can be struck.
var targets = []struct{ function, service, operation string }{
	{job, "s3", getObject},
	{job, "s3", putObject},
	{invalidator, "s3", getObject},
	{job, "lambda", invoke},
	{job, "codepipeline", success},
	{job, faults.Viewer, "GET /"},
	{job, faults.Viewer, "GET /index.html"},
	{invalidator, cloudFront, describe},
	{invalidator, cloudFront, list},
	{invalidator, cloudFront, create},
	{invalidator, cloudFront, get},
	{invalidator, faults.Start, "AssumeRole"},
	{job, faults.Start, "AssumeRole"},
}

// draw makes a day of up to four faults.
func draw(r *rand.Rand) *day {
	d := &day{killed: map[string]int{}}
	for range 1 + r.IntN(4) {
		at := targets[r.IntN(len(targets))]
		from := 1 + r.IntN(2)
		d.rules = append(d.rules, faults.Rule{
			Function: at.function, Service: at.service, Operation: at.operation, From: from, To: from + r.IntN(3), Do: d.action(r, at.service),
		})
		d.outage = d.outage || at.service == faults.Viewer
	}
	for range 3 {
		d.delays = append(d.delays, time.Duration(5+r.IntN(70))*time.Millisecond)
	}
	switch r.IntN(12) {
	case 0:
		d.delays[r.IntN(3)] = time.Duration(1+r.IntN(90)) * time.Second
		d.besides++
	case 1:
		late := time.Duration(r.IntN(40_000)) * time.Millisecond
		d.deliveries = func(int) []time.Duration { return []time.Duration{0, late} }
		d.besides++
	case 2:
		d.refuse = refusing([]string{job, invalidator}[r.IntN(2)], 1+r.IntN(3), wire.Errorf(429, "TooManyRequestsException", "Rate Exceeded."))
		d.besides++
	case 3:
		d.stale = map[string]bool{here: true, "NRT57-P3": r.IntN(2) == 0}
		d.besides++
	}
	return d
}

// action draws what befalls a call.
func (d *day) action(r *rand.Rand, service string) faults.Action {
	fails := []faults.Action{busy(), throttled()}
	if service == cloudFront {
		fails = append(fails, full())
	}
	if service == faults.Start {
		return throttled()
	}
	switch n := r.IntN(20); {
	case n < 7:
		return d.deadly(deaths[r.IntN(len(deaths))].do())
	case n < 11:
		return fails[r.IntN(len(fails))]
	case n < 13:
		return faults.Lose()
	case n < 15:
		return faults.Cut()
	case n < 17:
		return faults.Twice()
	case n < 18 && service != "s3":
		return faults.Hang()
	}
	return faults.Delay(time.Duration(r.IntN(80)) * time.Millisecond)
}

// What a soak counts is counted: it must be able to fail.
func TestTally(t *testing.T) {
	ended := func(status, message string, served string) result {
		return result{release: "2", status: status, views: []story.View{{Release: served}}, execution: codepipeline.Execution{
			Stages: []codepipeline.StageState{{Actions: []codepipeline.ActionState{{Name: "Purge", Message: message}}}},
		}}
	}
	good := ended(codepipeline.Succeeded, "seen", "2")
	charged := good
	charged.created = make([]cloudfront.Invalidation, 2)
	died := func(n int) *day { return &day{killed: map[string]int{job: n}} }
	const unseen = "is completed, but viewers do not see the release"
	for _, tt := range []struct {
		what string
		got  result
		day  *day
		want tally
	}{
		{"a good day", good, died(0), tally{Runs: 1}},
		{"succeeded, and viewers get the old release", ended(codepipeline.Succeeded, "seen", "1"), died(0), tally{Runs: 1, False: 1}},
		{"failed for viewers who see it", ended(codepipeline.Failed, unseen, "2"), died(0), tally{Runs: 1, False: 1}},
		{"failed for viewers who met errors", ended(codepipeline.Failed, unseen, "2"), &day{outage: true}, tally{Runs: 1}},
		{"failed for viewers who do not see it", ended(codepipeline.Failed, unseen, "1"), died(0), tally{Runs: 1}},
		{"two invalidations", charged, died(0), tally{Runs: 1, Double: 1}},
		{"silence, though it died twice only", ended(codepipeline.Failed, silence, "1"), died(2), tally{Runs: 1, Kills: 2, Unanswered: 1}},
		{"silence of the dead", ended(codepipeline.Failed, silence, "1"), died(3), tally{Runs: 1, Kills: 3}},
	} {
		n := &tally{}
		wrong := n.add(tt.day, tt.got)
		if *n != tt.want || (wrong == "") != (n.Unanswered+n.Double+n.False == 0) {
			t.Errorf("%s: %+v, %q; want %+v", tt.what, *n, wrong, tt.want)
		}
	}
}
