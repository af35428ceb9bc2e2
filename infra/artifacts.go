package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DeployRoleARN is the ARN of the role that [NewDeployRole] makes in an account, in the caller's partition. The pipeline
// account has to name it before it exists.
func DeployRoleARN(name, account string) string {
	return sub("arn:${AWS::Partition}:iam::${Account}:role/${Name}-deploy",
		map[string]string{"Account": account, "Name": name})
}

// newRole makes a role for an AWS service, without any power yet.
// Others name it; the stack that knows what it needs attaches the policy.
func newRole(scope constructs.Construct, id, name, description, sid, principal string) awsiam.CfnRole {
	return awsiam.NewCfnRole(scope, jsii.String(id), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(name),
		Description:              jsii.String(description),
		AssumeRolePolicyDocument: assumedBy(sid, principal),
	})
}

// NewJobRole makes the role of the job function, which the delivery account names in its Lambda permission and which must
// therefore exist first. [NewInvalidateAction] gives it its power.
func NewJobRole(scope constructs.Construct, id, name string) awsiam.CfnRole {
	return newRole(scope, id, name+"-job", "What the job function may do: invoke the invalidators of its targets",
		"LambdaAssumes", "lambda.amazonaws.com")
}

// ArtifactsProps describes where a pipeline keeps what it hands from action to action.
type ArtifactsProps struct {
	Name            string // prefix of the names of what is made
	DeliveryAccount string // its deploy role, and only that, reads the artifacts
}

// Artifacts is the artifact bucket and its key.
type Artifacts struct {
	constructs.Construct
	Bucket awss3.CfnBucket
	Key    awskms.CfnKey
}

// NewArtifacts makes an artifact bucket that the deploy role of the delivery account can read. The key is one of ours,
// because the key that AWS manages for S3 cannot be opened to another account (CodePipeline User Guide,
// pipelines-create-cross-account). The key outlives its stack: without it the artifacts are lost. The bucket is not
// versioned; only S3 sources have to be.
func NewArtifacts(scope constructs.Construct, id string, props ArtifactsProps) Artifacts {
	c := constructs.NewConstruct(scope, jsii.String(id))
	deployRole := DeployRoleARN(props.Name, props.DeliveryAccount)
	key := awskms.NewCfnKey(c, jsii.String("Key"), &awskms.CfnKeyProps{
		Description:       jsii.String("Encrypts the artifacts of the " + props.Name + " pipeline"),
		EnableKeyRotation: true,
		KeyPolicy:         keyPolicy(props.DeliveryAccount, deployRole),
	})
	keep(key)
	awskms.NewCfnAlias(c, jsii.String("KeyAlias"), &awskms.CfnAliasProps{
		AliasName:   jsii.String("alias/" + props.Name + "-artifacts"),
		TargetKeyId: key.Ref(),
	})
	bucket := newPrivateBucket(c, props.Name, "artifacts", &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{
		SseAlgorithm:   jsii.String("aws:kms"),
		KmsMasterKeyId: key.AttrArn(),
	})
	awss3.NewCfnBucketPolicy(c, jsii.String("BucketPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket:         bucket.Ref(),
		PolicyDocument: artifactPolicy(*bucket.AttrArn(), props.DeliveryAccount, deployRole),
	})
	return Artifacts{Construct: c, Bucket: bucket, Key: key}
}

// keyPolicy delegates to the account's own policies and opens the key to the deploy role. In a key policy "*" is this key.
// kms:ViaService is not asked for: that CodePipeline uses the key through S3 only is nowhere promised.
func keyPolicy(deliveryAccount, deployRole string) map[string]any {
	return document(
		statement{
			sid:       "AccountDelegates",
			principal: map[string]any{"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root", nil)},
			actions:   []string{"kms:*"}, resources: []string{"*"},
		},
		statement{
			sid: "DeployRoleDecrypts", principal: accountRoot(deliveryAccount),
			actions: []string{"kms:Decrypt"}, resources: []string{"*"}, when: onlyRole(deployRole),
		},
		statement{
			sid: "DeployRoleUsesKeyAsDocumented", principal: accountRoot(deliveryAccount),
			actions: documentedKeyUse, resources: []string{"*"}, when: onlyRole(deployRole),
		},
	)
}

func artifactPolicy(bucketARN, deliveryAccount, deployRole string) map[string]any {
	return document(
		denyInsecureTransport(bucketARN),
		statement{
			sid: "DeployRoleReads", principal: accountRoot(deliveryAccount), actions: []string{"s3:GetObject"},
			resources: []string{bucketARN + "/*"}, when: onlyRole(deployRole),
		},
		statement{
			sid: "DeployRoleReadsAsDocumented", principal: accountRoot(deliveryAccount), actions: documentedArtifactRead,
			resources: []string{bucketARN, bucketARN + "/*"}, when: onlyRole(deployRole),
		},
	)
}
