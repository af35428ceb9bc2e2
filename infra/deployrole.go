package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DeployRoleProps describes the role with which the pipeline copies a release into the site's bucket. Every field is
// needed.
type DeployRoleProps struct {
	Name              string // prefix of the role's name
	PipelineAccount   string
	PipelineRoleARN   string // the one role of the pipeline account that may assume this one
	ArtifactBucketARN string
	ArtifactKeyARN    string
	SiteBucket        string // name of the bucket in the account of the stack
}

// NewDeployRole makes the role of the delivery account that CodePipeline's S3 deploy action takes on. It can add and
// overwrite files of the site and read artifacts. It cannot delete or list the site, nor invalidate.
//
// The documented policy for the action also allows s3:PutObjectAcl; that is for a CannedACL, which a bucket without ACLs
// refuses.
func NewDeployRole(scope constructs.Construct, id string, props DeployRoleProps) awsiam.CfnRole {
	requireEnvironment(scope, "deploy role "+id)
	site := sub("arn:${AWS::Partition}:s3:::${Bucket}/*", map[string]string{"Bucket": props.SiteBucket})
	artifacts := props.ArtifactBucketARN
	return awsiam.NewCfnRole(scope, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName:    jsii.String(props.Name + "-deploy"),
		Description: jsii.String("What the pipeline may do here: copy a release into the site's bucket"),
		AssumeRolePolicyDocument: document(statement{
			sid: "PipelineRoleAssumes", principal: accountRoot(props.PipelineAccount),
			actions: []string{"sts:AssumeRole"}, when: onlyRole(props.PipelineRoleARN),
		}),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("deploy"),
			PolicyDocument: document(
				statement{sid: "WriteSite", actions: []string{"s3:PutObject"}, resources: []string{site}},
				statement{sid: "ReadArtifacts", actions: []string{"s3:GetObject"}, resources: []string{artifacts + "/*"}},
				statement{
					sid: "ReadArtifactsAsDocumented", actions: documentedArtifactRead,
					resources: []string{artifacts, artifacts + "/*"},
				},
				statement{
					sid: "DecryptArtifacts", actions: []string{"kms:Decrypt"}, resources: []string{props.ArtifactKeyARN},
				},
				statement{
					sid: "UseKeyAsDocumented", actions: documentedKeyUse, resources: []string{props.ArtifactKeyARN},
				},
			),
		}},
	})
}
