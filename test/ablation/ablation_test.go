// Package ablation takes out of the templates, one at a time, every grant that they make, and shows
// what stops working and who says so; and that nothing is granted which no release needs.
package ablation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/templates"
	"github.com/unstale/unstale/test/stage"
)

func TestMain(m *testing.M) { stage.Main(m) }

// The scenarios succeed with the templates as they are, whatever CloudFront answers to a reference
// that it knows, and without a single call being refused.
func TestScenariosSucceed(t *testing.T) {
	for name, reuse := range map[string]cloudfront.Reuse{
		"the earlier invalidation":       cloudfront.ReuseDocumented,
		"InvalidArgument":                cloudfront.ReuseInvalidArgument,
		"InvalidationBatchAlreadyExists": cloudfront.ReuseAlreadyExists,
	} {
		for _, route := range templates.Routes() {
			t.Run(route+"/a known reference is answered "+name, func(t *testing.T) {
				t.Parallel()
				play := entrance(enterBare) // git and the builds know nothing of references
				if reuse == cloudfront.ReuseDocumented {
					play = enter
				}
				w, err := play(t, route, reuse, nil)
				if err != nil {
					t.Fatal(err)
				}
				playAll(t, w)
				for _, c := range refused(w.journal) {
					t.Errorf("refused: %s", c.Reason)
				}
			})
		}
	}
}

func playAll(t *testing.T, w *world) {
	t.Helper()
	for _, s := range scenariosOf(w.route) {
		if f := s.play(w, t); f != nil {
			t.Errorf("scenario %s fails: %v", s.name, f)
		}
	}
}

// Without its grant each row fails where it says, within seconds of the rehearsal's time, and the
// journal names who was refused what by which layer, and the statement to add.
func TestEveryGrantIsNeeded(t *testing.T) {
	for _, r := range table {
		for _, route := range r.on {
			e, play := r.entry(t, route), entrance(enter)
			if r.where == announce || r.where == deploy || r.where == purge || r.where == "log of "+job || r.where == "log of "+invalidator {
				play = enterBare // what comes before is the other rows' matter
			}
			t.Run(route+"/"+strings.ReplaceAll(e.String(), "/", "."), func(t *testing.T) {
				t.Parallel()
				w, scenario, f := e.take(t, route, play)
				if f == nil {
					t.Fatal("unneeded: every scenario succeeds without it")
				}
				t.Logf("%s fails at %s after %v: %s", scenario, f.where, f.took.Round(time.Second), f.says)
				if route == r.on[0] && len(r.same) > 0 {
					t.Logf("the statement is the same on %s", strings.Join(r.same, ", "))
				}
				if scenario != r.scenario || f.where != r.where {
					t.Errorf("scenario %s fails at %s, want %s at %s", scenario, f.where, r.scenario, r.where)
				}
				if says := r.words(); !strings.Contains(f.says, says) {
					t.Errorf("it does not say %q", says)
				}
				r.checkTime(t, f.took)
				r.checkRefusals(t, w, e.layer)
			})
		}
	}
}

// entrance is how a test gets its world: enter or enterBare.
type entrance func(t *testing.T, route string, reuse cloudfront.Reuse, change func(name string, text []byte) []byte) (*world, error)

// take deploys the route without the grant and plays the scenarios until one fails.
func (g grant) take(t *testing.T, route string, enter entrance) (w *world, scenario string, f *failed) {
	t.Helper()
	w, err := enter(t, route, cloudfront.ReuseAlreadyExists, func(name string, text []byte) []byte {
		if name == g.template {
			return g.without(t, text)
		}
		return text
	})
	if err != nil {
		_, stack, _ := strings.Cut(err.Error(), "create stack unstale-")
		stack, _, _ = strings.Cut(stack, ":")
		return w, deployment, &failed{where: "stack " + partOf(stack), says: err.Error()}
	}
	for _, s := range scenariosOf(route) {
		if f := s.play(w, t); f != nil {
			return w, s.name, f
		}
	}
	return w, "", nil
}

// A statement that several routes have is taken out on one; on each of the others it is used as well:
// the one who would be refused was allowed the action.
func TestTheSameStatementIsUsedOnEveryRoute(t *testing.T) {
	for _, route := range templates.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			w, err := enter(t, route, cloudfront.ReuseAlreadyExists, nil)
			if err != nil {
				t.Fatal(err)
			}
			playAll(t, w)
			for _, r := range table {
				if r.by == "" || !slices.Contains(r.same, route) {
					continue
				}
				if !slices.ContainsFunc(w.journal.Calls(), func(c journal.Call) bool {
					return c.Decision == "allow" && c.Action == r.action && r.calls(c)
				}) {
					t.Errorf("%s: %s never asks for it", r.grant.on(route), r.by)
				}
			}
		})
	}
}

