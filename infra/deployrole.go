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
	return awsiam.NewCfnRole(scope, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName:    jsii.String(props.Name + "-deploy"),
		Description: jsii.String("What the pipeline may do here: copy a release into the site's bucket"),
		AssumeRolePolicyDocument: document(statement{
			sid: "PipelineRoleAssumes", principal: accountRoot(props.PipelineAccount),
			actions: []string{"sts:AssumeRole"}, when: onlyRole(props.PipelineRoleARN),
		}),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("deploy"),
			PolicyDocument: document(append([]statement{writeSite(props.SiteBucket)},
				readArtifacts(props.ArtifactBucketARN, props.ArtifactKeyARN)...)...),
		}},
	})
}

// writeSite lets the deploy action add and overwrite files of the site.
func writeSite(bucket string) statement {
	return statement{
		sid: "WriteSite", actions: []string{"s3:PutObject"},
		resources: []string{sub("arn:${AWS::Partition}:s3:::${Bucket}/*", map[string]string{"Bucket": bucket})},
	}
}

// readArtifacts lets a role of another account read what the pipeline hands to its action.
func readArtifacts(bucketARN, keyARN string) []statement {
	return []statement{
		{sid: "ReadArtifacts", actions: []string{"s3:GetObject"}, resources: []string{bucketARN + "/*"}},
		{
			sid: "ReadArtifactsAsDocumented", actions: documentedArtifactRead,
			resources: []string{bucketARN, bucketARN + "/*"},
		},
		{sid: "DecryptArtifacts", actions: []string{"kms:Decrypt"}, resources: []string{keyARN}},
		{sid: "UseKeyAsDocumented", actions: documentedKeyUse, resources: []string{keyARN}},
	}
}
