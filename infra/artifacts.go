package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// ArtifactsProps describes where a pipeline keeps what it hands from action to action.
type ArtifactsProps struct {
	Name string // prefix of the names of what is made
	// DeliveryAccount is another account that takes part, and Readers are the ARNs of its roles that read the artifacts:
	// the deploy role, and with [Direct] the action role. They need not exist yet. Empty: nobody else reads.
	DeliveryAccount string
	Readers         []string
}

// Artifacts is the artifact bucket and its key.
type Artifacts struct {
	constructs.Construct
	Bucket awss3.CfnBucket
	Key    awskms.CfnKey
}

// NewArtifacts makes an artifact bucket that the given roles of the delivery account can read. The key is one of ours,
// because the key that AWS manages for S3 cannot be opened to another account (CodePipeline User Guide,
// pipelines-create-cross-account). The key outlives its stack: without it the artifacts are lost. The bucket is not
// versioned; only S3 sources have to be.
func NewArtifacts(scope constructs.Construct, id string, props ArtifactsProps) Artifacts {
	return newArtifacts(scope, id, props.Name, readers{props.DeliveryAccount, oneOrMany(props.Readers)})
}

// readers are roles of another account; the zero value is nobody.
type readers struct {
	account string
	roles   any // an ARN, a list of them, or what CloudFormation makes one of these
}

func newArtifacts(scope constructs.Construct, id, name string, who readers) Artifacts {
	c := constructs.NewConstruct(scope, jsii.String(id))
	key := awskms.NewCfnKey(c, jsii.String("Key"), &awskms.CfnKeyProps{
		Description:       jsii.String("Encrypts the artifacts of the " + name + " pipeline"),
		EnableKeyRotation: true,
		KeyPolicy:         keyPolicy(who),
	})
	keep(key)
	awskms.NewCfnAlias(c, jsii.String("KeyAlias"), &awskms.CfnAliasProps{
		AliasName:   jsii.String("alias/" + name + "-artifacts"),
		TargetKeyId: key.Ref(),
	})
	bucket := newPrivateBucket(c, name, "artifacts", &awss3.CfnBucket_ServerSideEncryptionByDefaultProperty{
		SseAlgorithm:   jsii.String("aws:kms"),
		KmsMasterKeyId: key.AttrArn(),
	})
	awss3.NewCfnBucketPolicy(c, jsii.String("BucketPolicy"), &awss3.CfnBucketPolicyProps{
		Bucket:         bucket.Ref(),
		PolicyDocument: artifactPolicy(*bucket.AttrArn(), who),
	})
	return Artifacts{Construct: c, Bucket: bucket, Key: key}
}

// keyPolicy delegates to the account's own policies and opens the key to the readers. In a key policy "*" is this key.
// kms:ViaService is not asked for: that CodePipeline uses the key through S3 only is nowhere promised.
func keyPolicy(who readers) map[string]any {
	statements := []statement{{
		sid:       "AccountDelegates",
		principal: map[string]any{"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root", nil)},
		actions:   []string{"kms:*"}, resources: []string{"*"},
	}}
	if who.account != "" {
		statements = append(statements, statement{
			sid: "DeployRoleDecrypts", principal: accountRoot(who.account),
			actions: []string{"kms:Decrypt"}, resources: []string{"*"}, when: onlyRole(who.roles),
		}, statement{
			sid: "DeployRoleUsesKeyAsDocumented", principal: accountRoot(who.account),
			actions: documentedKeyUse, resources: []string{"*"}, when: onlyRole(who.roles),
		})
	}
	return document(statements...)
}

func artifactPolicy(bucketARN string, who readers) map[string]any {
	statements := []statement{denyInsecureTransport(bucketARN)}
	if who.account != "" {
		statements = append(statements, statement{
			sid: "DeployRoleReads", principal: accountRoot(who.account), actions: []string{"s3:GetObject"},
			resources: []string{bucketARN + "/*"}, when: onlyRole(who.roles),
		}, statement{
			sid: "DeployRoleReadsAsDocumented", principal: accountRoot(who.account), actions: documentedArtifactRead,
			resources: []string{bucketARN, bucketARN + "/*"}, when: onlyRole(who.roles),
		})
	}
	return document(statements...)
}
