package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cloudfront "github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

const (
	release   = `"release":"#{codepipeline.PipelineExecutionId}"`
	forSite   = `{"targets":["site"],` + release + `}`
	announce  = `{"targets":["site"],` + release + `,"announce":true}`
	accountA  = "111111111111"
	pipelineA = "arn:aws:iam::" + accountA + ":role/pipeline"
)

// does is an action with the artifact Site; runOrder 0 is none.
func does(name string, runOrder int32, category types.ActionCategory, provider string, configuration map[string]string) types.ActionDeclaration {
	d := types.ActionDeclaration{
		Name: &name, ActionTypeId: &types.ActionTypeId{Category: category, Owner: types.ActionOwnerAws, Provider: &provider},
		Configuration: configuration, InputArtifacts: []types.InputArtifact{{Name: aws.String("Site")}},
	}
	if runOrder > 0 {
		d.RunOrder = &runOrder
	}
	return d
}

func deployTo(name string, runOrder int32, bucket string) types.ActionDeclaration {
	return does(name, runOrder, types.ActionCategoryDeploy, "S3", map[string]string{"BucketName": bucket})
}

func invoke(name string, runOrder int32, function, parameters string) types.ActionDeclaration {
	return does(name, runOrder, types.ActionCategoryInvoke, "Lambda", map[string]string{"FunctionName": function, "UserParameters": parameters})
}

func start(name string, runOrder int32) types.ActionDeclaration {
	return does(name, runOrder, types.ActionCategoryInvoke, "StepFunctions", map[string]string{"StateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:m"})
}

func build(name string, runOrder int32) types.ActionDeclaration {
	return does(name, runOrder, types.ActionCategoryBuild, "CodeBuild", nil)
}

// with gives an action an artifact, "" for none.
func with(artifact string, d types.ActionDeclaration) types.ActionDeclaration {
	if d.InputArtifacts = nil; artifact != "" {
		d.InputArtifacts = []types.InputArtifact{{Name: &artifact}}
	}
	return d
}

func as(role string, d types.ActionDeclaration) types.ActionDeclaration {
	d.RoleArn = &role
	return d
}

func stage(name string, actions ...types.ActionDeclaration) types.StageDeclaration {
	return types.StageDeclaration{Name: &name, Actions: actions}
}

// climbed is a pipeline of which all functions but "notify", and all machines, do unstale's job.
func climbed(stages ...types.StageDeclaration) facts {
	f := facts{name: "p", account: accountA}.read(&codepipeline.GetPipelineOutput{Pipeline: &types.PipelineDeclaration{
		RoleArn: aws.String(pipelineA), Stages: append([]types.StageDeclaration{stage("Build", build("Build", 0))}, stages...),
	}})
	for i, a := range f.actions {
		switch {
		case a.machine != "":
			f.actions[i].found = finding{ours: true, buckets: []string{"site"}, nothingElse: true}
		case a.function != "" && a.function != "notify":
			f.actions[i].found = finding{ours: true, remembers: true, targets: []string{"docs", "site"}, buckets: []string{"site"}, nothingElse: true}
		}
	}
	return f
}

// found changes what was found of an action.
func (f facts) known(name string, change func(*finding)) facts {
	for i, a := range f.actions {
		if a.name == name {
			change(&f.actions[i].found)
		}
	}
	return f
}

func forgets(found *finding) { found.remembers = false }
func unread(found *finding)  { *found = finding{err: errors.New("AccessDenied: no")} }
func elsewhere(b string) func(*finding) {
	return func(found *finding) { found.buckets, found.nothingElse = []string{b}, true }
}
func nowhere(found *finding) { found.buckets, found.nothingElse = nil, false }

