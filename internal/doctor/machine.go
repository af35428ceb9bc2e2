package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/target"
)

// started checks a Step Functions action, the machine that it starts, and whom the machine becomes.
func (w *walk) started(ctx context.Context, a action, caller *role, who string) finding {
	w.report.Route = string(target.States)
	m, err := target.ParseStateMachine(a.machine)
	if err != nil {
		w.add(Rung{Name: "the state machine exists", Subject: a.machine, State: Broken, Why: err.Error()})
		return finding{err: err}
	}
	w.check(link{name: who + " may start the state machine", caller: caller, actions: []string{"states:StartExecution"}, resource: a.machine})
	w.check(link{
		name: who + " may follow its execution", caller: caller, actions: []string{"states:DescribeExecution"},
		resource: m.ExecutionARN("any"), written: m.ExecutionARN("*"),
	})
	return w.machine(ctx, a.machine)
}

// machine checks a state machine and whom it becomes.
func (w *walk) machine(ctx context.Context, arn string) finding {
	m, err := target.ParseStateMachine(arn)
	var s *side
	if err == nil {
		s, err = w.at(m.Account)
	}
	var out *sfn.DescribeStateMachineOutput
	if err == nil {
		w.read("states:DescribeStateMachine", m.Name)
		out, err = s.states.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	}
	if err == nil && (aws.ToString(out.RoleArn) == "" || aws.ToString(out.Definition) == "") {
		err = errEmpty
	}
	r := Rung{Name: "the state machine exists", Account: m.Account, Subject: arn, State: OK, Why: "it is active"}
	switch {
	case gone(err):
		r.State, r.Why = Broken, fmt.Sprintf("account %s has no state machine %s", m.Account, m.Name)
	case err != nil:
		r.State, r.Why = Unknown, brief(err)
	case out.Status != "" && out.Status != "ACTIVE":
		r.State, r.Why = Broken, fmt.Sprintf("its status is %s", out.Status)
	}
	w.add(r)
	if r.State != OK {
		return finding{err: errors.New(r.Why)}
	}
	own := aws.ToString(out.RoleArn)
	w.takes(ctx, "states.amazonaws.com", "Step Functions may take the machine's role", own)
	tasks := purges(aws.ToString(out.Definition))
	if len(tasks) == 0 {
		w.add(Rung{Name: "the state machine purges", Account: m.Account, Subject: arn, State: Unknown, Why: "its definition has no task that calls createInvalidation for a distribution it names"})
	}
	var distributions []string
	for _, t := range tasks {
		distributions = append(distributions, t.distribution)
		purger, name := w.role(ctx, own), "the machine's role"
		if t.role != "" {
			// Step Functions sends the machine's ARN as ExternalId. Source: Step Functions Developer Guide,
			// "Accessing resources in other AWS accounts".
			purger, name = w.assume(ctx, "the machine's role may assume the purge role", purger, t.role, arn), "the purge role"
		}
		if !purger.missing {
			w.purge(ctx, name, purger, t.distribution, purger.principal.Account, machineActions)
		}
	}
	found := finding{ours: len(tasks) > 0}
	found.buckets, found.nothingElse = w.behind(distributions)
	return found
}

// task is a state that creates invalidations.
type task struct{ role, distribution string }

// purges finds them in a definition, in branches and maps too.
func purges(definition string) []task {
	var all any
	if json.Unmarshal([]byte(definition), &all) != nil {
		return nil // told as a machine that purges nothing
	}
	var out []task
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				visit(e)
			}
		case map[string]any:
			if t, ok := purgeTask(v); ok {
				out = append(out, t)
			}
			for _, e := range v {
				visit(e)
			}
		}
	}
	visit(all)
	return out
}

func purgeTask(state map[string]any) (task, bool) {
	resource, _ := state["Resource"].(string)
	parameters, _ := state["Parameters"].(map[string]any)
	if parameters == nil {
		parameters, _ = state["Arguments"].(map[string]any) // JSONata
	}
	distribution, _ := parameters["DistributionId"].(string)
	if !strings.HasSuffix(resource, "aws-sdk:cloudfront:createInvalidation") || !target.ValidDistribution(distribution) {
		return task{}, false
	}
	credentials, _ := state["Credentials"].(map[string]any)
	role, _ := credentials["RoleArn"].(string)
	if _, err := iam.ParseARN(role); role != "" && err != nil {
		return task{}, false // an expression: known only when it runs
	}
	return task{role, distribution}, true
}
