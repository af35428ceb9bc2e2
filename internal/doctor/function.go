package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/doctor/repair"
	"github.com/unstale/unstale/internal/target"
)

// callbackVariable names the role that a function outside the pipeline's account answers with.
const callbackVariable = "UNSTALE_CALLBACK_ROLE"

// function is a function's configuration.
type function struct {
	arn, name, role, code string // code is the base64 of the SHA-256 of its zip
	state                 types.State
	environment           map[string]string
}

// function reads a configuration; qualifier is an alias, a version or empty.
func (w *walk) function(ctx context.Context, s *side, region, name, qualifier string) (function, error) {
	w.read("lambda:GetFunctionConfiguration", strings.TrimSuffix(name+":"+qualifier, ":"))
	in := &lambda.GetFunctionConfigurationInput{FunctionName: &name}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out, err := s.lambda.GetFunctionConfiguration(ctx, in, inRegion(region))
	if err == nil && (aws.ToString(out.FunctionArn) == "" || aws.ToString(out.Role) == "") {
		err = errEmpty
	}
	if err != nil {
		return function{}, err
	}
	f := function{
		arn: aws.ToString(out.FunctionArn), name: aws.ToString(out.FunctionName), role: aws.ToString(out.Role),
		code: aws.ToString(out.CodeSha256), state: out.State, environment: map[string]string{},
	}
	if out.Environment != nil {
		f.environment = out.Environment.Variables
	}
	return f, nil
}

// exists puts the rung of a function on the ladder.
func (w *walk) exists(name, account, subject string, f function, err error) bool {
	r := Rung{Name: name, Account: account, Subject: subject, State: OK, Why: "its configuration can be read, and it is active"}
	switch {
	case gone(err):
		r.State, r.Why = Broken, fmt.Sprintf("account %s has no function %s", account, subject)
		r.Try = "deploy it, or name another; aws lambda list-functions names those of a Region"
	case err != nil:
		r.State, r.Why = Unknown, brief(err)
	case f.state != "" && f.state != types.StateActive:
		r.Subject, r.State, r.Why = f.arn, Broken, fmt.Sprintf("its state is %s", f.state)
	default:
		r.Subject = f.arn
	}
	w.add(r)
	return r.State == OK
}

// invoked checks a Lambda action and the job that it gives the function.
func (w *walk) invoked(ctx context.Context, f facts, a action, caller *role, who string) finding {
	account := caller.principal.Account
	s, err := w.at(account)
	var fn function
	if err == nil {
		fn, err = w.function(ctx, s, "", a.function, "")
	}
	active := w.exists(fmt.Sprintf("the function of action %s exists", a.name), account, a.function, fn, err)
	arn := fmt.Sprintf("arn:%s:lambda:%s:%s:function:%s", partition(f.role), w.home.region, account, a.function)
	w.check(link{name: who + " may list functions", caller: caller, actions: []string{"lambda:ListFunctions"}, resource: "*"})
	w.invoke(ctx, who+" may invoke the function", caller, arn)
	found := finding{err: err}
	if err != nil {
		return found
	}
	found.ours, found.remembers = w.ours(f, fn, a), fn.environment[stateVariable] != ""
	if active && found.ours {
		w.job(ctx, f, a, fn, &found)
	}
	return found
}

// ours reports whether a function is a job function, as far as its configuration tells, or what the pipeline tells it.
// A pipeline may invoke others.
func (w *walk) ours(f facts, fn function, a action) bool {
	for name := range fn.environment {
		if strings.HasPrefix(name, "UNSTALE_") {
			return true
		}
	}
	return fn.environment[target.FunctionVariable] != "" || w.Code[fn.code] != "" || a.told.Release != "" && f.onlyInvokes(a) ||
		slices.ContainsFunc(append([]action{a}, a.beside...), action.speaksOurs)
}

// invoke checks that a caller may invoke a function, by the ARN that it calls: a function, each version and
// each alias have policies of their own. Source: Lambda Developer Guide, "Using Lambda aliases".
func (w *walk) invoke(ctx context.Context, name string, caller *role, arn string) {
	l := link{name: name, caller: caller, actions: []string{"lambda:InvokeFunction"}, resource: arn, kind: iam.ResourcePolicy}
	fn, err := target.ParseFunction(arn)
	var s *side
	if err == nil {
		s, err = w.at(fn.Account)
	}
	if err != nil {
		l.err = err
		w.check(l)
		return
	}
	w.read("lambda:GetPolicy", strings.TrimSuffix(fn.Name+":"+fn.Qualifier, ":"))
	in := &lambda.GetPolicyInput{FunctionName: &fn.Name}
	if fn.Qualifier != "" {
		in.Qualifier = &fn.Qualifier
	}
	out, err := s.lambda.GetPolicy(ctx, in, inRegion(fn.Region))
	switch {
	case gone(err): // it has none
	case err != nil:
		l.err = fmt.Errorf("lambda:GetPolicy %s: %s", fn.Name, brief(err))
	default:
		l.policy, l.err = plain("function "+fn.Name, aws.ToString(out.Policy))
	}
	w.check(l)
}