func TestOrder(t *testing.T) {
	deliver := func(actions ...types.ActionDeclaration) facts { return climbed(stage("Deliver", actions...)) }
	a, d, p := invoke("Announce", 1, "job", announce), deployTo("Deploy", 2, "site"), invoke("Purge", 3, "job", forSite)
	docs := func(name string, runOrder int32) types.ActionDeclaration {
		return invoke(name, runOrder, "job", strings.ReplaceAll(forSite, "site", "docs"))
	}
	parallel := deliver(a, d, p)
	parallel.parallel = true
	for name, tt := range map[string]struct {
		f    facts
		want State
		why  string // all of it where it ends in "."; else a part
	}{
		"as the templates have it":    {deliver(a, d, p), OK, "stage Deliver: Announce (runOrder 1), Deploy (2), Purge (3)."},
		"declared in another order":   {deliver(p, d, a), OK, "stage Deliver: Announce (runOrder 1), Deploy (2), Purge (3)."},
		"something between":           {deliver(a, d, build("Test", 3), invoke("Purge", 9, "job", forSite)), OK, "Purge (9)"},
		"by a state machine":          {deliver(deployTo("Deploy", 0, "site"), with("", start("Purge", 2))), OK, "stage Deliver: Deploy (runOrder 1), Purge (2)."},
		"of a pipeline in PARALLEL":   {parallel, Note, "PARALLEL"},
		"and somebody else's besides": {deliver(a, d, p, invoke("Chat", 4, "notify", "done"), invoke("Ring", 1, "notify", "")), OK, "stage Deliver: Announce (runOrder 1), Deploy (2), Purge (3)."},

		"purge with the deploy":     {deliver(a, d, invoke("Purge", 2, "job", forSite)), Broken, "action Purge (stage Deliver, runOrder 2) does not follow action Deploy (stage Deliver, runOrder 2): it may purge before the release is there, and caches take the old one again; give Purge a runOrder above 2."},
		"no run orders":             {deliver(deployTo("Deploy", 0, "site"), invoke("Purge", 0, "job", forSite)), Broken, "give Purge a runOrder above 1"},
		"purge before the deploy":   {deliver(a, deployTo("Deploy", 3, "site"), invoke("Purge", 2, "job", forSite)), Broken, "give Purge a runOrder above 3"},
		"a machine before":          {deliver(d, start("Purge", 1)), Broken, "action Purge (stage Deliver, runOrder 1) does not follow"},
		"purge in another stage":    {climbed(stage("Deliver", a, d), stage("Clear", p)), Broken, "action Purge (stage Clear, runOrder 3) is in another stage than action Deploy (stage Deliver, runOrder 2): between two stages another execution can deploy, and then the wrong release is purged; move Purge into stage Deliver, with a runOrder above 2."},
		"purge in an earlier stage": {climbed(stage("Clear", p), stage("Deliver", a, d)), Broken, "move Purge into stage Deliver"},
		"meant to announce":         {deliver(invoke("Announce", 1, "job", `{"announce":false,`+release+`}`), d, p), Broken, `action Announce (stage Deliver, runOrder 1) does not follow action Deploy (stage Deliver, runOrder 2), and purges, since its UserParameters do not say "announce": true`},

		"announced with the deploy":    {deliver(invoke("Announce", 2, "job", announce), d, p), Broken, "action Announce (stage Deliver, runOrder 2) does not end before action Deploy (stage Deliver, runOrder 2) begins: if the stage is stopped, the next release may not know what was deployed; give Announce a runOrder below 2."},
		"announced after it":           {deliver(invoke("Announce", 3, "job", announce), d, invoke("Purge", 4, "job", forSite)), Broken, "give Announce a runOrder below 2"},
		"no room to announce":          {deliver(a, deployTo("Deploy", 0, "site"), p), Broken, "leave runOrder 1 to Announce, and raise that of the others in the stage"},
		"announced in another stage":   {climbed(stage("Tell", a), stage("Deliver", d, p)), Broken, "action Announce (stage Tell, runOrder 1) is in another stage than action Deploy (stage Deliver, runOrder 2): between two stages another execution can pass, and what was announced need not be what is deployed; move Announce into stage Deliver, with a runOrder below that of Deploy."},
		"both misplaced":               {climbed(stage("Tell", a), stage("Deliver", d), stage("Clear", p)), Broken, "with a runOrder above 2; also: action Announce (stage Tell, runOrder 1) is in another stage than action Deploy"},
		"not announced":                {deliver(d, p), Note, "no action announces the release that action Purge (stage Deliver, runOrder 3) purges"},
		"not announced, and need not":  {deliver(d, invoke("Purge", 3, "job", `{"items":["/*"],`+release+`}`)), OK, ""},
		"no artifact to announce":      {deliver(d, with("", p)), OK, ""},
		"nothing to announce to":       {deliver(d, p).known("Purge", forgets), OK, ""},
		"announced in words unread":    {deliver(invoke("Announce", 1, "job", `{"announce"`), d, p), OK, ""},
		"announced to another":         {deliver(invoke("Announce", 1, "other", announce), d, p), OK, ""},
		"announced to another account": {deliver(as(roleB, a), d, p), OK, ""},
		"announced for another target": {deliver(invoke("Announce", 1, "job", strings.ReplaceAll(announce, "site", "docs")), d, p), OK, ""},

		"nothing purges":                {deliver(d), Broken, "nothing purges what action Deploy (stage Deliver, runOrder 2) deploys: add the action Purge, which unstale deploy ROUTE --own-pipeline prints, to stage Deliver with a runOrder above 2."},
		"nothing purges, but announces": {deliver(a, d), Broken, "nothing purges"},
		"a build may purge":             {deliver(d, build("Clear", 3)), Unknown, "unless action Clear (CodeBuild) purges it"},
		"a build in time does not":      {deliver(build("Test", 1), d), Broken, "nothing purges"},
		"a build beside does not":       {deliver(d, build("Test", 2)), Broken, "nothing purges"},
		"an approval does not":          {deliver(d, does("Look", 3, types.ActionCategoryApproval, "Manual", nil)), Broken, "nothing purges"},
		"another function may purge":    {deliver(d, invoke("Ring", 3, "notify", "")), Unknown, "unless action Ring (function notify, which has no UNSTALE_TARGETS) purges it"},
		"one that is not known":         {deliver(d, invoke("Ring", 3, "notify", "")).known("Ring", unread), Unknown, "whether action Ring (stage Deliver, runOrder 3) purges is not known: AccessDenied: no."},
		"one that is told nonsense":     {deliver(d, invoke("Purge", 3, "job", "{")), Unknown, "whether action Purge (stage Deliver, runOrder 3) purges is not known: read UserParameters"},
		"a machine that may":            {deliver(d, start("Purge", 3)).known("Purge", func(f *finding) { *f = finding{} }), Unknown, "the definition of its state machine has no task"},
		"an unread function":            {deliver(a, d, p).known("Purge", unread), OK, ""},
		"an unread one by its targets":  {deliver(d, invoke("Purge", 3, "job", `{"targets":["site"]}`)).known("Purge", unread), OK, ""},
		"an unread machine":             {deliver(d, start("Purge", 3)).known("Purge", unread), OK, ""},
		"no deploy, no purge":           {deliver(build("All", 1)), Unknown, "no action is known to deploy or to purge; what action Build (CodeBuild) or All (CodeBuild) does, cannot be read here."},

		"another deploys":                      {deliver(a, build("Sync", 2), p), Note, "no action deploys to S3, so whether action Purge (stage Deliver, runOrder 3) follows what deploys is not known"},
		"another deploys, announced too late":  {deliver(invoke("Announce", 3, "job", announce), build("Sync", 2), p), Broken, "action Announce (stage Deliver, runOrder 3) does not end before action Purge"},
		"another deploys, announced elsewhere": {climbed(stage("Tell", a), stage("Deliver", build("Sync", 2), p)), Broken, "move Announce into stage Deliver"},
		"another deploys what is purged":       {deliver(deployTo("Deploy", 4, "archive"), p).known("Purge", elsewhere("site")), Note, "no action deploys to S3 what action Purge (stage Deliver, runOrder 3) purges"},

		"two sites in two stages":     {climbed(stage("Docs", deployTo("DeployDocs", 1, "docs"), docs("PurgeDocs", 2)), stage("Site", d, p)).known("PurgeDocs", elsewhere("docs")).known("PurgeDocs", forgets).known("Purge", forgets), OK, "stage Docs: DeployDocs (runOrder 1), PurgeDocs (2); stage Site: Deploy (runOrder 2), Purge (3)."},
		"two sites, buckets unknown":  {climbed(stage("Docs", deployTo("DeployDocs", 1, "docs"), docs("PurgeDocs", 2)), stage("Site", a, d, p)).known("PurgeDocs", nowhere).known("PurgeDocs", forgets).known("Purge", nowhere), OK, ""},
		"two sites, one after other":  {deliver(a, deployTo("DeployDocs", 2, "docs"), docs("PurgeDocs", 3), deployTo("Deploy", 4, "site"), invoke("Purge", 5, "job", forSite)).known("PurgeDocs", elsewhere("docs")).known("PurgeDocs", forgets), OK, ""},
		"two sites, which is unknown": {deliver(deployTo("DeployDocs", 2, "docs"), docs("PurgeDocs", 3), invoke("Announce", 4, "job", announce), deployTo("Deploy", 5, "site"), invoke("Purge", 6, "job", forSite)).known("PurgeDocs", nowhere).known("PurgeDocs", forgets).known("Purge", nowhere), OK, ""},
		"two sites, announced late":   {deliver(deployTo("DeployDocs", 2, "docs"), deployTo("Deploy", 2, "site"), docs("PurgeDocs", 3), invoke("Announce", 4, "job", announce), invoke("Purge", 6, "job", forSite)).known("PurgeDocs", nowhere).known("PurgeDocs", forgets).known("Purge", nowhere), Broken, "action Announce (stage Deliver, runOrder 4) does not end before"},
		"one site, announced between": {deliver(d, invoke("Announce", 3, "job", announce), deployTo("Pages", 4, "site"), invoke("Purge", 5, "job", forSite)), Broken, "action Announce (stage Deliver, runOrder 3) does not end before action Deploy (stage Deliver, runOrder 2)"},
		"two sites, crossed":          {deliver(a, deployTo("DeployDocs", 2, "docs"), p, deployTo("Deploy", 4, "site"), docs("PurgeDocs", 5)).known("PurgeDocs", elsewhere("docs")).known("PurgeDocs", forgets), Broken, "action Purge (stage Deliver, runOrder 3) does not follow action Deploy (stage Deliver, runOrder 4)"},
		"two sites, one not purged":   {deliver(a, d, p, deployTo("DeployDocs", 2, "docs")), Note, "nothing purges after action DeployDocs (stage Deliver, runOrder 2); where a distribution serves its bucket docs, purge after it"},
		"two sites, one unknown":      {climbed(stage("Deliver", a, d, p), stage("Archive", deployTo("Keep", 1, "archive"))).known("Purge", nowhere), Note, "nothing purges after action Keep (stage Archive, runOrder 1)"},
		"one site in two goes":        {deliver(a, d, deployTo("Pages", 3, "site"), invoke("Purge", 4, "job", forSite)), OK, ""},
		"one site, both in a stage":   {climbed(stage("Deliver", a, d, deployTo("Pages", 4, "site")), stage("Clear", p)), Broken, "than action Pages (stage Deliver, runOrder 4): between"},
		"one site, both too late":     {deliver(a, deployTo("Deploy", 4, "site"), deployTo("Pages", 5, "site"), p), Broken, "give Purge a runOrder above 5"},
		"one site, the second not":    {deliver(a, d, p, deployTo("Pages", 4, "site")), Broken, "nothing purges after action Pages (stage Deliver, runOrder 4), and its bucket site is what viewers get: purge after it, in stage Deliver with a runOrder above 4."},
		"a bucket by a variable":      {deliver(a, deployTo("Deploy", 2, "#{build.Bucket}"), p), OK, ""},

		"for another artifact":              {deliver(a, d, with("Source", p)), Broken, "action Purge purges for artifact Source, and action Deploy deploys Site: give Purge the artifact Site too."},
		"for another artifact of a machine": {deliver(d, with("", start("Purge", 3))), OK, ""},
		"for another artifact of two":       {deliver(a, d, with("Docs", deployTo("Pages", 2, "site")), with("Source", p)), Broken, "action Purge purges for artifact Source, and action Deploy deploys Site: give Purge the artifact Site too."},
		"for one artifact of two":           {deliver(a, with("Docs", deployTo("Pages", 2, "site")), d, p), OK, ""},
		"no artifact, no bucket":            {deliver(d, with("", p)).known("Purge", nowhere), OK, ""},
		"by artifact":                       {deliver(a, with("Docs", deployTo("DeployDocs", 4, "docs")), d, p).known("Purge", nowhere), Note, "nothing purges after action DeployDocs"},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.f.order()
			whole, all := strings.CutSuffix(tt.why, ".")
			if r.State != tt.want || !strings.Contains(r.Why, whole) || all && r.Why != whole || r.Name != ordered || r.Account != accountA || r.Subject == "" || r.Why == "" {
				t.Errorf("%s: %s", r.State, r.Why)
			}
		})
	}
}

