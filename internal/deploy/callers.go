package deploy

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"golang.org/x/sync/errgroup"

	"github.com/unstale/unstale/templates"
)

// Caller is an action of a pipeline that stays, and that works with something that goes: the next release
// fails there.
type Caller struct {
	Account, Pipeline, Stage, Action string
	Uses                             string // "function shop-job"
}

// readers is how many pipelines are read at once.
const readers = 8

// callers finds the actions of pipelines of people's own that still work with what goes. It is a warning only,
// so that whoever may not read pipelines gets none.
func (d *Deployment) callers(ctx context.Context, r Removal) []Caller {
	at := d.sides[templates.Pipeline]
	going, own := uses(r, at.account)
	if len(going) == 0 {
		return nil
	}
	client := codepipeline.NewFromConfig(at.cfg)
	var names []string
	pages := codepipeline.NewListPipelinesPaginator(client, &codepipeline.ListPipelinesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil
		}
		for _, p := range page.Pipelines {
			if name := aws.ToString(p.Name); !own[name] {
				names = append(names, name)
			}
		}
	}
	found := make([][]Caller, len(names))
	var reading errgroup.Group
	reading.SetLimit(readers)
	for i, name := range names {
		reading.Go(func() error {
			out, err := client.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: aws.String(name)})
			if err == nil && out.Pipeline != nil {
				found[i] = callersIn(out.Pipeline, at.account, going)
			}
			return nil
		})
	}
	_ = reading.Wait() // none fails
	var all []Caller
	for _, list := range found {
		all = append(all, list...)
	}
	return all
}

// uses is what actions of pipelines can work with, of what goes, and which pipelines of an account go too.
func uses(r Removal, account string) (going, own map[string]bool) {
	going, own = map[string]bool{}, map[string]bool{}
	for _, s := range r.Stacks {
		for _, i := range s.Goes {
			switch i.Type {
			case "AWS::Lambda::Function":
				going[s.Account+" function "+i.PhysicalID] = true
			case "AWS::StepFunctions::StateMachine":
				going[s.Account+" state machine "+lastPart(i.PhysicalID)] = true
			case "AWS::IAM::Role":
				going[s.Account+" role "+i.PhysicalID] = true
			case "AWS::CodePipeline::Pipeline":
				own[i.PhysicalID] = own[i.PhysicalID] || s.Account == account
			}
		}
	}
	return going, own
}

// callersIn are the actions of a pipeline that work with what goes. An action's function is of the account of
// the action's role (User Guide, "Lambda invoke action reference").
func callersIn(p *types.PipelineDeclaration, account string, going map[string]bool) []Caller {
	var out []Caller
	for _, stage := range p.Stages {
		for _, a := range stage.Actions {
			of := account
			role := strings.SplitN(aws.ToString(a.RoleArn), ":", 6)
			if len(role) == 6 {
				of = role[4]
			}
			for _, used := range []string{
				"function " + lastPart(a.Configuration["FunctionName"]),
				"state machine " + lastPart(a.Configuration["StateMachineArn"]),
				"role " + role[len(role)-1][strings.LastIndexByte(role[len(role)-1], '/')+1:],
			} {
				if going[of+" "+used] {
					out = append(out, Caller{account, aws.ToString(p.Name), aws.ToString(stage.Name), aws.ToString(a.Name), used})
					break
				}
			}
		}
	}
	return out
}

// lastPart is the name at the end of an ARN, or a name by itself.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
