package targetfile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

const example = `# yaml-language-server: $schema=https://raw.githubusercontent.com/unstale/unstale/main/docs/schemas/unstale.schema.json
version: 1
defaults:
  profile: ${WHO}-ci
  region: eu-central-1
  wait: 5m
  preset: gentlest
  budget: $5
  deletes: true
  state: s3://my-state/unstale/
targets:
  shop:
    role: arn:aws:iam::${DELIVERY}:role/unstale-purge
    externalId: shop:1
    distribution: E1SHOP
    domain: shop.example.com
    groups: &all [web, all]
    verify:
      - /
      - /about
    budget: 40
    deletes: false
    bucket: my-site
    prefix: shop/
    appRoutes: [/cart, /items/*]
    rewrites:
      clean-urls: html
      arn:aws:cloudfront::222222222222:function/dirs: index
  docs: {route: relay, function: "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live", groups: *all, wait: none}
  own:
    route: same-account
    domain: www.example.com
    account: 012345670123
    appRoutes: []
    profile: "$${literally}"
  pipe: {route: direct, distribution: E4}
  "machine":
    route: states
    stateMachine: arn:aws:states:eu-west-1:111111111111:stateMachine:purge
    distribution: E5
`

func minutes(n int) *time.Duration {
	d := time.Duration(n) * time.Minute
	return &d
}

func TestParse(t *testing.T) {
	f := parse(t, example, "WHO", "team", "DELIVERY", "222222222222")
	base := Target{
		Profile: "team-ci", Region: "eu-central-1", Wait: minutes(5), Preset: plan.Gentlest, Deletes: true,
		Budget: plan.Budget{Unit: plan.PerMonth, Money: 5 * invalidation.Dollar}, State: State{"my-state", "unstale"},
	}
	shop, docs, own, pipe, machine := base, base, base, base, base
	shop.Target = target.Target{
		Name: "shop", Route: target.Assume, Distribution: "E1SHOP", Account: "222222222222",
		Role: "arn:aws:iam::222222222222:role/unstale-purge", ExternalID: "shop:1",
	}
	shop.Line, shop.Domain, shop.Groups, shop.Verify = 12, "shop.example.com", []string{"all", "web"}, []string{"/", "/about"}
	shop.Budget, shop.Deletes, shop.Bucket, shop.Prefix = plan.Budget{Unit: plan.PerPlan, Items: 40}, false, "my-site", "shop/"
	shop.AppRoutes = []string{"/cart", "/items/*"}
	shop.Rewrites = map[string]plan.Rewrite{"clean-urls": plan.RewriteHTML, "arn:aws:cloudfront::222222222222:function/dirs": plan.RewriteIndex}
	docs.Target = target.Target{Name: "docs", Route: target.Relay, Account: "222222222222", Function: "arn:aws:lambda:us-east-1:222222222222:function:invalidator:live"}
	docs.Line, docs.Groups, docs.Wait = 29, []string{"all", "web"}, minutes(0)
	own.Target = target.Target{Name: "own", Route: target.SameAccount, Account: "012345670123"}
	own.Line, own.Domain, own.AppRoutes, own.Profile = 30, "www.example.com", []string{}, "${literally}"
	pipe.Target, pipe.Line = target.Target{Name: "pipe", Route: target.Direct, Distribution: "E4"}, 36
	machine.Target = target.Target{
		Name: "machine", Route: target.States, Distribution: "E5",
		StateMachine: "arn:aws:states:eu-west-1:111111111111:stateMachine:purge",
	}
	machine.Line = 37
	want := &File{Path: "unstale.yaml", Targets: []Target{shop, docs, own, pipe, machine}}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

// What editors on other systems do to a file does not matter.
func TestParseOtherEditors(t *testing.T) {
	want := parse(t, example, "WHO", "team", "DELIVERY", "222222222222")
	for name, text := range map[string]string{
		"CRLF":            strings.ReplaceAll(example, "\n", "\r\n"),
		"byte order mark": "\ufeff" + example,
		"one document":    "---\n" + example[strings.Index(example, "\n")+1:] + "...\n",
	} {
		if diff := cmp.Diff(want, parse(t, text, "WHO", "team", "DELIVERY", "222222222222")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// All problems come at once, in the order of lines, and each can be had as a value.
func TestProblemsAllAtOnce(t *testing.T) {
	_, err := Parse("ops/unstale.yaml", []byte(`version: 1
defaults:
  role: x
  wiat: 5m
targets:
  shop:
    rol: x
    route: asume
    verify: [about, /b, /b]
    groups: []
  docs:
    route: relay
    distribution: E1
    externalId: x1
  shop: {}
`), variables())
	want := `ops/unstale.yaml:3:3: defaults: there is no key "role"; keys are profile, region, wait, preset, budget, deletes, state
ops/unstale.yaml:4:3: defaults: there is no key "wiat"; did you mean wait?
ops/unstale.yaml:7:5: targets.shop: there is no key "rol"; did you mean role?
ops/unstale.yaml:8:12: targets.shop.route: there is no route "asume"; did you mean assume?
ops/unstale.yaml:9:14: targets.shop.verify: path "about" does not begin with "/"
ops/unstale.yaml:9:25: targets.shop.verify: "/b" occurs twice
ops/unstale.yaml:10:13: targets.shop.groups: the list is empty; leave the key out
ops/unstale.yaml:11:3: targets.docs: route relay needs function
ops/unstale.yaml:14:17: targets.docs.externalId: route relay takes no externalId
ops/unstale.yaml:15:3: targets: key "shop" occurs twice, first in line 6`
	if diff := cmp.Diff(want, errorText(err)); diff != "" {
		t.Error(diff)
	}
	var one Problem
	if !errors.As(err, &one) || one != (Problem{"ops/unstale.yaml", 3, 3, "defaults", `there is no key "role"`, "keys are profile, region, wait, preset, budget, deletes, state"}) {
		t.Errorf("%+v", one)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestProblemsAreNotEndless(t *testing.T) {
	_, err := Parse("f", []byte("version: 1\ntargets:\n  a: {route: same-account, distribution: E1}\n"+strings.Repeat("x: 1\n", 60)), variables())
	var all *Problems
	if !errors.As(err, &all) || len(all.List) != maxProblems || all.More != 10 {
		t.Fatal(err)
	}
	if text := err.Error(); !strings.HasSuffix(text, "\nand 10 more") || strings.Count(text, "\n") != maxProblems {
		t.Error(text)
	}
}