// What lies behind several distributions is only known where it is of each.
func TestBehind(t *testing.T) {
	w := &walk{origins: map[string][]cloudfront.Origin{
		"A": {origin("a", "a.s3.us-east-1.amazonaws.com")}, "B": {origin("b", "b.s3.amazonaws.com"), origin("w", "www.example.com")}, "none": {}, "unread": nil,
	}}
	for asked, want := range map[string]string{
		"": "[] false", "A": "[a] true", "B": "[b] false", "A B": "[a b] false", "B A": "[b a] false", "A A": "[a a] true",
		"none": "[] false", "unread A": "[a] false", "A unknown": "[a] false",
	} {
		buckets, nothingElse := w.behind(strings.Fields(asked))
		if got := fmt.Sprint(buckets, nothingElse); got != want {
			t.Errorf("%q: %s, want %s", asked, got, want)
		}
	}
}

// A pipeline of which nothing can be told has nothing to be well with.
func TestOrderOfNothing(t *testing.T) {
	f := facts{name: "p"}.read(&codepipeline.GetPipelineOutput{Pipeline: &types.PipelineDeclaration{Stages: []types.StageDeclaration{
		stage("Source", does("Source", 1, types.ActionCategorySource, "S3", nil)), stage("Look", does("Look", 1, types.ActionCategoryApproval, "Manual", nil)),
	}}})
	if r := f.order(); r.State != Unknown || !strings.Contains(r.Why, "is it the right pipeline?") {
		t.Errorf("%+v", r)
	}
}

