package doctor

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/unstale/unstale/internal/target"
)

func TestAnnounced(t *testing.T) {
	deliver := func(actions ...types.ActionDeclaration) facts { return climbed(stage("Deliver", actions...)) }
	first := func(parameters string) types.ActionDeclaration { return invoke("Announce", 1, "job", parameters) }
	last := func(parameters string) types.ActionDeclaration { return invoke("Purge", 3, "job", parameters) }
	as2 := func(d types.ActionDeclaration) types.ActionDeclaration {
		d.RoleArn = new("arn:aws:iam::111111111111:role/other")
		return d
	}
	of := func(targets string) string { return `{"targets":[` + targets + `],` + release + `}` }
	told := func(targets string) string { return strings.TrimSuffix(of(targets), "}") + `,"announce":true}` }
	a, p := first(announce), last(forSite)
	for name, tt := range map[string]struct {
		f    facts
		want State // empty: there is nothing to say
		why  string
	}{
		"what is purged":                        {deliver(a, p), OK, `by action Purge: target site, release "#{codepipeline.PipelineExecutionId}"`},
		"all that there is":                     {deliver(first(`{`+release+`,"announce":true}`), last(`{`+release+`}`)), OK, "by action Purge: target docs, site,"},
		"all, one by one":                       {deliver(first(`{`+release+`,"announce":true}`), last(of(`"site","docs"`))), OK, ""},
		"as another role":                       {deliver(a, as2(p)), OK, ""},
		"by another in the account":             {deliver(as2(a), p), OK, ""},
		"for two":                               {deliver(first(told(`"site","docs"`)), p, invoke("PurgeDocs", 3, "job", of(`"docs"`))), OK, "by actions Purge and PurgeDocs: target docs, site,"},
		"two for one":                           {deliver(a, invoke("AnnounceDocs", 1, "job", told(`"docs"`)), last(of(`"docs","site"`))), OK, "by action Purge: target site,"},
		"each its own":                          {deliver(a, p, invoke("AnnounceDocs", 1, "job", told(`"docs"`)), invoke("PurgeDocs", 3, "job", of(`"docs"`))), OK, ""},
		"one of two that are":                   {deliver(a, p, invoke("PurgeDocs", 3, "job", of(`"docs"`))), OK, ""},
		"nothing":                               {deliver(p), "", ""},
		"no announcement":                       {deliver(first(`{"announce":false}`), p), "", ""},
		"the word elsewhere":                    {deliver(first(`{"release":"announce"}`), p), "", ""},
		"what cannot be read":                   {deliver(first(`{"announce":true`), p), "", ""},
		"what is purged by what cannot be read": {deliver(a, last(`{`)), "", ""},
		"what is refused":                       {deliver(a, last(of(`"shop"`))).known("Purge", func(f *finding) { f.refused = true }), "", ""},
		"to an unread function":                 {deliver(a, p).known("Purge", unread), OK, ""},
		"one, of an unread function's all":      {deliver(a, last(`{`+release+`}`)).known("Purge", unread), OK, ""},
		"all, to an unread function":            {deliver(first(`{`+release+`,"announce":true}`), p).known("Purge", unread), OK, "target all, release"},

		"another target":   {deliver(first(told(`"docs"`)), p), Broken, "action Announce announces target docs, and action Purge purges site: name the same in both"},
		"too much":         {deliver(first(told(`"docs","site"`)), p), Broken, "action Announce announces target docs, site, and action Purge purges site: name the same in both"},
		"too little":       {deliver(a, last(`{`+release+`}`)), Broken, "action Announce announces target site, and action Purge purges docs, site: name the same in both"},
		"too much for two": {deliver(first(told(`"site","docs","shop"`)), p, invoke("PurgeDocs", 3, "job", of(`"docs"`))), Broken, "and actions Purge and PurgeDocs purge docs, site"},
		"another release":  {deliver(a, last(`{"targets":["site"],"release":"7"}`)), Broken, `release is "#{codepipeline.PipelineExecutionId}" in action Announce and "7" in action Purge`},
		"no release":       {deliver(a, last(`{"targets":["site"]}`)), Broken, `and "" in action Purge, so that what is purged is not known to be what was announced: write the same into both, "#{codepipeline.PipelineExecutionId}"`},
		"another artifact": {deliver(with("Docs", a), p), Broken, "action Announce takes artifact Docs and action Purge artifact Site, so that"},
		"nothing known":    {deliver(a, with("", p)), Broken, "action Announce takes artifact Site and action Purge no artifact, so that"},
		"no artifact":      {deliver(with("", a), p), Broken, "action Announce has no input artifact, so every release fails there: give it the one that is deployed after it"},
		"to no memory":     {deliver(a, p).known("Purge", forgets), Broken, "its function keeps nothing (UNSTALE_STATE is not set), so every release fails at action Announce: set it to a bucket, or take the action out"},
		"two things": {
			deliver(first(told(`"site","docs"`)), last(`{"targets":["site"]}`)), Broken,
			"name the same in both; also: release is",
		},
		"to another function": {deliver(invoke("Announce", 1, "other", announce), p), Broken, "action Announce invokes function other of account 111111111111, and action Purge purges by function job of account 111111111111, which does not know of it: let both invoke the same"},
		"to another account":  {deliver(as(roleB, a), p), Broken, "action Announce invokes function job of account 222222222222, and action Purge purges by function job of account 111111111111, which does not know of it"},
		"to a machine":        {deliver(a, start("Purge", 3)), Broken, "no action purges by function job what action Announce announces"},
		"and nobody purges":   {deliver(a), Broken, "no action purges by function job what action Announce announces: add the action Purge after the deploy"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &walk{}
			w.announced(tt.f)
			var got Rung
			for _, r := range w.report.Rungs {
				if r.Name == "action Announce announces what is purged" {
					got = r
				}
			}
			if got.State != tt.want || !strings.Contains(got.Why, tt.why) || tt.want != "" && (got.Account != accountA || got.Subject == "" || len(got.Read) == 0) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Whose function it is is told by its configuration, its code, or what only ours is told.
func TestOurs(t *testing.T) {
	const code = "hash"
	for name, tt := range map[string]struct {
		fn         function
		parameters string
		beside     string // parameters of another action
		want       bool
	}{
		"targets":                  {function{environment: map[string]string{target.TargetsVariable: "{}"}}, "", "", true},
		"an invalidator to ask":    {function{environment: map[string]string{target.FunctionVariable: "arn"}}, "", "", true},
		"only a state":             {function{environment: map[string]string{stateVariable: "b"}}, "", "", true},
		"its code":                 {function{code: code}, "", "", true},
		"the code of another":      {function{code: "invalidator"}, "", "", true},
		"told to announce":         {function{}, announce, "", true},
		"another is told":          {function{}, "", announce, true},
		"told items":               {function{}, `{"items":["/*"]}`, "", true},
		"told what to look at":     {function{}, `{"verify":["/"]}`, "", true},
		"told a target":            {function{}, `{"targets":["a"]}`, "", true},
		"told a release, alone":    {function{}, `{"release":"a"}`, "", true},
		"told nothing":             {function{environment: map[string]string{"CHANNEL": "releases"}, code: "another"}, "", "", false},
		"told something else":      {function{}, `{"channel":"releases"}`, "", false},
		"told to wait, as all are": {function{}, `{"wait":"1m"}`, "", false},
	} {
		actions := []types.ActionDeclaration{invoke("Purge", 2, "job", tt.parameters)}
		if tt.beside != "" {
			actions = append(actions, invoke("Announce", 1, "job", tt.beside))
		}
		f := climbed(stage("Deliver", actions...))
		w := &walk{Question: Question{Code: map[string]string{code: "pipeline-job", "invalidator": "invalidator"}}}
		if got := w.ours(f, tt.fn, f.actions[0]); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	f := climbed(stage("Deliver", invoke("Tell", 2, "notify", `{"release":"a"}`), invoke("Purge", 3, "job", "")))
	if (&walk{}).ours(f, function{}, f.actions[0]) {
		t.Error("a function besides ours that is told a release")
	}
	f = climbed(stage("Deliver", invoke("Tell", 2, "job", `{"release":"a","announce":true}`), invoke("Ring", 3, "notify", "")))
	if !(&walk{}).ours(f, function{}, f.actions[0]) {
		t.Error("a function besides another that is told to announce")
	}
}

// What an action is told, and what is told beside it, is said by its name.
func TestSelected(t *testing.T) {
	targets := map[string]target.Target{"site": {Name: "site"}}
	for name, tt := range map[string]struct{ announce, purge, want string }{
		"both":              {announce, forSite, ""},
		"unreadable":        {`{"announce": true, "targets": "site"}`, forSite, "action Announce: read UserParameters: targets is not a list of texts"},
		"another field":     {`{"announced": true}`, forSite, `action Announce: read UserParameters: there is no field "announced"`},
		"no release":        {`{"announce": true}`, forSite, "action Announce: read UserParameters: announce needs release"},
		"announces another": {strings.ReplaceAll(announce, "site", "shop"), forSite, `action Announce: UserParameters name target "shop", and the function has site`},
		"purges another":    {announce, strings.ReplaceAll(forSite, "site", "shop"), `action Purge: UserParameters name target "shop"`},
		"both another":      {strings.ReplaceAll(announce, "site", "shop"), strings.ReplaceAll(forSite, "site", "docs"), `action Purge: UserParameters name target "docs", and the function has site; also: action Announce: UserParameters name target "shop"`},
	} {
		f := climbed(stage("Deliver", invoke("Announce", 1, "job", tt.announce), invoke("Purge", 3, "job", tt.purge)))
		chosen, err := selected(targets, nil, f.actions[0])
		if tt.want == "" && (err != nil || len(chosen) != 1) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, %v", name, chosen, err)
		}
	}
	f := climbed(stage("Deliver", invoke("Announce", 1, "job", "?"), invoke("Purge", 3, "job", forSite)))
	if _, err := selected(nil, errors.New("no targets"), f.actions[0]); err == nil || !strings.HasPrefix(err.Error(), "no targets; also: action Announce: read") || strings.Contains(err.Error(), "Purge") {
		t.Errorf("both the function and an action: %v", err)
	}
}
