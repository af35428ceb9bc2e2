package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/templates"
)

type deployFlags struct {
	name, region                     string
	pipelineProfile, deliveryProfile string
	code                             string
	parameters, also                 []string
	yes, destroy, ownPipeline        bool
}

func newDeploy() *cobra.Command {
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "deploy ROUTE",
		Short: "Put a route's stacks into both accounts by change sets, or take them away again",
		Long: `Put a route's CloudFormation stacks, and the Lambda code that they need, into the pipeline account and
the delivery account.

Each change is shown before it is made. What is as it should be is left alone: the same command again
changes nothing, and after a failure or an interruption it goes on where it stopped. Values given once by
--param are kept by later runs. A stack that was not made by this command is never touched.

With --own-pipeline only the purge is made, for a pipeline that you have already; at the end stands what
to add to it.

With --destroy every stack of the name goes from the accounts, whichever route made it, with or without
--own-pipeline, in reverse order. What has people's content or protects it stays, unless --delete names
it: the site's bucket, the repository, and the key of the pipeline's artifacts, which AWS then deletes
after a waiting time of 30 days. The bucket and the repository keep their names, so that stacks of the
same --name can be made again once they are gone; the same command with --delete finds them by their names
when the stacks are gone already, and deletes them if stacks of the name made them: a bucket's tags tell that,
and a repository's description. A pipeline of yours that still calls what goes is named before anything
is done.

Before anything is made, the distribution and the bucket that parameters name are looked for.

The routes: ` + strings.Join(templates.Routes(), ", ") + `.

The exit code is 0 when everything is as it should be, 1 when something failed or was declined, 2 when
the command line is wrong.`,
		Example: `  unstale deploy relay --pipeline-profile build --delivery-profile site
  unstale deploy assume --own-pipeline --pipeline-profile build --delivery-profile site \
    --param ExistingDistributionId=E2EXAMPLE            # for a pipeline and a distribution that exist
  unstale deploy relay --pipeline-profile build --delivery-profile site --yes --param Branch=release
  unstale deploy relay --pipeline-profile build --delivery-profile site --destroy
  unstale deploy relay --pipeline-profile build --delivery-profile site --destroy --delete SiteBucket`,
		Args: func(_ *cobra.Command, args []string) error {
			routes := strings.Join(templates.Routes(), ", ")
			switch {
			case len(args) == 0:
				return usage{withTry(errors.New("deploy needs a route"), "unstale deploy with one of %s", routes)}
			case len(args) > 1:
				return usage{withTry(fmt.Errorf("deploy takes one route, but got %q", args), "unstale deploy %s", args[0])}
			case !slices.Contains(templates.Routes(), args[0]):
				return usage{withTry(noSuch("route", args[0], templates.Routes()), "unstale deploy with one of %s", routes)}
			}
			return nil
		},
		ValidArgs: templates.Routes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deployRoute(cmd.Context(), args[0], f, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "unstale", "prefix of everything that is made; the same again means the same stacks")
	flags.StringVar(&f.pipelineProfile, "pipeline-profile", "", "AWS profile of the pipeline account (default: the environment's credentials)")
	flags.StringVar(&f.deliveryProfile, "delivery-profile", "", "AWS profile of the account of the site; needed unless the route is same-account")
	flags.StringVar(&f.region, "region", "", "region of both accounts' stacks (default: the profiles')")
	flags.StringVar(&f.code, "code", "", "directory or archive with the Lambda zips (default: beside this program, or where make lambdas puts them)")
	flags.StringArrayVar(&f.parameters, "param", nil, "template parameter, NAME=VALUE (repeatable); unstale template lists the templates")
	flags.BoolVar(&f.ownPipeline, "own-pipeline", false, "make no pipeline, only what an existing one needs")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.destroy, "destroy", false, "take the stacks away")
	flags.StringArrayVar(&f.also, "delete", nil, "with --destroy: delete this as well, which would stay: its name, or its logical ID where that means one thing (repeatable)")
	return cmd
}

// validPrefix is the templates' own rule for the parameter Name.
var validPrefix = regexp.MustCompile(`^[a-z][a-z0-9-]{0,18}[a-z0-9]$`)

