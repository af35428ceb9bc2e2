package ablation

import "slices"

// row says what happens when one grant is missing. Its grant's template is the part of a route's
// deployment; TestEveryGrantIsNeeded takes it out on each of its routes.
type row struct {
	on       []string // the routes on which it is taken out
	same     []string // the routes whose statement is that of the first of on, byte for byte: once is enough
	grant             // its template is a part: base, delivery or pipeline
	scenario string   // the first that fails
	where    string   // it fails: an action of the pipeline, or "start", "log of ROLE", "stack PART"
	by       string   // whose call is refused: a role or a service
	says     string   // part of what is said there; empty: the action's name
	silent   bool     // nobody says why for 20 minutes, because the missing grant is to say it
	own      place    // where a template for a pipeline of one's own has the same statement
}

// place is a resource of a template.
type place struct{ template, resource string }

// Where things fail.
const (
	source   = "Source/Checkout"
	build    = "Build/Build"
	announce = "Deliver/Announce"
	deploy   = "Deliver/Deploy"
	purge    = "Deliver/Purge"
)

// deployment is the scenario of grants that AWS asks for when a stack is made: without them
// CloudFormation fails and no pipeline comes into being.
const deployment = "deployment"

// The parts of a deployment. Route same-account has all in one template.
const (
	base, delivery, pipeline = "base", "delivery", "pipeline"

	noResult = "failed to return a result" // CodePipeline's words for a job that is not answered
)

// Which routes a row is about.
var (
	assume = []string{"assume"}
	relay  = []string{"relay"}
	direct = []string{"direct"}
	states = []string{"states"}
	within = []string{"same-account"}

	// Templates for a pipeline of one's own.
	ownJob      = place{"pipeline-job", "JobPolicy"}
	ownCallback = place{"pipeline-callback", "CallbackRole"}

	assumeAndWithin = []string{"assume", "same-account"}
	others          = []string{"relay", "direct", "states", "same-account"} // than assume
	othersAcross    = []string{"relay", "direct", "states"}
	othersWithJob   = []string{"relay", "same-account"} // whose job function is the pipeline account's
)