// Who takes whose way is decided by the function, the role and what the action is told, whatever words are in it.
func TestFolded(t *testing.T) {
	purge := invoke("Purge", 3, "job", forSite)
	for name, tt := range map[string]struct {
		action types.ActionDeclaration
		want   string // the ladders, and who is beside
	}{
		"announces":                    {invoke("First", 1, "job", announce), "Purge(First)"},
		"announces by another":         {invoke("First", 1, "other", announce), "First Purge"},
		"announces as another":         {as(roleB, invoke("First", 1, "job", announce)), "First Purge"},
		"announces, its role written":  {as(pipelineA, invoke("First", 1, "job", announce)), "Purge(First)"},
		"announces without artifact":   {with("", invoke("First", 1, "job", announce)), "Purge(First)"},
		"cannot be read":               {invoke("First", 1, "job", `{"announce":`), "Purge(First)"},
		"cannot be read by another":    {invoke("First", 1, "other", `{"announce":`), "First Purge"},
		"purges the same":              {invoke("First", 1, "job", `{"targets":["site"],"announce":false}`), "First(Purge)"},
		"purges another target":        {invoke("First", 1, "job", `{"targets":["announce"]}`), "First Purge"},
		"purges all":                   {invoke("First", 1, "job", `{"release":"announce"}`), "First Purge"},
		"purges the same not knowing":  {with("", invoke("First", 1, "job", forSite)), "First Purge"},
		"purges the same as another":   {as(roleB, invoke("First", 1, "job", forSite)), "First Purge"},
		"purges the same, by another":  {invoke("First", 1, "other", forSite), "First Purge"},
		"deploys":                      {deployTo("First", 1, "b"), "First Purge"},
		"may be anything":              {build("First", 1), "Purge"},
		"belongs to somebody's source": {does("First", 1, types.ActionCategorySource, "S3", nil), "Purge"},
	} {
		for _, swapped := range []bool{false, true} {
			list := []types.ActionDeclaration{tt.action, purge}
			if swapped {
				slices.Reverse(list) // the order of declaration is no order
			}
			var got []string
			for _, a := range climbed(stage("Deliver", list...)).actions {
				name := a.name
				for _, b := range a.beside {
					name += "(" + b.name + ")"
				}
				got = append(got, name)
			}
			if s := strings.Join(got, " "); s != tt.want && !(swapped && tt.want == "First(Purge)" && s == "Purge(First)") {
				t.Errorf("%s: %s, want %s", name, s, tt.want)
			}
		}
	}
	var got []string
	for _, a := range climbed(stage("Deliver", invoke("A", 1, "job", `{"targets":["site"]}`), invoke("B", 2, "other", `{"targets":["docs"]}`),
		invoke("C", 3, "job", `{"targets":["docs"]}`), invoke("D", 4, "job", `{"targets":["docs"]}`))).actions {
		got = append(got, fmt.Sprint(a.name, len(a.beside)))
	}
	if s := strings.Join(got, " "); s != "A0 B0 C1" {
		t.Errorf("of four: %s", s)
	}
	one := climbed(stage("Deliver", purge, invoke("First", 1, "job", announce))).actions[0]
	if !one.takesArtifacts() || len(one.beside) != 1 || !one.beside[0].told.Announce {
		t.Errorf("%+v", one)
	}
	if one.inputs, one.beside[0].inputs = false, true; !one.takesArtifacts() {
		t.Error("the artifact of an action beside is forgotten")
	}
	if one.beside[0].inputs = false; one.takesArtifacts() {
		t.Error("nobody has artifacts")
	}
}
