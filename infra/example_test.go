package infra_test

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"github.com/unstale/unstale/infra"
)

// A distribution and a pipeline exist, in two accounts. The delivery account gets a role that may invalidate the one
// distribution, the pipeline account the job function that may assume that role, and the pipeline an action to add.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(dir)})
	stack := func(name, account string) awscdk.Stack {
		return awscdk.NewStack(app, jsii.String(name), &awscdk.StackProps{
			Env: &awscdk.Environment{Account: jsii.String(account), Region: jsii.String("us-east-1")},
		})
	}

	infra.NewTarget(stack("ShopDelivery", "222222222222"), "Target", infra.TargetProps{
		Name: "shop", Distribution: "E2EXAMPLE", PipelineAccount: "111111111111", ExternalID: "shop-7f3a9c",
		SiteBucketARN: "arn:aws:s3:::shop-site",
	})

	pipeline := stack("ShopPipeline", "111111111111")
	purge := infra.NewInvalidateAction(pipeline, "Purge", infra.InvalidateActionProps{
		Name: "shop", Distribution: "E2EXAMPLE", DeliveryAccount: "222222222222", ExternalID: "shop-7f3a9c",
		Code: infra.Code{Bucket: "shop-code", Key: "pipeline-job-1.zip"},
	})
	awsiam.NewCfnRolePolicy(pipeline, jsii.String("PipelineMayPurge"), &awsiam.CfnRolePolicyProps{
		RoleName: jsii.String("shop-pipeline"), PolicyName: jsii.String("purge"), PolicyDocument: purge.PipelinePolicy(),
	})
	// For the stage that deploys, around the deploying action, which is number 2.
	before, after := purge.Announcement("BuildOutput", 1), purge.Declaration("BuildOutput", 3)

	app.Synth(nil)
	for _, action := range []*awscodepipeline.CfnPipeline_ActionDeclarationProperty{before, after} {
		fmt.Printf("action %s runs as number %v of its stage\n", *action.Name, *action.RunOrder)
	}
	// Output:
	// action Announce runs as number 1 of its stage
	// action Purge runs as number 3 of its stage
}