// table has every grant that a release needs. Those that AWS's documentation demands besides are in
// templates/demanded.json; together they are all.
var table = slices.Concat([]row{
	// A push starts the pipeline.
	{on: assume, same: others, grant: grant{pipeline, "PipelineStartRole", "EventBridgeAssumes", "sts:AssumeRole", ""}, scenario: "green", where: "start", by: "events.amazonaws.com"},
	{on: assume, same: others, grant: grant{pipeline, "PipelineStartRole", "StartPipeline", "codepipeline:StartPipelineExecution", ""}, scenario: "green", where: "start", by: "unstale-start"},
	{on: assume, same: others, grant: grant{base, "PipelineRole", "CodePipelineAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "codepipeline.amazonaws.com", says: "CodePipeline is not authorized to perform AssumeRole on role"},

	// The pipeline takes the source.
	{on: assume, same: others, grant: grant{pipeline, "PipelinePolicy", "ReadSource", "codecommit:GetBranch", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: assume, same: others, grant: grant{pipeline, "PipelinePolicy", "ReadSource", "codecommit:GetCommit", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: assume, same: others, grant: grant{pipeline, "PipelinePolicy", "ReadSource", "codecommit:UploadArchive", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: assume, same: others, grant: grant{pipeline, "PipelinePolicy", "ReadSource", "codecommit:GetUploadArchiveStatus", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: assumeAndWithin, same: relay, grant: grant{pipeline, "PipelinePolicy", "ReadAndWriteArtifacts", "s3:PutObject", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: direct, same: states, grant: grant{pipeline, "PipelinePolicy", "WriteArtifacts", "s3:PutObject", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: assumeAndWithin, same: relay, grant: grant{pipeline, "PipelinePolicy", "UseArtifactKey", "kms:GenerateDataKey", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: direct, same: states, grant: grant{pipeline, "PipelinePolicy", "UseArtifactKey", "kms:GenerateDataKey", ""}, scenario: "green", where: source, by: "unstale-pipeline"},
	{on: assume, same: others, grant: grant{base, "ArtifactsKey", "AccountDelegates", "kms:*", ""}, scenario: deployment, where: "stack base", says: "The new key policy will not allow you to update the key policy in the future"},

	// A build makes the site of it.
	{on: assume, same: others, grant: grant{pipeline, "PipelinePolicy", "RunBuild", "codebuild:StartBuild", ""}, scenario: "green", where: build, by: "unstale-pipeline"},
	{on: assume, same: others, grant: grant{pipeline, "PipelinePolicy", "RunBuild", "codebuild:BatchGetBuilds", ""}, scenario: "green", where: build, by: "unstale-pipeline"},
	{on: assume, same: others, grant: grant{pipeline, "PipelineBuildRole", "CodeBuildAssumes", "sts:AssumeRole", ""}, scenario: "green", where: build, by: "codebuild.amazonaws.com"},
	{on: assume, same: others, grant: grant{pipeline, "PipelineBuildRole", "WriteOwnLog", "logs:CreateLogStream", ""}, scenario: "green", where: build, by: "unstale-build", says: "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams"},
	{on: assume, same: others, grant: grant{pipeline, "PipelineBuildRole", "WriteOwnLog", "logs:PutLogEvents", ""}, scenario: "logs", where: "log of unstale-build", by: "unstale-build"},
	{on: assumeAndWithin, same: othersAcross, grant: grant{pipeline, "PipelineBuildRole", "ReadAndWriteArtifacts", "s3:GetObject", ""}, scenario: "green", where: build, by: "unstale-build"},
	{on: assumeAndWithin, same: othersAcross, grant: grant{pipeline, "PipelineBuildRole", "ReadAndWriteArtifacts", "s3:PutObject", ""}, scenario: "green", where: build, by: "unstale-build"},
	{on: assumeAndWithin, same: othersAcross, grant: grant{pipeline, "PipelineBuildRole", "UseArtifactKey", "kms:Decrypt", ""}, scenario: "green", where: build, by: "unstale-build"},
	{on: assumeAndWithin, same: othersAcross, grant: grant{pipeline, "PipelineBuildRole", "UseArtifactKey", "kms:GenerateDataKey", ""}, scenario: "green", where: build, by: "unstale-build"},

	// The deploy role takes the site across the border.
	{on: assume, same: othersAcross, grant: grant{pipeline, "PipelinePolicy", "AssumeDeployRole", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "unstale-pipeline", says: "is not authorized to perform AssumeRole on role"},
	{on: assume, same: othersAcross, grant: grant{delivery, "DeployRole", "PipelineRoleAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "unstale-pipeline", says: "is not authorized to perform AssumeRole on role"},
	{on: assume, same: othersAcross, grant: grant{delivery, "DeployRole", "ReadArtifacts", "s3:GetObject", ""}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{on: assume, same: othersAcross, grant: grant{base, "ArtifactsBucketPolicy", "DeployRoleReads", "s3:GetObject", ""}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{on: assume, same: othersAcross, grant: grant{delivery, "DeployRole", "DecryptArtifacts", "kms:Decrypt", ""}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{on: assume, same: othersAcross, grant: grant{base, "ArtifactsKey", "DeployRoleDecrypts", "kms:Decrypt", ""}, scenario: "green", where: deploy, by: "unstale-deploy"},
	{on: assume, same: othersAcross, grant: grant{delivery, "DeployRole", "WriteSite", "s3:PutObject", ""}, scenario: "green", where: deploy, by: "unstale-deploy"},

	// The pipeline gives the job to its function.
	{on: assume, same: othersWithJob, grant: grant{base, "JobRole", "LambdaAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "lambda.amazonaws.com", says: "The role defined for the function cannot be assumed by Lambda", own: place{"pipeline-job", "JobRole"}},
	{on: assume, same: othersWithJob, grant: grant{pipeline, "PipelinePolicy", "FindJob", "lambda:ListFunctions", ""}, scenario: "green", where: announce, by: "unstale-pipeline"},
	{on: assume, same: othersWithJob, grant: grant{pipeline, "PipelinePolicy", "InvokeJob", "lambda:InvokeFunction", ""}, scenario: "green", where: announce, by: "unstale-pipeline"},
	{on: assume, same: relay, grant: grant{pipeline, "PipelinePolicy", "ReadAndWriteArtifacts", "s3:GetObject", ""}, scenario: "green", where: announce, by: "unstale-pipeline"},
	{on: assume, same: relay, grant: grant{pipeline, "PipelinePolicy", "UseArtifactKey", "kms:Decrypt", ""}, scenario: "green", where: announce, by: "unstale-pipeline"},
	{on: assume, same: othersWithJob, grant: grant{pipeline, "JobPolicy", "AnswerJob", "codepipeline:PutJobSuccessResult", ""}, scenario: "green", where: announce, by: job, says: noResult, silent: true, own: ownJob},
	{on: assume, same: othersWithJob, grant: grant{pipeline, "JobPolicy", "AnswerJob", "codepipeline:PutJobFailureResult", ""}, scenario: "failure", where: purge, by: job, says: noResult, silent: true, own: ownJob},

	// The job function crosses the border, and the invalidator purges.
	{on: relay, grant: grant{pipeline, "JobPolicy", "InvokeInvalidator", "lambda:InvokeFunction", ""}, scenario: "green", where: announce, by: job, own: place{"pipeline-job", "JobInvokePolicy"}},
	{on: relay, grant: grant{delivery, "InvalidatorPermission", "", "lambda:InvokeFunction", ""}, scenario: "green", where: announce, by: job},
	{on: relay, grant: grant{delivery, "InvalidatorRole", "LambdaAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack delivery", by: "lambda.amazonaws.com", says: "The role defined for the function cannot be assumed by Lambda"},

	// The job function keeps in a bucket of its own what was deployed.
	{on: assume, same: othersWithJob, grant: grant{pipeline, "JobPolicy", "KeepState", "s3:GetObject", ""}, scenario: "green", where: announce, by: job, own: ownJob},
	{on: assume, same: othersWithJob, grant: grant{pipeline, "JobPolicy", "KeepState", "s3:PutObject", ""}, scenario: "green", where: announce, by: job, own: ownJob},
	{on: assume, same: othersWithJob, grant: grant{pipeline, "JobPolicy", "FindState", "s3:ListBucket", ""}, scenario: "green", where: announce, by: job, own: ownJob},
	{on: direct, grant: grant{delivery, "JobStatePolicy", "KeepState", "s3:GetObject", ""}, scenario: "green", where: announce, by: job},
	{on: direct, grant: grant{delivery, "JobStatePolicy", "KeepState", "s3:PutObject", ""}, scenario: "green", where: announce, by: job},
	{on: direct, grant: grant{delivery, "JobStatePolicy", "FindState", "s3:ListBucket", ""}, scenario: "green", where: announce, by: job},

	// Nothing is purged before the site's bucket holds the release.
	{on: assume, grant: grant{delivery, "PurgeSitePolicy", "ReadSite", "s3:GetObject", ""}, scenario: "green", where: purge, by: "unstale-purge"},
	{on: relay, grant: grant{delivery, "InvalidatorSitePolicy", "ReadSite", "s3:GetObject", ""}, scenario: "green", where: purge, by: invalidator},
	{on: direct, grant: grant{delivery, "JobSitePolicy", "ReadSite", "s3:GetObject", ""}, scenario: "green", where: purge, by: job},
	{on: within, grant: grant{pipeline, "JobPolicy", "ReadSite", "s3:GetObject", ""}, scenario: "green", where: purge, by: job, own: place{"pipeline-job", "JobReadPolicy"}},

	// Viewers see the release.
	{on: assume, same: others, grant: grant{delivery, "SiteBucketPolicy", "DistributionReads", "s3:GetObject", ""}, scenario: "green", where: purge, by: "cloudfront.amazonaws.com", says: "viewers do not see the release"},

	// same-account: the pipeline takes the site to its bucket by itself.
	{on: within, grant: grant{pipeline, "PipelinePolicy", "ReadAndWriteArtifacts", "s3:GetObject", ""}, scenario: "green", where: announce, by: "unstale-pipeline"},
	{on: within, grant: grant{pipeline, "PipelinePolicy", "UseArtifactKey", "kms:Decrypt", ""}, scenario: "green", where: announce, by: "unstale-pipeline"},
	{on: within, grant: grant{pipeline, "PipelinePolicy", "WriteSite", "s3:PutObject", ""}, scenario: "green", where: deploy, by: "unstale-pipeline"},

	// assume: the job function takes on a role of the delivery account.
	{on: assume, grant: grant{pipeline, "JobPolicy", "AssumePurgeRole", "sts:AssumeRole", ""}, scenario: "green", where: announce, by: job, own: place{"pipeline-job", "JobAssumePolicy"}},
	{on: assume, grant: grant{delivery, "PurgeRole", "JobRoleAssumes", "sts:AssumeRole", ""}, scenario: "green", where: announce, by: job},

	// direct: the pipeline's action role hands the release to a function of the delivery account, and that
	// answers by a role of the pipeline account.
	{on: direct, grant: grant{delivery, "JobRole", "LambdaAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack delivery", by: "lambda.amazonaws.com", says: "The role defined for the function cannot be assumed by Lambda"},
	{on: direct, grant: grant{pipeline, "PipelinePolicy", "AssumeActionRole", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "unstale-pipeline", says: "is not authorized to perform AssumeRole on role"},
	{on: direct, grant: grant{delivery, "JobActionRole", "PipelineRoleAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "unstale-pipeline", says: "is not authorized to perform AssumeRole on role"},
	{on: direct, grant: grant{delivery, "JobActionRole", "FindJob", "lambda:ListFunctions", ""}, scenario: "green", where: announce, by: "unstale-action"},
	{on: direct, grant: grant{delivery, "JobActionRole", "InvokeJob", "lambda:InvokeFunction", ""}, scenario: "green", where: announce, by: "unstale-action"},
	{on: direct, grant: grant{delivery, "JobActionRole", "ReadArtifacts", "s3:GetObject", ""}, scenario: "green", where: announce, by: "unstale-action"},
	{on: direct, grant: grant{base, "ArtifactsBucketPolicy", "DeployRoleReads", "s3:GetObject", "action"}, scenario: "green", where: announce, by: "unstale-action"},
	{on: direct, grant: grant{delivery, "JobActionRole", "DecryptArtifacts", "kms:Decrypt", ""}, scenario: "green", where: announce, by: "unstale-action"},
	{on: direct, grant: grant{base, "ArtifactsKey", "DeployRoleDecrypts", "kms:Decrypt", "action"}, scenario: "green", where: announce, by: "unstale-action"},
	{on: direct, grant: grant{delivery, "JobRole", "AssumeCallbackRole", "sts:AssumeRole", ""}, scenario: "green", where: announce, by: job, says: noResult, silent: true},
	{on: direct, grant: grant{base, "CallbackRole", "JobRoleAssumes", "sts:AssumeRole", ""}, scenario: "green", where: announce, by: job, says: noResult, silent: true, own: ownCallback},
	{on: direct, grant: grant{base, "CallbackRole", "AnswerJob", "codepipeline:PutJobSuccessResult", ""}, scenario: "green", where: announce, by: "unstale-callback", says: noResult, silent: true, own: ownCallback},
	{on: direct, grant: grant{base, "CallbackRole", "AnswerJob", "codepipeline:PutJobFailureResult", ""}, scenario: "failure", where: purge, by: "unstale-callback", says: noResult, silent: true, own: ownCallback},

	// states: a state machine takes on a role of the delivery account. It makes an invalidation and looks.
	{on: states, grant: grant{pipeline, "PipelinePolicy", "StartMachine", "states:StartExecution", ""}, scenario: "green", where: purge, by: "unstale-pipeline"},
	{on: states, grant: grant{pipeline, "PipelinePolicy", "WatchMachine", "states:DescribeExecution", ""}, scenario: "green", where: purge, by: "unstale-pipeline"},
	{on: states, grant: grant{base, "MachineRole", "StepFunctionsAssumes", "sts:AssumeRole", ""}, scenario: deployment, where: "stack pipeline", by: "states.amazonaws.com", says: "is authorized to assume the provided role", own: place{"pipeline-machine", "PurgeRole"}},
	{on: states, grant: grant{pipeline, "PurgePolicy", "AssumePurgeRole", "sts:AssumeRole", ""}, scenario: "green", where: purge, by: "unstale-machine", own: place{"pipeline-machine", "PurgePolicy"}},
	{on: states, grant: grant{delivery, "PurgeRole", "MachineRoleAssumes", "sts:AssumeRole", ""}, scenario: "green", where: purge, by: "unstale-machine"},
	{on: states, grant: grant{delivery, "PurgeRole", "InvalidateDistribution", "cloudfront:CreateInvalidation", ""}, scenario: "green", where: purge, by: "unstale-purge"},
	{on: states, grant: grant{delivery, "PurgeRole", "InvalidateDistribution", "cloudfront:GetInvalidation", ""}, scenario: "green", where: purge, by: "unstale-purge"},
},
	invalidating(row{on: assume, by: "unstale-purge"}, delivery, "PurgeRole"),
	invalidating(row{on: relay, by: invalidator}, delivery, "InvalidatorRole"),
	invalidating(row{on: direct, by: job}, delivery, "JobRole"),
	invalidating(row{on: within, by: job, own: place{"pipeline-job", "JobInvalidatePolicy"}}, pipeline, "JobPolicy"),
	logging(row{on: assume, same: othersWithJob, by: job, own: ownJob}, pipeline, "JobPolicy"),
	logging(row{on: relay, by: invalidator}, delivery, "InvalidatorRole"),
	logging(row{on: direct, by: job}, delivery, "JobRole"),
)

// invalidating has the rows of whoever calls CloudFront for a job function: it reads the distribution,
// creates, looks, and after a crash lists.
func invalidating(r row, part, resource string) []row {
	g := func(operation, scenario string) row {
		r.grant = grant{part, resource, "InvalidateDistribution", "cloudfront:" + operation, ""}
		r.scenario, r.where = scenario, purge
		return r
	}
	reach := g("GetDistribution", "green")
	reach.where = announce
	return []row{reach, g("CreateInvalidation", "green"), g("GetInvalidation", "green"), g("ListInvalidations", "replay")}
}

// logging has the rows of a function that writes its log.
func logging(r row, part, resource string) []row {
	g := func(operation string) row {
		r.grant = grant{part, resource, "WriteOwnLog", "logs:" + operation, ""}
		r.scenario, r.where = "logs", "log of "+r.by
		return r
	}
	return []row{g("CreateLogStream"), g("PutLogEvents")}
}
