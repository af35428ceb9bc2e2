package mistakes

import (
	"encoding/json"
	"fmt"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/internal/cli/story"
)

// byName makes a trust statement name the role itself, as most do, and ask for nothing else.
func byName(parameter string) func(object) {
	return func(s object) {
		s["Principal"] = object{"AWS": ref(parameter)}
		if conditions, ok := s["Condition"].(object); ok {
			if delete(conditions, "ArnEquals"); len(conditions) == 0 {
				delete(s, "Condition")
			}
		}
	}
}

// recreate deletes the role that an output names and makes it again, the same in all but its ID.
func recreate(output string) func(*story.Stage) error {
	return func(s *story.Stage) error {
		d, arn := s.World.Directory(), s.Outputs[output]
		role, err := d.Role(arn)
		if err == nil {
			err = d.DeleteRole(arn)
		}
		if err == nil {
			_, err = d.CreateRole(*role)
		}
		if err != nil {
			return fmt.Errorf("make role %s again: %w", arn, err)
		}
		return nil
	}
}

// denial is what the organization says about invalidations.
const denial = `{"Sid":"NoInvalidations","Effect":"Deny","Action":"cloudfront:CreateInvalidation","Resource":"*"}`

// forbid puts the account of the site under a service control policy.
func forbid(s *story.Stage) error {
	var policies []iam.Policy
	for name, statement := range map[string]string{"FullAWSAccess": `{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}`, "Guardrails": denial} {
		d, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":` + statement + `}`))
		if err != nil {
			return fmt.Errorf("write service control policy %s: %w", name, err)
		}
		policies = append(policies, iam.Policy{Name: name, Document: d})
	}
	return s.World.Directory().SetOrganization(siteAccount(s), [][]iam.Policy{policies}, nil)
}

func permit(s *story.Stage) Change {
	return Change{Do: "remove", Account: siteAccount(s), To: "service control policy Guardrails of its organization", Layer: string(iam.LayerSCP), Statement: json.RawMessage(denial)}
}

func siteAccount(s *story.Stage) string {
	_, b := story.AccountsOf(s.Route())
	return b
}

// assumeInstead is the way that the failed hand-over of a role wanted to go.
func assumeInstead(s *story.Stage) Change {
	return Change{
		Do: "add", Account: story.PipelineAccount, To: s.Outputs["JobRoleArn"], Layer: string(iam.LayerIdentity),
		Statement: compact(object{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": s.Outputs["PurgeRoleArn"]}),
	}
}

// allow puts the distribution on the function's list.
func allow(s *story.Stage) Change {
	return set(story.DeliveryAccount, "function unstale-invalidator, environment", object{"DISTRIBUTION_ID": s.Outputs["DistributionId"]})
}

// callBack tells the function the role to answer with.
func callBack(s *story.Stage) Change {
	return set(story.DeliveryAccount, "function unstale-job, environment", object{"UNSTALE_CALLBACK_ROLE": s.Outputs["CallbackRoleArn"]})
}

func rightCode(account string) func(*story.Stage) Change {
	return func(*story.Stage) Change {
		return set(account, "function unstale-job, code", object{"S3Bucket": "unstale-code-" + account, "S3Key": "pipeline-job.zip"})
	}
}

func set(account, to string, configuration object) Change {
	return Change{Do: "set", Account: account, To: to, Statement: compact(configuration)}
}

func compact(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null") // cannot be: only texts
	}
	return raw
}

// answerNothing leaves the callback role without permissions.
func answerNothing() edit {
	return on("CallbackRole", func(p object) { delete(p, "Policies") })
}

// mayAnswer gives the delivery account's job role what CDK gives it.
func mayAnswer() edit {
	return func(resources object) error {
		documents := documents(resources, "JobRole")
		if len(documents) < 2 {
			return fmt.Errorf("change resource JobRole: it has no policy")
		}
		d := documents[len(documents)-1]
		statements, _ := d["Statement"].([]any)
		d["Statement"] = append(statements, object{
			"Sid": "AnswerJob", "Effect": "Allow", "Action": []any{"codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"}, "Resource": "*",
		})
		return nil
	}
}
