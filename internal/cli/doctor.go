package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
)

type doctorFlags struct {
	pipelineProfile, deliveryProfile, region  string
	name, route, pipeline                     string
	role, externalID, function, machine, dist string
	lambdas, config                           string
	tags, json, verbose, lenient, policy      bool
	of                                        *target.Target // of the targets file
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [TARGET]",
		Short: "Check every link from a pipeline, or from you, to a distribution, and name the missing statement",
		Long: `Check every link from a pipeline, or from you, to a distribution, and name the missing statement.

Policies are read and decided here, and what can be tried without changing anything is tried. Nothing is
ever written. Each check says ok, broken or unknown: what a profile may not read is unknown, never well.
A note is about what works and could do better, and does not count. Of a pipeline it is also checked that it
announces, deploys and purges in this order, in one stage.
At a broken check stands the statement to add, in which account and to what, ready to paste.

What is checked is the stack set of a name, a pipeline of another name, or the way from you to one
distribution: that of a target of unstale.yaml, named as an argument, or the one that --role-arn,
--function, --state-machine or only --distribution describe. The pipeline profile speaks
for the pipeline's account, or for you; the delivery profile for the account of the distribution.

The exit code is 0 when all is well, 1 when something is broken or unknown, 2 when the command line is
wrong. With --allow-unknown what is unknown does not count.`,
		Example: `  # the stacks named unstale
  unstale doctor --pipeline-profile build --delivery-profile site
  # the way to a target of unstale.yaml
  unstale doctor shop
  unstale doctor shop --config sites.yaml --delivery-profile site
  # a pipeline of your own
  unstale doctor --pipeline my-pipeline \
    --pipeline-profile build --delivery-profile site
  # the way to a distribution of another account
  unstale doctor --distribution E2EXAMPLE \
    --role-arn arn:aws:iam::222222222222:role/unstale-purge --external-id ID
  # the statements to add, and what a profile has to be allowed to find them
  unstale doctor --json \
    | jq -r '.rungs[] | select(.state == "broken") | .changes[]?.statement'
  unstale doctor --policy`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage{withTry(fmt.Errorf("doctor takes one target, but got %q", args), "unstale doctor %s", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.policy {
				return printReader(cmd.OutOrStdout())
			}
			if len(args) > 0 {
				var own []string
				for _, name := range []string{"name", "route", "pipeline", "role-arn", "external-id", "function", "state-machine", "distribution"} {
					if cmd.Flags().Changed(name) {
						own = append(own, "--"+name)
					}
				}
				if err := f.take(args[0], own); err != nil {
					return err
				}
			} else if f.config != "" {
				return usage{withTry(errors.New("--config is the file that a target is of, and no target is named"), "unstale doctor TARGET --config %s", f.config)}
			}
			return examine(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.config, "config", "", "the file that TARGET is of"+defaultTargets)
	flags.StringVar(&f.pipelineProfile, "pipeline-profile", "", "profile of the pipeline account, or yours (default: the target's, or as for the AWS CLI)")
	flags.StringVar(&f.pipelineProfile, "profile", "", "another word for --pipeline-profile, for who has no pipeline")
	flags.StringVar(&f.deliveryProfile, "delivery-profile", "", "profile of the delivery account")
	flags.StringVar(&f.region, "region", "", "Region of the pipeline and the stacks (default: the profile's, or else us-east-1)")
	flags.StringVar(&f.name, "name", "unstale", "what the names of the stacks begin with")
	flags.StringVar(&f.route, "route", "", "route of the stacks (default: that of those that are found)")
	flags.StringVar(&f.pipeline, "pipeline", "", "name of a pipeline, instead of the one in the stacks")
	flags.StringVar(&f.role, "role-arn", "", "role that you assume (route assume)")
	flags.StringVar(&f.externalID, "external-id", "", "what the role's trust policy asks for")
	flags.StringVar(&f.function, "function", "", "ARN of the invalidator's alias that you invoke (route relay)")
	flags.StringVar(&f.machine, "state-machine", "", "ARN of the state machine that you start (route states)")
	flags.StringVar(&f.dist, "distribution", "", "ID of the distribution")
	flags.BoolVar(&f.tags, "tags", false, "#tags are going to be purged")
	flags.StringVar(&f.lambdas, "lambdas", "", "directory with the Lambda zips to compare the functions' code with (default: as for rehearse, if there is one)")
	flags.BoolVar(&f.lenient, "allow-unknown", false, "succeed although something is unknown")
	flags.BoolVar(&f.json, "json", false, "print one JSON document")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say of every check why, and what was read")
	flags.BoolVar(&f.policy, "policy", false, "print the policy that a profile needs so that nothing is unknown, and stop")
	return cmd
}

// take lets a target of the targets file stand in for the flags that describe one.
func (f *doctorFlags) take(name string, given []string) error {
	if len(given) > 0 {
		return usage{withTry(fmt.Errorf("target %q and %s describe two things to check", name, given[0]), "one of both")}
	}
	file, err := readTargets(f.config)
	if errors.Is(err, targetfile.ErrNone) {
		return usage{withTry(fmt.Errorf("check target %q: %w", name, err), "--name NAME for stacks, --pipeline NAME, or --distribution ID with --role-arn ARN")}
	}
	if err != nil {
		return err
	}
	chosen, err := file.Select([]string{name}, nil, false)
	var selection *targetfile.SelectionError
	if errors.As(err, &selection) {
		return usage{withTry(err, "%s", selection.Try)}
	}
	if err != nil || len(chosen) != 1 {
		return errors.Join(err, fmt.Errorf("check target %q: it stands for %s", name, plural.Of(len(chosen), "target")))
	}
	t := chosen[0]
	var unreachable *targetfile.Unreachable
	switch err := t.Reachable(); {
	case errors.As(err, &unreachable):
		return usage{withTry(err, "unstale doctor --pipeline NAME, which checks the pipeline's way")}
	case t.Distribution == "" && t.Domain != "":
		return usage{withTry(fmt.Errorf("target %s names its distribution by the domain %s", t.Name, t.Domain), "unstale doctor --distribution ID")}
	}
	f.of = &t.Target
	f.pipelineProfile, f.region = cmp.Or(f.pipelineProfile, t.Profile), cmp.Or(f.region, t.Region)
	return nil
}

func examine(ctx context.Context, f doctorFlags, stdout io.Writer) error {
	q, err := f.question()
	if err != nil {
		return usage{withTry(err, "unstale doctor --help")}
	}
	pipeline, err := loadConfig(ctx, f.pipelineProfile, f.region)
	if err != nil {
		return err
	}
	keys := []keyring{keyringOf(pipeline, f.pipelineProfile)}
	var delivery aws.Config
	if f.deliveryProfile != "" {
		if delivery, err = loadConfigOr(ctx, f.deliveryProfile, f.region, pipeline.Region); err != nil {
			return err
		}
		keys = append(keys, keyringOf(delivery, f.deliveryProfile))
	}
	for i, cfg := range []aws.Config{pipeline, delivery}[:len(keys)] {
		if err := keys[i].held(ctx, cfg, 0); err != nil {
			return err
		}
	}
	report, err := doctor.New(pipeline, delivery).Check(ctx, q)
	if ctx.Err() != nil { // what was asked too late looks unknown
		return context.Cause(ctx)
	}
	var nobody *doctor.Nobody
	if errors.As(err, &nobody) {
		return keys[nobody.Config].nobody(nobody.Err)
	}
	if err != nil {
		return withTry(err, "unstale doctor --help")
	}
	if f.json {
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		_, err = io.WriteString(stdout, doctorText(report, f.verbose, newPrinter(stdout)))
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return judge(report, f.lenient)
}

// judge is the exit code's reason. Unknown counts as broken does: who asks whether a release will go
// through is not answered by silence.
func judge(r doctor.Report, lenient bool) error {
	state, n := doctor.Broken, r.Broken
	if n == 0 {
		state, n = doctor.Unknown, r.Unknown
	}
	if n == 0 || state == doctor.Unknown && lenient {
		return nil
	}
	first := r.First(state)
	err := fmt.Errorf("%d of %s %s %s, first: %s", n, plural.Of(len(r.Rungs), "check"), plural.Word(n, "is", "are"), state, first.Name)
	return withTry(err, "%s", nextStep(r, first))
}

// nextStep is what to do about the first check that is not well.
func nextStep(r doctor.Report, first *doctor.Rung) string {
	const policy = "that are allowed what unstale doctor --policy prints"
	switch {
	case len(first.Changes) > 0:
		return fmt.Sprintf("make the change above in account %s, then unstale doctor again", first.Changes[0].Account)
	case first.State == doctor.Broken:
		return cmp.Or(first.Try, "mend it as said above, then unstale doctor again")
	case first.Try == "":
		return "profiles of both accounts " + policy + ", or --allow-unknown"
	case r.Unknown > 1:
		return first.Try + ", and profiles " + policy + "; or --allow-unknown"
	}
	return first.Try + "; or --allow-unknown"
}

// question is what the flags ask.
func (f doctorFlags) question() (doctor.Question, error) {
	q := doctor.Question{Tags: f.tags}
	if dir, err := lambdaDirectory(f.lambdas); err == nil {
		if q.Code, err = doctor.Code(dir); err != nil {
			return q, err
		}
	} else if f.lambdas != "" {
		return q, err
	}
	if f.of != nil {
		q.Target = f.of
		return q, nil
	}
	if f.role+f.function+f.machine+f.dist != "" {
		t, err := f.target()
		q.Target = &t
		return q, err
	}
	if f.externalID != "" {
		return q, errors.New("--external-id goes with --role-arn")
	}
	q.Pipeline = f.pipeline
	if f.pipeline == "" || f.route != "" {
		q.Name = f.name
	}
	q.Route = target.Route(f.route)
	if f.route != "" && !slices.Contains(target.Routes(), q.Route) {
		err := noSuch("route", f.route, routeNames(nil))
		if !strings.HasSuffix(err.Error(), "?") {
			err = fmt.Errorf("%w; routes are %s", err, joined(target.Routes()))
		}
		return q, err
	}
	return q, nil
}

func joined(routes []target.Route) string {
	var all []string
	for _, r := range routes {
		all = append(all, string(r))
	}
	return strings.Join(all, " ")
}

// target is one that only flags describe. The doctor asks for less than a purge does: without an ExternalId
// there may be none to give.
func (f doctorFlags) target() (target.Target, error) {
	t := target.Target{
		Name: "flags", Route: target.SameAccount, Distribution: f.dist, Role: f.role, ExternalID: f.externalID, Function: f.function, StateMachine: f.machine,
	}
	given := 0
	for route, value := range map[target.Route]string{target.Assume: f.role, target.Relay: f.function, target.States: f.machine} {
		if value != "" {
			t.Route, given = route, given+1
		}
	}
	if given > 1 {
		return t, errors.New("--role-arn, --function and --state-machine exclude each other: each is a route of its own")
	}
	if f.pipeline != "" {
		return t, errors.New("--pipeline is about a pipeline, and the other flags are about you: give one or the other")
	}
	if f.dist != "" && !target.ValidDistribution(f.dist) {
		return t, fmt.Errorf("%q is not a distribution ID, such as E2EXAMPLE", f.dist)
	}
	switch t.Route {
	case target.Assume:
		role, err := target.ParseRole(f.role)
		if err == nil && f.dist == "" {
			err = errors.New("--role-arn needs --distribution")
		}
		if err == nil && f.externalID != "" && !target.ValidExternalID(f.externalID) {
			err = errors.New("--external-id does not have 2 to 1224 letters, digits or any of _+=,.@:/-")
		}
		t.Account = role.Account
		return t, err
	case target.Relay:
		function, err := target.ParseFunction(f.function)
		t.Account = function.Account
		return t, err
	case target.States:
		_, err := target.ParseStateMachine(f.machine)
		return t, err
	}
	return t, nil
}

// printReader prints a policy document.
func printReader(out io.Writer) error {
	d := iam.Document{Version: iam.Version2012, Statements: []iam.Statement{
		{Sid: "UnstaleDoctor", Effect: iam.Allow, Action: doctor.Actions(), Resource: []string{"*"}},
	}}
	text, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", text)
	}
	if err != nil {
		return fmt.Errorf("print the policy: %w", err)
	}
	return nil
}
