package deploy

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// What an action works with is of the account of its role; each action is named once.
func TestCallersIn(t *testing.T) {
	const a, b = "111111111111", "222222222222"
	going, own := uses(Removal{Stacks: []Doomed{
		{Account: a, Goes: []Item{
			{Type: "AWS::Lambda::Function", PhysicalID: "shop-job"},
			{Type: "AWS::CodePipeline::Pipeline", PhysicalID: "shop"},
			{Type: "AWS::StepFunctions::StateMachine", PhysicalID: "arn:aws:states:us-east-1:111111111111:stateMachine:shop-purge"},
			{Type: "AWS::Lambda::Alias", PhysicalID: "arn:aws:lambda:us-east-1:111111111111:function:other:live"},
		}, Stays: []Item{{Type: "AWS::Lambda::Function", PhysicalID: "other"}}},
		{Account: b, Goes: []Item{
			{Type: "AWS::IAM::Role", PhysicalID: "shop-action"}, {Type: "AWS::Lambda::Function", PhysicalID: "shop-b"}, {Type: "AWS::CodePipeline::Pipeline", PhysicalID: "b"},
		}},
	}}, a)
	if !own["shop"] || own["b"] {
		t.Errorf("own pipelines %v", own)
	}
	for _, tt := range []struct{ role, key, value, want string }{
		{"", "FunctionName", "shop-job", "function shop-job"},
		{"", "FunctionName", "shop-job-2", ""},
		{"", "FunctionName", "other", ""},
		{"", "FunctionName", "shop-b", ""},
		{"", "BucketName", "shop-job", ""},
		{"", "StateMachineArn", "arn:aws:states:us-east-1:111111111111:stateMachine:shop-purge", "state machine shop-purge"},
		{"arn:aws:iam::222222222222:role/mine", "FunctionName", "shop-b", "function shop-b"},
		{"arn:aws:iam::222222222222:role/mine", "FunctionName", "shop-job", ""},
		{"arn:aws:iam::222222222222:role/shop-action", "FunctionName", "shop-b", "function shop-b"},
		{"arn:aws:iam::222222222222:role/shop-action", "BucketName", "mine", "role shop-action"},
		{"arn:aws:iam::222222222222:role/path/shop-action", "BucketName", "mine", "role shop-action"},
		{"arn:aws:iam::111111111111:role/shop-action", "BucketName", "mine", ""},
		{"shop-action", "BucketName", "mine", ""},
	} {
		action := types.ActionDeclaration{Name: aws.String("Do"), Configuration: map[string]string{tt.key: tt.value}}
		if tt.role != "" {
			action.RoleArn = &tt.role
		}
		got := callersIn(&types.PipelineDeclaration{Name: aws.String("mine"), Stages: []types.StageDeclaration{
			{Name: aws.String("Deliver"), Actions: []types.ActionDeclaration{{Name: aws.String("Other")}, action}},
		}}, a, going)
		if want := (Caller{a, "mine", "Deliver", "Do", tt.want}); len(got) > 1 || (len(got) == 1) != (tt.want != "") || len(got) == 1 && got[0] != want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}