// job checks what the job function does with a job, and notes what it finds.
func (w *walk) job(ctx context.Context, f facts, a action, fn function, found *finding) {
	account := accountOf(fn.arn)
	w.runs(fn, "pipeline-job")
	w.takes(ctx, "lambda.amazonaws.com", "Lambda may take the job function's role", fn.role)
	targets, err := target.FromEnvironment(func(name string) string { return fn.environment[name] })
	r := Rung{Name: "the job function knows its targets", Account: account, Subject: fn.arn, State: OK}
	if err == nil {
		found.targets = target.Names(targets)
	}
	chosen, err := selected(targets, err, a)
	if r.Why = "UserParameters and environment agree on " + strings.Join(names(chosen), ", "); err != nil {
		r.State, r.Why, found.refused = Broken, err.Error(), true
	}
	w.add(r)
	for _, one := range append([]action{a}, a.beside...) {
		for _, item := range one.told.Items {
			w.Tags = w.Tags || strings.HasPrefix(item.String(), "#")
		}
	}
	caller := w.role(ctx, fn.role)
	gated := w.state(ctx, a, fn, caller)
	var distributions []string
	for _, t := range chosen {
		if t.Account == "" {
			t.Account = account
		}
		if w.report.Route = string(t.Route); account != f.account {
			w.report.Route = string(target.Direct)
		}
		w.reach(ctx, "the job function's role", caller, t, gated)
		distributions = append(distributions, t.Distribution)
	}
	found.buckets, found.nothingElse = w.behind(distributions)
	w.answers(ctx, f, fn, caller)
}

// selected are the targets of an action, out of a function's, or of none because of err. What is wrong with its
// parameters, or with those of an action beside it, is said by their names.
func selected(targets map[string]target.Target, err error, a action) ([]target.Target, error) {
	var chosen []target.Target
	var wrong []string
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	for i, one := range append([]action{a}, a.beside...) {
		list, err := []target.Target(nil), one.toldErr
		if err == nil && targets != nil {
			list, err = choose(targets, one.told.Targets)
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("action %s: %v", one.name, err))
		}
		if i == 0 {
			chosen = list
		}
	}
	if wrong != nil {
		return chosen, errors.New(strings.Join(wrong, "; also: "))
	}
	return chosen, nil
}

func choose(targets map[string]target.Target, wanted []string) ([]target.Target, error) {
	if wanted == nil {
		wanted = target.Names(targets)
	}
	var out []target.Target
	for _, name := range wanted {
		t, ok := targets[name]
		if !ok {
			return nil, fmt.Errorf("UserParameters name target %q, and the function has %s", name, strings.Join(target.Names(targets), ", "))
		}
		out = append(out, t)
	}
	return out, nil
}

func names(list []target.Target) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.Name)
	}
	return out
}

// answers checks that the job can be answered.
func (w *walk) answers(ctx context.Context, f facts, fn function, caller *role) {
	who := "the job function's role"
	callback := fn.environment[callbackVariable]
	if accountOf(fn.arn) != f.account {
		r := Rung{Name: "the job function has a role to answer with", Account: accountOf(fn.arn), Subject: fn.arn, State: OK, Why: callback}
		if callback == "" {
			known := f.outputs["CallbackRoleArn"]
			if known == "" {
				known = fmt.Sprintf("arn:%s:iam::%s:role/%s-callback", partition(fn.arn), f.account, f.name)
			}
			r.State, r.Why = Broken, fmt.Sprintf("%s is not set: jobs of account %s are answered with a role of that account", callbackVariable, f.account)
			r.Changes = set(accountOf(fn.arn), environmentOf(fn), map[string]string{callbackVariable: known})
			w.add(r)
			return
		}
		w.add(r)
	}
	if callback != "" {
		who = "the callback role"
		caller = w.assume(ctx, "the job function's role may assume the callback role", caller, callback, "")
		if caller.missing {
			return
		}
	}
	w.check(link{
		name: who + " may answer jobs", caller: caller, resource: "*",
		actions: []string{"codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"},
	})
}

// runs checks that a function runs what it should, as far as the zips of this release tell.
func (w *walk) runs(fn function, want string) {
	account := accountOf(fn.arn)
	got := w.Code[fn.code]
	r := Rung{Name: fmt.Sprintf("function %s runs %s", fn.name, want), Account: account, Subject: fn.arn, State: OK, Why: "its code is this release's"}
	switch {
	case got == want:
	case got != "":
		r.State, r.Why = Broken, fmt.Sprintf("its code is that of %s, which does not understand what it is given", got)
		if from, ok := w.zips[account]; ok {
			r.Changes = set(account, "function "+fn.name+", code", map[string]string{
				"S3Bucket": from.bucket, "S3Key": strings.ReplaceAll(from.key, got, want),
			})
		}
	default:
		r.State = Unknown
		if r.Why = "its code is none of this release's zips, and no policy tells what code does"; len(w.Code) == 0 {
			r.Why = "there are no zips of this release to compare its code with"
		}
	}
	w.add(r)
}

// set is the change of a configuration.
func set(account, to string, values map[string]string) []repair.Change {
	raw, err := json.Marshal(values)
	if err != nil {
		return nil // cannot be: only texts
	}
	return []repair.Change{{Do: repair.Set, Account: account, To: to, Statement: raw}}
}

// inRegion is another region than the profile's; empty: the same.
func inRegion(region string) func(*lambda.Options) {
	return func(o *lambda.Options) {
		if region != "" {
			o.Region = region
		}
	}
}

func environmentOf(fn function) string { return "function " + fn.name + ", environment" }
