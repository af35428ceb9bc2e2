package infra

import (
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodecommit"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Names of the artifacts that the stages hand on.
const (
	sourceArtifact = "Source"
	siteArtifact   = "Site"
)

// siteCacheControl is put on every file: browsers ask again each time, edges keep a file until it is purged. That the
// purge is what changes the release, everywhere at once, is the point of the pipeline. The S3 deploy action takes one
// value for all files (CodePipeline User Guide, action-reference-S3Deploy).
const siteCacheControl = "public, max-age=0, s-maxage=31536000"

// buildImage runs the site's buildspec.yml; it has Node 18 and newer.
const buildImage = "aws/codebuild/amazonlinux-x86_64-standard:5.0"

// PipelineProps describes a pipeline that builds a site and delivers it. Every field but DeployRoleARN is needed.
type PipelineProps struct {
	Name               string // prefix of the names of what is made
	Branch             string
	PipelineRoleName   string // role that CodePipeline takes on; its policy is attached here
	ArtifactBucketName string
	ArtifactKeyARN     string
	SiteBucket         string // name of the site's bucket
	DeployRoleARN      string // made by [NewDeployRole] in the delivery account; empty: the bucket is in this account
	Purge              InvalidateAction
}

// Pipeline is a repository and what takes a push to the site's viewers.
type Pipeline struct {
	constructs.Construct
	Repository awscodecommit.CfnRepository
	Pipeline   awscodepipeline.CfnPipeline
}

// artifactStore is where a role of the pipeline account reads and writes artifacts.
type artifactStore struct{ bucketName, bucketARN, keyARN string }

func (p PipelineProps) artifacts() artifactStore {
	return artifactStore{
		bucketName: p.ArtifactBucketName,
		bucketARN:  sub("arn:${AWS::Partition}:s3:::${Bucket}", map[string]string{"Bucket": p.ArtifactBucketName}),
		keyARN:     p.ArtifactKeyARN,
	}
}

// grants lets a role read and write artifacts; documented are the bucket actions its service's guide asks for besides.
func (s artifactStore) grants(documented []string) []statement {
	return s.using("ReadAndWriteArtifacts", []string{"s3:GetObject", "s3:PutObject"}, documented,
		[]string{"kms:Decrypt", "kms:GenerateDataKey"}, documentedWriterKeyUse)
}

// writes lets the pipeline's role write artifacts where only other roles read them. That it reads as well is then what its
// guides ask for, and nothing that a release does.
func (s artifactStore) writes() []statement {
	return s.using("WriteArtifacts", []string{"s3:PutObject"}, slices.Concat(documentedRead, documentedStore),
		[]string{"kms:GenerateDataKey"}, slices.Concat(documentedDecrypt, documentedWriterKeyUse))
}

func (s artifactStore) using(sid string, objects, objectsDocumented, key, keyDocumented []string) []statement {
	return []statement{
		{sid: sid, actions: objects, resources: []string{s.bucketARN + "/*"}},
		{sid: "ArtifactsAsDocumented", actions: objectsDocumented, resources: []string{s.bucketARN, s.bucketARN + "/*"}},
		{sid: "UseArtifactKey", actions: key, resources: []string{s.keyARN}},
		{sid: "UseKeyAsDocumented", actions: keyDocumented, resources: []string{s.keyARN}},
	}
}

// NewPipeline makes repository, build and pipeline. The pipeline is of type V2: only that has variables, triggers and the
// roll-back of a stage. Its mode stays SUPERSEDED: a newer release overtakes one that waits, never one that is being
// delivered, since deploy and purge share a stage.
func NewPipeline(scope constructs.Construct, id string, props PipelineProps) Pipeline {
	requireEnvironment(scope, "pipeline "+id)
	c := constructs.NewConstruct(scope, jsii.String(id))
	repository := awscodecommit.NewCfnRepository(c, jsii.String("Repository"), &awscodecommit.CfnRepositoryProps{
		RepositoryName:        jsii.String(props.Name),
		RepositoryDescription: jsii.String("Source of the " + props.Name + " site"),
	})
	keep(repository) // it holds the only thing here that cannot be made again
	build := newBuild(c, props)
	policy := awsiam.NewCfnRolePolicy(c, jsii.String("Policy"), &awsiam.CfnRolePolicyProps{
		RoleName:       jsii.String(props.PipelineRoleName),
		PolicyName:     jsii.String("pipeline"),
		PolicyDocument: pipelinePolicy(props, *repository.AttrArn(), *build.AttrArn()),
	})
	pipeline := awscodepipeline.NewCfnPipeline(c, jsii.String(mainResource), &awscodepipeline.CfnPipelineProps{
		Name:         jsii.String(props.Name),
		PipelineType: jsii.String("V2"),
		RoleArn:      ownRoleARN(props.PipelineRoleName),
		ArtifactStore: &awscodepipeline.CfnPipeline_ArtifactStoreProperty{
			Type:     jsii.String("S3"),
			Location: jsii.String(props.ArtifactBucketName),
			// By ARN: an alias is resolved in the account of the action's role (pipelines-create-cross-account).
			EncryptionKey: &awscodepipeline.CfnPipeline_EncryptionKeyProperty{
				Id: jsii.String(props.ArtifactKeyARN), Type: jsii.String("KMS"),
			},
		},
		Stages: stages(props, *repository.AttrName(), *build.Ref()),
	})
	pipeline.AddResourceDependency(policy, jsii.String("creating a pipeline checks that it may assume its actions' roles"))
	if props.Purge.Policy != nil {
		pipeline.AddResourceDependency(props.Purge.Policy, jsii.String("a pipeline starts as soon as it is created"))
	}
	newStart(c, props, repository, pipeline)
	return Pipeline{Construct: c, Repository: repository, Pipeline: pipeline}
}

func stages(props PipelineProps, repository, project string) []*awscodepipeline.CfnPipeline_StageDeclarationProperty {
	source := &awscodepipeline.CfnPipeline_ActionDeclarationProperty{
		Name:         jsii.String("Checkout"),
		ActionTypeId: actionType("Source", "CodeCommit"),
		Configuration: map[string]string{
			"RepositoryName": repository, "BranchName": props.Branch,
			"PollForSourceChanges": "false", // the event rule starts the pipeline
		},
		OutputArtifacts: []*awscodepipeline.CfnPipeline_OutputArtifactProperty{{Name: jsii.String(sourceArtifact)}},
		RunOrder:        jsii.Number(1),
	}
	build := &awscodepipeline.CfnPipeline_ActionDeclarationProperty{
		Name:            jsii.String("Build"),
		ActionTypeId:    actionType("Build", "CodeBuild"),
		Configuration:   map[string]string{"ProjectName": project},
		InputArtifacts:  []*awscodepipeline.CfnPipeline_InputArtifactProperty{{Name: jsii.String(sourceArtifact)}},
		OutputArtifacts: []*awscodepipeline.CfnPipeline_OutputArtifactProperty{{Name: jsii.String(siteArtifact)}},
		RunOrder:        jsii.Number(1),
	}
	deploy := &awscodepipeline.CfnPipeline_ActionDeclarationProperty{
		Name:         jsii.String("Deploy"),
		ActionTypeId: actionType("Deploy", "S3"),
		Configuration: map[string]string{
			"BucketName": props.SiteBucket, "Extract": "true", "CacheControl": siteCacheControl,
		},
		InputArtifacts: []*awscodepipeline.CfnPipeline_InputArtifactProperty{{Name: jsii.String(siteArtifact)}},
		RunOrder:       jsii.Number(2),
	}
	if props.DeployRoleARN != "" {
		deploy.RoleArn = jsii.String(props.DeployRoleARN)
	}
	deliver := []*awscodepipeline.CfnPipeline_ActionDeclarationProperty{deploy, props.Purge.Declaration(siteArtifact, 3)}
	if first := props.Purge.Announcement(siteArtifact, 1); first != nil {
		deliver = slices.Insert(deliver, 0, first)
	}
	return []*awscodepipeline.CfnPipeline_StageDeclarationProperty{
		stage("Source", source),
		stage("Build", build),
		stage("Deliver", deliver...),
	}
}

func stage(name string,
	actions ...*awscodepipeline.CfnPipeline_ActionDeclarationProperty,
) *awscodepipeline.CfnPipeline_StageDeclarationProperty {
	return &awscodepipeline.CfnPipeline_StageDeclarationProperty{Name: jsii.String(name), Actions: actions}
}

func actionType(category, provider string) *awscodepipeline.CfnPipeline_ActionTypeIdProperty {
	return &awscodepipeline.CfnPipeline_ActionTypeIdProperty{
		Category: jsii.String(category), Owner: jsii.String("AWS"),
		Provider: jsii.String(provider), Version: jsii.String("1"),
	}
}

// newBuild makes the build project. Its EncryptionKey is named although the pipeline names it too: without it CodeBuild
// encrypts its output with the key AWS manages for S3, which the delivery account can never use.
func newBuild(c constructs.Construct, props PipelineProps) awscodebuild.CfnProject {
	scope := constructs.NewConstruct(c, jsii.String("Build"))
	log := newLog(scope, "/aws/codebuild/"+props.Name)
	role := awsiam.NewCfnRole(scope, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(props.Name + "-build"),
		Description:              jsii.String("What a build may do: read its source, write its output and its log"),
		AssumeRolePolicyDocument: assumedBy("CodeBuildAssumes", "codebuild.amazonaws.com"),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("build"),
			PolicyDocument: document(append(props.artifacts().grants(documentedBuildArtifacts),
				writeOwnLog(*log.AttrArn()))...),
		}},
	})
	return awscodebuild.NewCfnProject(scope, jsii.String("Project"), &awscodebuild.CfnProjectProps{
		Name:          jsii.String(props.Name),
		Description:   jsii.String("Builds the site by its buildspec.yml"),
		ServiceRole:   role.AttrArn(),
		Source:        &awscodebuild.CfnProject_SourceProperty{Type: jsii.String("CODEPIPELINE")},
		Artifacts:     &awscodebuild.CfnProject_ArtifactsProperty{Type: jsii.String("CODEPIPELINE")},
		EncryptionKey: jsii.String(props.ArtifactKeyARN),
		Environment: &awscodebuild.CfnProject_EnvironmentProperty{
			Type:        jsii.String("LINUX_CONTAINER"),
			ComputeType: jsii.String("BUILD_GENERAL1_SMALL"),
			Image:       jsii.String(buildImage),
		},
		LogsConfig: &awscodebuild.CfnProject_LogsConfigProperty{
			CloudWatchLogs: &awscodebuild.CfnProject_CloudWatchLogsConfigProperty{
				Status: jsii.String("ENABLED"), GroupName: log.Ref(),
			},
		},
		TimeoutInMinutes: jsii.Number(20),
	})
}

