package routes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/gateway/assume"
	"github.com/unstale/unstale/internal/gateway/routes"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/codepipeline"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/templates"
)

// other is another site in the delivery account, which no function and no machine of the pipeline
// account is configured with. Its role trusts the very role that the pipeline's function has, so that
// nothing but names and lists keeps it apart.
type other struct{ distribution, role, external string }

const otherExternal = "other-1"

func (w *world) addOther(t *testing.T) other {
	t.Helper()
	text, err := templates.Get("delivery-assume")
	if err != nil {
		t.Fatal(err)
	}
	out, err := deploy.New(w.Config(w.delivery()), 5*time.Millisecond).Create(t.Context(), deploy.Stack{
		Name: "other", Template: text, Parameters: map[string]string{
			"Name": "other", "ExternalId": otherExternal, "PipelineAccount": story.PipelineAccount,
			"JobRoleArn":      "arn:aws:iam::" + story.PipelineAccount + ":role/unstale-job",
			"PipelineRoleArn": "", "ArtifactBucketArn": "", "ArtifactKeyArn": "",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return other{out["DistributionId"], out["PurgeRoleArn"], otherExternal}
}

// touches says whether a call concerns the other site, or something that only an attack names.
func (o other) touches(c journal.Call) bool {
	return strings.Contains(c.Resource, o.distribution) || strings.Contains(c.Resource, o.role) || strings.Contains(c.Resource, "theirs")
}

// attacks are UserParameters of somebody who may edit the pipeline and wants more.
func (o other) attacks() []string {
	const theirs = "arn:aws:lambda:us-east-1:222222222222:function:theirs:live"
	return []string{
		`{"targets":["other"]}`,
		fmt.Sprintf(`{"targets":[%q]}`, o.distribution),
		fmt.Sprintf(`{"targets":["site",%q]}`, o.distribution),
		fmt.Sprintf(`{"targets":[%q]}`, o.role),
		fmt.Sprintf(`{"targets":[%q]}`, theirs),
		fmt.Sprintf(`{"targets":[{"route":"assume","role":%q,"externalId":%q,"distribution":%q}]}`, o.role, o.external, o.distribution),
		fmt.Sprintf(`{"targets":{"site":{"route":"relay","function":%q,"distribution":%q}}}`, theirs, o.distribution),
		fmt.Sprintf(`{"targets":["site"],"distribution":%q}`, o.distribution),
		fmt.Sprintf(`{"targets":["site"],"role":%q,"externalId":%q}`, o.role, o.external),
		fmt.Sprintf(`{"targets":["site"],"function":%q}`, theirs),
		fmt.Sprintf(`{"targets":["site"],"callbackRole":%q}`, o.role),
		fmt.Sprintf(`{"targets":["site"],"route":"same-account","distribution":%q}`, o.distribution),
		fmt.Sprintf(`{"UNSTALE_TARGETS":{"site":{"route":"same-account","distribution":%q}}}`, o.distribution),
	}
}

// inputs are attacks on a state machine, by its input. It takes items out of that and nothing else.
func (o other) inputs() []string {
	return []string{
		fmt.Sprintf(`{"items":["/*"],"distribution":%q}`, o.distribution),
		fmt.Sprintf(`{"items":["/*"],"DistributionId":%q,"Distribution":%[1]q}`, o.distribution),
		fmt.Sprintf(`{"items":["/*"],"role":%q,"Credentials":{"RoleArn":%[1]q}}`, o.role),
		fmt.Sprintf(`{"items":["/*"],"StateMachineArn":%q}`, "arn:aws:states:us-east-1:111111111111:stateMachine:theirs"),
		fmt.Sprintf(`{"items":["/*"],"batch":{"reference":"mine"},"invalidation":{"id":"I1","distribution":%q}}`, o.distribution),
		fmt.Sprintf(`{"items":["/distribution/%s"]}`, o.distribution),
	}
}

// Whoever may edit only what the purge action is given cannot reach a distribution, role or function
// that the function's own configuration does not name.
func TestAnEditorOfThePipelineGainsNothing(t *testing.T) {
	forEachRoute(t, func(t *testing.T, w *world) {
		o := w.addOther(t)
		w.setTakes(15 * time.Millisecond)
		w.release() // the pipeline's time may skip
		defer func() { w.release = w.World.Clock().Busy() }()

		parameters, attacks, want := `{"targets":["site"]}`, o.attacks(), codepipeline.Failed
		if w.Machine() {
			parameters, attacks, want = `{"items":["/*"]}`, o.inputs(), codepipeline.Succeeded
		}
		if a := ended(t, w.run(t, honest, parameters), "Purge"); a.Status != codepipeline.Succeeded {
			t.Fatalf("an honest release: %s: %s", a.ErrorCode, a.Message)
		}
		attempt := func(attack, announcement, parameters, action string) {
			before, made := len(w.World.Journal().Calls()), w.Made()
			a := ended(t, w.run(t, announcement, parameters), action)
			if a.Status != want || want == codepipeline.Failed && a.ErrorCode != "ConfigurationError" {
				t.Errorf("%s %s: %s, %s: %s", action, attack, a.Status, a.ErrorCode, a.Message)
			}
			if !w.Machine() && w.Made() != made {
				t.Errorf("%s %s: an invalidation was made", action, attack)
			}
			for _, c := range w.World.Journal().Calls()[before:] {
				if o.touches(c) {
					t.Errorf("%s %s: %s tried %s on %s: %s", action, attack, c.Principal, c.Action, c.Resource, c.Decision)
				}
			}
		}
		for _, attack := range attacks {
			attempt(attack, honest, attack, "Purge")
			if !w.Machine() {
				attempt(attack, announcing(attack), parameters, "Announce")
			}
		}
		w.onlyOwn(t, o)
	})
}

// onlyOwn checks that nothing was ever purged but the route's own distribution.
func (w *world) onlyOwn(t *testing.T, o other) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.made {
		if i.Distribution != w.site.Distribution || i.Distribution == o.distribution {
			t.Errorf("invalidation %s was made on %s", i.ID, i.Distribution)
		}
	}
}

// Nor is there a way, even for whoever configures the pipeline account, to a distribution that the
// delivery account did not list.
func TestWhatTheDeliveryAccountDoesNotListIsRefused(t *testing.T) {
	forEachRoute(t, func(t *testing.T, w *world) {
		o := w.addOther(t)
		before := len(w.World.Journal().Calls())
		for name, attempt := range w.misconfigurations(t, o) {
			batch, err := invalidation.NewBatch(name, attempt.to.Distribution, []invalidation.Item{"/*"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = attempt.gate.Create(t.Context(), batch)
			if e := refusal(t, err); e.Code != attempt.code || attempt.action != "" && e.Action != attempt.action {
				t.Errorf("%s: %#v", name, err)
			}
		}
		for _, c := range w.World.Journal().Calls()[before:] {
			if o.touches(c) && c.Decision == "allow" {
				t.Errorf("%s was allowed %s on %s by %s", c.Principal, c.Action, c.Resource, c.Statement)
			}
		}
		w.onlyOwn(t, o)
		if w.Made() != 0 {
			t.Errorf("%d invalidations were made", w.Made())
		}
	})
}

// attempt is a way to the other site that the pipeline account could configure.
type attempt struct {
	to           target.Target
	gate         gateway.Gateway
	code, action string
}

func (w *world) misconfigurations(t *testing.T, o other) map[string]attempt {
	t.Helper()
	const create, assumes = "cloudfront:CreateInvalidation", "sts:AssumeRole"
	elsewhere := w.site
	elsewhere.Distribution = o.distribution
	switch w.route {
	case target.Relay:
		return map[string]attempt{"its distribution": {elsewhere, w.dial(t, elsewhere), gateway.DistributionNotAllowed, ""}}
	case target.States:
		w.redirect(t, o)
		return map[string]attempt{"its distribution": {elsewhere, w.dial(t, elsewhere), gateway.AccessDenied, create}}
	case target.Assume:
		role, guess := elsewhere, elsewhere
		role.Role, role.ExternalID = o.role, o.external
		guess.Role, guess.ExternalID = o.role, "guessed"
		wrong := w.site
		wrong.ExternalID = "guessed"
		return map[string]attempt{
			"its distribution by our role":      {elsewhere, w.dial(t, elsewhere), gateway.AccessDenied, create},
			"its role":                          {role, w.dial(t, role), gateway.AccessDenied, assumes},
			"its role without its ExternalId":   {guess, w.dial(t, guess), gateway.AccessDenied, assumes},
			"our role without its ExternalId":   {wrong, w.dial(t, wrong), gateway.AccessDenied, assumes},
			"its distribution without any role": {elsewhere, w.barehanded(t, elsewhere), gateway.AccessDenied, create},
		}
	}
	return map[string]attempt{"its distribution": {elsewhere, w.dial(t, elsewhere), gateway.AccessDenied, create}}
}

// barehanded calls CloudFront with the function's own credentials.
func (w *world) barehanded(t *testing.T, to target.Target) gateway.Gateway {
	t.Helper()
	to.Route = target.SameAccount
	g, err := routes.New(w.config(t)).Gateway(to, "")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// redirect makes the machine purge the other distribution, as whoever owns the pipeline account can.
func (w *world) redirect(t *testing.T, o other) {
	t.Helper()
	client := sfn.NewFromConfig(w.Config(story.PipelineAccount))
	arn := w.Outputs["StateMachineArn"]
	out, err := client.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	definition := strings.ReplaceAll(aws.ToString(out.Definition), w.site.Distribution, o.distribution)
	if definition == aws.ToString(out.Definition) {
		t.Fatal("the definition does not name the distribution")
	}
	if _, err := client.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: &definition, RoleArn: out.RoleArn}); err != nil {
		t.Fatal(err)
	}
}

// A session of the delivery account's role is narrower than the role, and named after the release.
func TestTheSessionIsNarrowerThanTheRole(t *testing.T) {
	w := newWorld(t, target.Assume)
	o := w.addOther(t)
	w.widen(t)
	role, err := target.ParseRole(w.site.Role)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := assume.SessionPolicy(role, w.site.Distribution)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config(t)
	cfg.Credentials = assume.Credentials(cfg, assume.Role{ARN: w.site.Role, ExternalID: w.site.ExternalID, Session: "release 2", Policy: policy})
	for _, tt := range []struct{ distribution, code string }{{w.site.Distribution, ""}, {o.distribution, gateway.AccessDenied}} {
		to := w.site
		to.Distribution = tt.distribution
		switch d, err := gateway.CloudFrontOf(cfg, to).Distribution(t.Context()); {
		case tt.code == "" && (err != nil || d.ID != tt.distribution):
			t.Errorf("its own distribution: %v", err)
		case tt.code != "" && (refusal(t, err).Code != tt.code || !strings.Contains(err.Error(), "no session policy")):
			t.Errorf("the other distribution: %v", err)
		}
	}
	last := w.World.Journal().Calls()
	if p := last[len(last)-1].Principal; p != "arn:aws:sts::"+story.DeliveryAccount+":assumed-role/unstale-purge/release-2" {
		t.Errorf("the delivery account's log names %s", p)
	}
}

// widen lets the purge role do everything, as a careless deployment would.
func (w *world) widen(t *testing.T) {
	t.Helper()
	everything, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"Everything","Effect":"Allow","Action":"cloudfront:*","Resource":"*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	err = w.World.Directory().UpdateRole(w.site.Role, func(r *accounts.Role) error {
		r.Inline = map[string]iam.Document{"everything": everything}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func refusal(t *testing.T, err error) *gateway.Error {
	t.Helper()
	e, ok := err.(*gateway.Error) //nolint:errorlint // gateways promise the type itself
	if !ok {
		t.Fatalf("%#v is no *gateway.Error", err)
	}
	return e
}

// The templates give the function what it needs to be configured with, so nothing is left for
// parameters to say: all that an action is given selects by name.
func TestTemplatesConfigureByName(t *testing.T) {
	for _, route := range templates.Routes() {
		steps, err := templates.Deployment(route)
		if err != nil {
			t.Fatal(err)
		}
		text, err := templates.Get(steps[len(steps)-1].Template)
		if err != nil {
			t.Fatal(err)
		}
		opened := openParameters("", text)
		announced := 1
		if route == "states" {
			announced = 0
		}
		if n, first := strings.Count(string(opened), "#{Editor.Parameters}"), strings.Count(string(opened), "#{Editor.Announcement}"); n != 1 || first != announced {
			t.Errorf("%s: %d purge and %d announce actions were opened", route, n, first)
		}
		given := slices.Concat(userParameters.FindAll(text, -1), input.FindAll(text, -1))
		for _, g := range given {
			if strings.Contains(string(g), "arn:") || strings.Contains(string(g), "istribution") {
				t.Errorf("%s: the action is given more than names: %s", route, g)
			}
		}
	}
}