// deployRoute reads the command line, and leaves the rest to package deploy.
func deployRoute(ctx context.Context, route string, f deployFlags, stdin io.Reader, stdout io.Writer) error {
	o := deploy.Options{Route: route, Name: f.name, OwnPipeline: f.ownPipeline, Version: tagged(version())}
	var err error
	if o.Parameters, err = pairs(f.parameters); err != nil {
		return err
	}
	switch {
	case !f.yes && !isTerminal(stdin):
		return usage{withTry(errors.New("deploy asks before it changes anything, and stdin is no terminal"), "--yes, which agrees to everything beforehand")}
	case len(f.also) > 0 && !f.destroy:
		return usage{withTry(errors.New("--delete goes with --destroy"), "unstale deploy %s --destroy --delete %s", route, f.also[0])}
	case route != "same-account" && f.deliveryProfile == "":
		return usage{withTry(fmt.Errorf("route %s needs the account of the site", route), "--delivery-profile, with a profile of ~/.aws/config")}
	case route != "same-account" && f.deliveryProfile == f.pipelineProfile:
		return usage{withTry(fmt.Errorf("route %s joins two accounts, but both are of profile %s", route, f.deliveryProfile), "--pipeline-profile and --delivery-profile of two accounts, or unstale deploy same-account")}
	case !validPrefix.MatchString(f.name):
		return usage{withTry(fmt.Errorf("--name %q is not 2 to 20 small letters, digits and hyphens, beginning with a letter", f.name), "--name shop")}
	}
	if _, err := os.Stat(f.code); f.code != "" && !f.destroy && err != nil {
		return usage{withTry(fmt.Errorf("read --code %s: %w", f.code, bare(err)), "--code with the directory or the archive of the Lambda zips")}
	}
	if o.Pipeline, err = loadRegional(ctx, f.pipelineProfile, f.region); err != nil {
		return err
	}
	if route != "same-account" {
		if o.Delivery, err = loadRegional(ctx, f.deliveryProfile, f.region); err != nil {
			return err
		}
	}
	s := &deploySession{out: stdout, in: bufio.NewReader(untilDone{ctx, stdin}), yes: f.yes}
	o.Confirm, o.Remove, o.Event, o.Say = s.confirm, s.remove, s.event, s.say
	zips := code{given: f.code}
	o.Code = zips.read
	d, err := deploy.Open(ctx, o)
	if err != nil {
		return explain(ctx, err, f)
	}
	if f.destroy {
		removal, err := d.Destroy(ctx, f.also)
		if err != nil {
			return explain(ctx, err, f)
		}
		return s.gone(removal, d.Sought())
	}
	if err := zips.check(d.Functions()); err != nil {
		return err
	}
	outputs, err := d.Run(ctx)
	if err != nil {
		return explain(ctx, err, f)
	}
	return s.done(outputs, f.ownPipeline)
}

// interruption is what to say when a signal ended a deployment: what AWS goes on with, and what to do.
func interruption(cause interrupted, err error) error {
	var goes *deploy.GoesOn
	if errors.As(err, &goes) {
		cause.goesOn = fmt.Sprintf("stack %s is %s and goes on at AWS", goes.Stack, goes.Status)
	}
	return withTry(cause, "the same command again; it goes on from here")
}

// ofParameter finds in a failure the parameter that is to blame for it: rehearsals name the value to give,
// CloudFormation names the parameter.
var ofParameter = regexp.MustCompile(`give ([A-Z]\w*=\w+)|Parameter '?(\w+)'? (?:failed to satisfy|must)`)

// explain adds the next step to what package deploy says.
func explain(ctx context.Context, err error, f deployFlags) error {
	var unknown *deploy.UnknownParameter
	var missing *deploy.MissingParameter
	var kept *deploy.NotRetained
	var foreign *deploy.Foreign
	var nobody *deploy.Unknown
	var unusable *deploy.Unusable
	var taken *deploy.Taken
	var other *deploy.NotOurs
	var several *deploy.Ambiguous
	var one *deploy.OneAccount
	var two *deploy.TwoAccounts
	var cause interrupted
	blamed := ofParameter.FindStringSubmatch(err.Error())
	switch {
	case errors.As(context.Cause(ctx), &cause) && errors.Is(err, context.Canceled):
		return interruption(cause, err)
	case errors.As(err, &unknown):
		return usage{withTry(err, "--param with one of %s", strings.Join(unknown.Known, ", "))}
	case errors.As(err, &missing):
		return usage{withTry(err, "--param %s=...", missing.Name)}
	case errors.As(err, &kept):
		return usage{withTry(err, "--destroy without --delete, which lists what stays")}
	case errors.As(err, &nobody):
		return withTry(err, "aws sts get-caller-identity%s", as(nobody.Side == templates.Delivery, f))
	case errors.As(err, &unusable) && unusable.Action == "":
		return usage{withTry(err, "--param %s with one that is listed by %s", unusable.Parameter, lists(unusable, f))}
	case errors.As(err, &unusable):
		return withTry(err, "allow the caller %s, or give a %s that belongs to account %s", unusable.Action, unusable.What, unusable.Account)
	case errors.As(err, &taken):
		return withTry(err, "%s", makeRoom(taken, f))
	case errors.As(err, &other):
		return usage{withTry(err, "%s", leave(other, f))}
	case errors.As(err, &several):
		return usage{withTry(err, "--delete with one of %s", strings.Join(several.Names(), ", "))}
	case errors.As(err, &one):
		return usage{withTry(err, "--pipeline-profile and --delivery-profile of two accounts, or unstale deploy same-account")}
	case errors.As(err, &two):
		return usage{withTry(err, "the route that made it, with --delivery-profile")}
	case errors.As(err, &foreign):
		return withTry(err, "another --name, or delete the stack %s if nobody needs it", foreign.Stack)
	case errors.Is(err, deploy.ErrDeclined):
		return withTry(err, "the same command again; it goes on from here")
	case f.destroy:
		return withTry(err, "the same command again, once the cause is gone; it goes on with what is left")
	case blamed != nil:
		return withTry(err, "the same command with --param %s", cmp.Or(blamed[1], blamed[2]+"=VALUE"))
	}
	return withTry(err, "the same command again, once the cause is gone; what is done already is left alone")
}