func pipelinePolicy(props PipelineProps, repositoryARN, projectARN string) map[string]any {
	statements := []statement{
		{
			sid: "ReadSource",
			actions: []string{
				"codecommit:GetBranch", "codecommit:GetCommit",
				"codecommit:UploadArchive", "codecommit:GetUploadArchiveStatus",
			},
			resources: []string{repositoryARN},
		},
		{sid: "SourceAsDocumented", actions: documentedSource, resources: []string{repositoryARN}},
		{
			sid: "RunBuild", actions: []string{"codebuild:StartBuild", "codebuild:BatchGetBuilds"},
			resources: []string{projectARN},
		},
		props.deploys(),
	}
	if props.reads() {
		statements = append(statements, props.artifacts().grants(documentedStore)...)
	} else {
		statements = append(statements, props.artifacts().writes()...)
	}
	return document(append(statements, props.Purge.run.statements()...)...)
}

// deploys lets the deploy action write the site, with a role of the other account or by itself.
func (p PipelineProps) deploys() statement {
	if p.DeployRoleARN == "" {
		return writeSite(p.SiteBucket)
	}
	return statement{sid: "AssumeDeployRole", actions: []string{"sts:AssumeRole"}, resources: []string{p.DeployRoleARN}}
}

// reads says whether an action reads artifacts with the pipeline's own role: the deploy action, or the purge, whose job
// carries credentials of the role that runs it.
func (p PipelineProps) reads() bool {
	return p.DeployRoleARN == "" || p.Purge.run.release && p.Purge.run.roleARN == ""
}