// calls says whether a call is of the one who the row says is refused.
func (r row) calls(c journal.Call) bool {
	return c.Principal == r.by || strings.Contains(c.Principal, ":assumed-role/"+r.by+"/")
}

func (r row) words() string {
	if r.says != "" {
		return r.says
	}
	return r.action
}

// A minute is Lambda's wait before it tries again, which the replay needs.
func (r row) checkTime(t *testing.T, took time.Duration) {
	t.Helper()
	low, high := time.Duration(0), time.Minute
	switch {
	case r.silent:
		low, high = 20*time.Minute, 21*time.Minute
	case r.scenario == "replay":
		low, high = time.Minute, 2*time.Minute
	}
	if took < low || took > high {
		t.Errorf("it took %v of the rehearsal's time, want %v to %v", took, low, high)
	}
}

// checkRefusals looks for the refusal of the missing action, and lets no other pass.
func (r row) checkRefusals(t *testing.T, w *world, layer string) {
	t.Helper()
	calls := refused(w.journal)
	if r.by == "" {
		if len(calls) > 0 {
			t.Errorf("refused, though no call should be decided: %v", calls)
		}
		return
	}
	if len(calls) == 0 {
		t.Fatal("the journal has no refusal")
	}
	account, there := story.AccountsOf(w.route)
	if r.template == delivery {
		account = there
	}
	for _, c := range calls {
		if c.Action != r.action || c.Statement != layer {
			t.Errorf("%s is refused by the layer %s, want only %s by %s", c.Action, c.Statement, r.action, layer)
		}
		if !r.calls(c) {
			t.Errorf("the refused caller is %s, want %s", c.Principal, r.by)
		}
		if !strings.HasPrefix(c.Resource, "arn:aws:") && (c.Resource != "*" || !withoutResource[r.action]) {
			t.Errorf("the refused resource is %q", c.Resource)
		}
		checkRemedy(t, c, account, layer)
	}
}

// withoutResource are the needed actions for which AWS has no resource level. Source: Service
// Authorization Reference, CodePipeline and Lambda. That no statement of the templates has "*" for
// other actions is a test of infra.
var withoutResource = map[string]bool{
	"codepipeline:PutJobSuccessResult": true, "codepipeline:PutJobFailureResult": true, "lambda:ListFunctions": true,
}

// checkRemedy reads the statement to add, and where: it is the one that was taken out, as narrow as
// can be.
func checkRemedy(t *testing.T, c journal.Call, account, layer string) {
	t.Helper()
	place, text, _ := strings.Cut(c.Remedy, ": {")
	if want := "in account " + account + ", to the " + layer + " policy of arn:aws:"; !strings.HasPrefix(place, want) {
		t.Errorf("the remedy is for %q, want %q", place, want)
	}
	document, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[{` + text + `]}`))
	if err != nil {
		t.Fatalf("remedy %s: %v", c.Remedy, err)
	}
	s := document.Statements[0]
	if s.Effect != iam.Allow || len(s.Action) != 1 || s.Action[0] != c.Action {
		t.Errorf("the remedy allows %q, want %s", s.Action, c.Action)
	}
	switch layer {
	case "trust":
		if s.Resource != nil {
			t.Errorf("the remedy for a trust policy names the resource %q", s.Resource)
		}
	case "key":
		// In a key policy "*" is the key.
	default:
		if len(s.Resource) != 1 || s.Resource[0] != c.Resource && !strings.Contains(c.Resource, "$LATEST") {
			t.Errorf("the remedy is for %q, want %s", s.Resource, c.Resource)
		}
	}
	if (s.Principal != nil) != (layer != "identity") {
		t.Errorf("the remedy for the %s layer has the principal %+v", layer, s.Principal)
	}
}

// What AWS's documentation demands is really not used: without all of it every scenario succeeds and
// no call is refused, so that none of these grants was asked for, alone or together. Were one asked
// for, the journal would name it.
func TestDemandedGrantsAreNotExercised(t *testing.T) {
	for _, route := range templates.Routes() {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			list := demanded(t, route)
			w, err := enter(t, route, cloudfront.ReuseAlreadyExists, func(name string, text []byte) []byte {
				for _, g := range list {
					if g.template == name && g.role == "" { // with the action its roles are gone
						text = g.without(t, text)
					}
				}
				return text
			})
			if err != nil {
				t.Fatal(err)
			}
			playAll(t, w)
			for _, c := range refused(w.journal) {
				t.Errorf("%s is exercised: move it from demanded.json to the table: %s", c.Action, c.Reason)
			}
			t.Logf("%d grants are not exercised", len(list))
		})
	}
}

// refused are the calls that were denied.
func refused(j *journal.Journal) []journal.Call {
	var out []journal.Call
	for _, c := range j.Calls() {
		if c.Decision != "allow" {
			out = append(out, c)
		}
	}
	return out
}