// as is the option of the AWS CLI by which it speaks for an account.
func as(parameterOfDelivery bool, f deployFlags) string {
	profile := f.pipelineProfile
	if parameterOfDelivery && f.deliveryProfile != "" {
		profile = f.deliveryProfile
	}
	if profile == "" {
		return ""
	}
	return " --profile " + profile
}

// lists is the command that lists what a parameter can name.
func lists(u *deploy.Unusable, f deployFlags) string {
	own := as(strings.HasPrefix(u.Parameter, "Existing"), f)
	if u.What == "bucket" {
		return "aws s3 ls" + own
	}
	return "aws cloudfront list-distributions" + own
}

// makeRoom says how a stack can be made although a name that it gives is taken.
func makeRoom(t *deploy.Taken, f deployFlags) string {
	const other = "another --name"
	switch {
	case len(t.Stays) > 0:
		also := ""
		for _, id := range t.Stays {
			also += " --delete " + id
		}
		return fmt.Sprintf("%s; or the same command with --destroy%s first, which deletes what is in %s, too, and then this again",
			other, also, plural.Word(len(t.Stays), "it", "them"))
	case t.Elsewhere:
		return other
	case t.Type == "AWS::S3::Bucket":
		return fmt.Sprintf("%s; or, if nobody needs what is in it, %s", other, deleteBucket(t.Name, strings.HasPrefix(strings.TrimPrefix(t.Stack, f.name+"-"), "delivery-"), f))
	}
	return fmt.Sprintf("%s; or, if nobody needs it, %s", other, deleteRepository(t.Name, t.Region, f))
}

// leave says what can be done about something with the name of ours.
func leave(n *deploy.NotOurs, f deployFlags) string {
	switch {
	case n.Action != "":
		return "allow the caller " + n.Action
	case n.Stack != "":
		return fmt.Sprintf("--destroy without --delete of it; who made stack %s decides about it", n.Stack)
	case n.Type == "AWS::S3::Bucket":
		return "--destroy without --delete of it; or, if nobody needs what is in it, " + deleteBucket(n.Name, n.Side == templates.Delivery, f)
	}
	return "if nobody needs it, " + deleteRepository(n.Name, n.Region, f)
}

func deleteBucket(name string, ofDelivery bool, f deployFlags) string {
	return fmt.Sprintf("aws s3 rb --force s3://%s%s", name, as(ofDelivery, f))
}

func deleteRepository(name, region string, f deployFlags) string {
	return fmt.Sprintf("aws codecommit delete-repository --repository-name %s --region %s%s", name, region, as(false, f))
}

func pairs(given []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range given {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usage{withTry(fmt.Errorf("--param %q is not NAME=VALUE", p), "--param %s=VALUE", cmp.Or(name, "NAME"))}
		}
		if _, twice := out[name]; twice {
			return nil, usage{withTry(fmt.Errorf("--param %s is given twice", name), "one of them")}
		}
		out[name] = value
	}
	return out, nil
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// tagged is a version as a tag takes it: letters, digits, spaces and _.:/=+-@, at most 256 (Tagging AWS
// Resources, "Tag naming limits").
func tagged(version string) string {
	out := strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" _.:/=+-@", r)) {
			return r
		}
		return -1
	}, version)
	return out[:min(len(out), 256)]
}
