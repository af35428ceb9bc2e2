package ablation

// row says what happens when one grant is missing.
type row struct {
	grant
	scenario string // the first that fails
	where    string // it fails: an action of the pipeline, or "start", "log of ROLE", "stack NAME"
	by       string // whose call is refused: a role or a service
	says     string // part of what is said there; empty: the action's name
	silent   bool   // nobody says why for 20 minutes, because the missing grant is to say it
}

// Where things fail.
const (
	source = "Source/Checkout"
	build  = "Build/Build"
	deploy = "Deliver/Deploy"
	purge  = "Deliver/Purge"
)

// deployment is the scenario of grants that AWS asks for when a stack is made: without them
// CloudFormation fails and no pipeline comes into being.
const deployment = "deployment"

// The resources with most grants.
const (
	base, delivery, relay = "pipeline-base", "delivery-relay", "pipeline-relay"

	noResult = "failed to return a result" // CodePipeline's words for a job that is not answered
)

// table has every grant that a release needs. Those that AWS's documentation demands besides are in
// templates/demanded.json; together they are all.
var table = []row{
	// A push starts the pipeline.
	{grant: grant{relay, "PipelineStartRole", "EventBridgeAssumes", "sts:AssumeRole"}, scenario: "green", where: "start", by: "events.amazonaws.com"},
	{grant: grant{relay, "PipelineStartRole", "StartPipeline", "codepipeline:StartPipelineExecution"}, scenario: "green", where: "start", by: "unstale-start"},
	{grant: grant{base, "PipelineRole", "CodePipelineAssumes", "sts:AssumeRole"}, scenario: deployment, where: "stack pipeline-relay", by: "codepipeline.amazonaws.com", says: "CodePipeline is not authorized to perform AssumeRole on role"},

	// The pipeline takes the source.
	{grant: grant{relay, "PipelinePolicy", "ReadSource", "codecommit:GetBranch"}, scenario: "green", where: source, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "ReadSource", "codecommit:GetCommit"}, scenario: "green", where: source, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "ReadSource", "codecommit:UploadArchive"}, scenario: "green", where: source, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "ReadSource", "codecommit:GetUploadArchiveStatus"}, scenario: "green", where: source, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "ReadAndWriteArtifacts", "s3:PutObject"}, scenario: "green", where: source, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "UseArtifactKey", "kms:GenerateDataKey"}, scenario: "green", where: source, by: "unstale-pipeline"},
	{grant: grant{base, "ArtifactsKey", "AccountDelegates", "kms:*"}, scenario: deployment, where: "stack pipeline-base", says: "The new key policy will not allow you to update the key policy in the future"},

	// A build makes the site of it.
	{grant: grant{relay, "PipelinePolicy", "RunBuild", "codebuild:StartBuild"}, scenario: "green", where: build, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "RunBuild", "codebuild:BatchGetBuilds"}, scenario: "green", where: build, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelineBuildRole", "CodeBuildAssumes", "sts:AssumeRole"}, scenario: "green", where: build, by: "codebuild.amazonaws.com"},
	{grant: grant{relay, "PipelineBuildRole", "WriteOwnLog", "logs:CreateLogStream"}, scenario: "green", where: build, by: "unstale-build", says: "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams"},
	{grant: grant{relay, "PipelineBuildRole", "WriteOwnLog", "logs:PutLogEvents"}, scenario: "logs", where: "log of unstale-build", by: "unstale-build"},
	{grant: grant{relay, "PipelineBuildRole", "ReadAndWriteArtifacts", "s3:GetObject"}, scenario: "green", where: build, by: "unstale-build"},
	{grant: grant{relay, "PipelineBuildRole", "ReadAndWriteArtifacts", "s3:PutObject"}, scenario: "green", where: build, by: "unstale-build"},
	{grant: grant{relay, "PipelineBuildRole", "UseArtifactKey", "kms:Decrypt"}, scenario: "green", where: build, by: "unstale-build"},
	{grant: grant{relay, "PipelineBuildRole", "UseArtifactKey", "kms:GenerateDataKey"}, scenario: "green", where: build, by: "unstale-build"},

	// The deploy role takes the site across the border.
	{grant: grant{relay, "PipelinePolicy", "AssumeDeployRole", "sts:AssumeRole"}, scenario: deployment, where: "stack pipeline-relay", by: "unstale-pipeline", says: "is not authorized to perform AssumeRole on role"},
	{grant: grant{delivery, "DeployRole", "PipelineRoleAssumes", "sts:AssumeRole"}, scenario: deployment, where: "stack pipeline-relay", by: "unstale-pipeline", says: "is not authorized to perform AssumeRole on role"},
	{grant: grant{delivery, "DeployRole", "ReadArtifacts", "s3:GetObject"}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{grant: grant{base, "ArtifactsBucketPolicy", "DeployRoleReads", "s3:GetObject"}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{grant: grant{delivery, "DeployRole", "DecryptArtifacts", "kms:Decrypt"}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{grant: grant{base, "ArtifactsKey", "DeployRoleDecrypts", "kms:Decrypt"}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{grant: grant{delivery, "DeployRole", "WriteSite", "s3:PutObject"}, scenario: "green", where: deploy, by: "unstale-deploy"},

	// The pipeline gives the job to its function.
	{grant: grant{base, "JobRole", "LambdaAssumes", "sts:AssumeRole"}, scenario: deployment, where: "stack pipeline-relay", by: "lambda.amazonaws.com", says: "The role defined for the function cannot be assumed by Lambda"},
	{grant: grant{relay, "PipelinePolicy", "FindJob", "lambda:ListFunctions"}, scenario: "green", where: purge, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "InvokeJob", "lambda:InvokeFunction"}, scenario: "green", where: purge, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "ReadAndWriteArtifacts", "s3:GetObject"}, scenario: "green", where: purge, by: "unstale-pipeline"},
	{grant: grant{relay, "PipelinePolicy", "UseArtifactKey", "kms:Decrypt"}, scenario: "green", where: purge, by: "unstale-pipeline"},
	{grant: grant{relay, "JobPolicy", "AnswerJob", "codepipeline:PutJobSuccessResult"}, scenario: "green", where: purge, by: job, says: noResult, silent: true},
	{grant: grant{relay, "JobPolicy", "AnswerJob", "codepipeline:PutJobFailureResult"}, scenario: "failure", where: purge, by: job, says: noResult, silent: true},
	{grant: grant{relay, "JobPolicy", "WriteOwnLog", "logs:CreateLogStream"}, scenario: "logs", where: "log of unstale-job", by: job},
	{grant: grant{relay, "JobPolicy", "WriteOwnLog", "logs:PutLogEvents"}, scenario: "logs", where: "log of unstale-job", by: job},

	// The job function crosses the border, and the invalidator purges.
	{grant: grant{relay, "JobPolicy", "InvokeInvalidator", "lambda:InvokeFunction"}, scenario: "green", where: purge, by: job},
	{grant: grant{delivery, "InvalidatorPermission", "", "lambda:InvokeFunction"}, scenario: "green", where: purge, by: job},
	{grant: grant{delivery, "InvalidatorRole", "LambdaAssumes", "sts:AssumeRole"}, scenario: deployment, where: "stack delivery-relay", by: "lambda.amazonaws.com", says: "The role defined for the function cannot be assumed by Lambda"},
	{grant: grant{delivery, "InvalidatorRole", "InvalidateDistribution", "cloudfront:GetDistribution"}, scenario: "green", where: purge, by: invalidator},
	{grant: grant{delivery, "InvalidatorRole", "InvalidateDistribution", "cloudfront:CreateInvalidation"}, scenario: "green", where: purge, by: invalidator},
	{grant: grant{delivery, "InvalidatorRole", "InvalidateDistribution", "cloudfront:GetInvalidation"}, scenario: "green", where: purge, by: invalidator},
	{grant: grant{delivery, "InvalidatorRole", "InvalidateDistribution", "cloudfront:ListInvalidations"}, scenario: "replay", where: purge, by: invalidator},
	{grant: grant{delivery, "InvalidatorRole", "WriteOwnLog", "logs:CreateLogStream"}, scenario: "logs", where: "log of unstale-invalidator", by: invalidator},
	{grant: grant{delivery, "InvalidatorRole", "WriteOwnLog", "logs:PutLogEvents"}, scenario: "logs", where: "log of unstale-invalidator", by: invalidator},

	// Viewers see the release.
	{grant: grant{delivery, "SiteBucketPolicy", "DistributionReads", "s3:GetObject"}, scenario: "green", where: purge, by: "cloudfront.amazonaws.com", says: "viewers do not see the release"},
}
