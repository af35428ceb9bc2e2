package targetfile

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// anyTarget draws a target that a file may hold.
func anyTarget(t *rapid.T, name, distribution string) Target {
	maybe := func(pattern string) string {
		return rapid.OneOf(rapid.Just(""), rapid.StringMatching(pattern)).Draw(t, pattern)
	}
	some := func(pattern string, most int) []string {
		list := rapid.SliceOfNDistinct(rapid.StringMatching(pattern), 0, most, rapid.ID[string]).Draw(t, pattern)
		if len(list) == 0 {
			return nil
		}
		return list
	}
	one := Target{Target: target.Target{Name: name, Distribution: distribution, Route: rapid.SampledFrom(target.Routes()).Draw(t, "route")}}
	switch one.Route {
	case target.Assume:
		one.Account = "222222222222"
		one.Role = "arn:aws:iam::222222222222:role/" + rapid.StringMatching(`([a-z]{1,5}/)?[A-Za-z0-9+=,.@_-]{1,20}`).Draw(t, "role")
		one.ExternalID = rapid.StringMatching(`[A-Za-z0-9_+=,.@:/-]{2,30}`).Draw(t, "externalId")
	case target.Relay:
		one.Account = "222222222222"
		one.Function = "arn:aws:lambda:us-east-1:222222222222:function:f"
	case target.States:
		one.StateMachine = "arn:aws:states:us-east-1:111111111111:stateMachine:m"
	case target.SameAccount:
		one.Account = maybe(`[0-9]{12}`)
	}
	one.Domain = maybe(`[a-z0-9]{1,9}\.example\.com`)
	one.Profile = maybe(`[ -~éß☃]{1,12}`)
	one.Region = maybe(`eu-(central|north)-[12]`)
	one.Groups = some(`[A-Za-z0-9._-]{1,9}`, 4)
	slices.Sort(one.Groups)
	one.Verify = some(`/[!"$-)+-Z^-~]{0,9}`, 4)
	one.Preset = rapid.SampledFrom([]plan.Preset{"", plan.Balanced, plan.Cheapest, plan.Gentlest}).Draw(t, "preset")
	one.Budget = rapid.SampledFrom([]plan.Budget{
		{},
		{Unit: plan.PerPlan},
		{Unit: plan.PerPlan, Items: 40},
		{Unit: plan.PerMonth, Money: 5 * invalidation.Dollar / 2},
		{Unit: plan.PerMonth, Money: 1},
	}).Draw(t, "budget")
	if rapid.Bool().Draw(t, "waits") {
		d := rapid.SampledFrom([]time.Duration{0, time.Second, 90 * time.Second, 1500 * time.Millisecond, 24 * time.Hour}).Draw(t, "wait")
		one.Wait = &d
	}
	one.Deletes = rapid.Bool().Draw(t, "deletes")
	one.Bucket = maybe(`[a-z][a-z0-9-]{2,20}[a-z]`)
	one.Prefix = maybe(`[ -.0-~é]([ -~é]{0,8}[ -.0-~é])?/`)
	one.AppRoutes = some(`/[a-zé ]{0,9}\*?`, 4)
	if one.AppRoutes == nil && rapid.Bool().Draw(t, "no routes") {
		one.AppRoutes = []string{}
	}
	for _, f := range some(`[ -~é]{1,12}`, 3) {
		if one.Rewrites == nil {
			one.Rewrites = map[string]plan.Rewrite{}
		}
		one.Rewrites[f] = rapid.SampledFrom([]plan.Rewrite{plan.RewriteNothing, plan.RewriteIndex, plan.RewriteHTML, plan.RewriteFallback}).Draw(t, "rewrite")
	}
	if one.State.Bucket = maybe(`[a-z][a-z0-9.-]{2,20}[a-z]`); one.State.Bucket != "" {
		one.State.Prefix = maybe(`[a-z]{1,5}(/[a-z]{1,5})?`)
	}
	return one
}

// What is written is read back as it was, and editors find nothing wrong with it either.
func TestEncodeIsRead(t *testing.T) {
	schema := readSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9._-]{1,9}`), 1, 4, rapid.ID[string]).Draw(t, "names")
		var targets []Target
		for i, name := range names {
			targets = append(targets, anyTarget(t, name, "E"+string(rune('A'+i))))
		}
		text := Encode(targets)
		f, err := Parse("f", text, variables())
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if diff := cmp.Diff(targets, f.Targets, cmpopts.IgnoreFields(Target{}, "Line")); diff != "" {
			t.Fatalf("%s in\n%s", diff, text)
		}
		if wrong := schema.check(t, text); wrong != "" {
			t.Fatalf("the schema says %s of\n%s", wrong, text)
		}
		if again := Encode(f.Targets); string(again) != string(text) {
			t.Fatalf("written again:\n%s\nnot\n%s", again, text)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add(fleet)
	for _, tt := range refusals {
		if len(tt.text) < 1000 {
			f.Add(tt.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("f", []byte(text), variables("A", "222222222222"))
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 100_000 {
				t.Fatalf("%q says %q", text, err)
			}
			return
		}
		again, err := Parse("f", Encode(file.Targets), variables())
		if err != nil {
			t.Fatalf("%q is written as\n%s\nwhich is refused: %v", text, Encode(file.Targets), err)
		}
		if diff := cmp.Diff(file.Targets, again.Targets, cmpopts.IgnoreFields(Target{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q is read back with %s", text, diff)
		}
	})
}