// newStart starts the pipeline on a push to the branch.
func newStart(c constructs.Construct, props PipelineProps, repository awscodecommit.CfnRepository,
	pipeline awscodepipeline.CfnPipeline,
) {
	scope := constructs.NewConstruct(c, jsii.String("Start"))
	arn := sub("arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${Pipeline}",
		map[string]string{"Pipeline": *pipeline.Ref()})
	role := awsiam.NewCfnRole(scope, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:                 jsii.String(props.Name + "-start"),
		Description:              jsii.String("What a push may do: start the pipeline"),
		AssumeRolePolicyDocument: assumedBy("EventBridgeAssumes", "events.amazonaws.com"),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("start"),
			PolicyDocument: document(statement{
				sid: "StartPipeline", actions: []string{"codepipeline:StartPipelineExecution"}, resources: []string{arn},
			}),
		}},
	})
	awsevents.NewCfnRule(scope, jsii.String("Rule"), &awsevents.CfnRuleProps{
		Name:        jsii.String(props.Name + "-start"),
		Description: jsii.String("Starts the pipeline on a push to its branch"),
		State:       jsii.String("ENABLED"),
		EventPattern: map[string]any{
			"source":      []any{"aws.codecommit"},
			"detail-type": []any{"CodeCommit Repository State Change"},
			"resources":   []any{*repository.AttrArn()},
			"detail": map[string]any{
				"event":         []any{"referenceCreated", "referenceUpdated"},
				"referenceType": []any{"branch"},
				"referenceName": []any{props.Branch},
			},
		},
		Targets: []*awsevents.CfnRule_TargetProperty{{Id: jsii.String("pipeline"), Arn: jsii.String(arn), RoleArn: role.AttrArn()}},
	})
}
