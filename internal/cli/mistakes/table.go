package mistakes

import (
	"github.com/unstale/unstale/internal/cli/story"
)

// Where stories fail.
const (
	atAnnounce = "Deliver/Announce"
	atDeploy   = "Deliver/Deploy"
	atPurge    = "Deliver/Purge"
)

// somebody is a role that nobody uses, something a distribution that nobody has.
const (
	somebody  = "arn:aws:iam::" + story.PipelineAccount + ":role/somebody-else"
	something = "E0000000000000"
)

func routes(names ...string) []string { return names }

func edits(template string, list ...edit) map[string][]edit { return map[string][]edit{template: list} }

// deployment are mistakes that stop the stacks.
func deployment() []Mistake {
	return []Mistake{
		{
			Name: "cross-account-role", Summary: "the function of the pipeline account is given the role of the delivery account",
			Lesson: "A service takes roles of its own account only, whatever the policies say. Give the function a role of its account, and let that role assume the other.",
			ways: []way{{
				routes: routes("assume"), fails: "stack unstale-pipeline-assume", repair: assumeInstead,
				edits: edits("pipeline-*", on("JobFunction", func(p object) { p["Role"] = ref("PurgeRoleArn") })),
			}},
		},
		{
			Name: "deploy-trust", Summary: "the delivery account's deploy role trusts another role than the pipeline's",
			Lesson: "CodePipeline tries the roles of its actions when the pipeline is made, so the stack fails and no release starts.",
			ways: []way{
				{routes: routes("assume"), edits: deployTrust(), fails: "stack unstale-pipeline-assume", denied: "sts:AssumeRole"},
				{routes: routes("relay"), edits: deployTrust(), fails: "stack unstale-pipeline-relay", denied: "sts:AssumeRole"},
				{routes: routes("direct"), edits: deployTrust(), fails: "stack unstale-pipeline-direct", denied: "sts:AssumeRole"},
				{routes: routes("states"), edits: deployTrust(), fails: "stack unstale-pipeline-states", denied: "sts:AssumeRole"},
			},
		},
		{
			Name: "action-trust", Summary: "the delivery account's action role trusts another role than the pipeline's",
			Lesson: "The invoke action acts with a role of the delivery account, which has to trust the pipeline's role. CodePipeline tries it when the pipeline is made.",
			ways: []way{{
				routes: routes("direct"), fails: "stack unstale-pipeline-direct", denied: "sts:AssumeRole",
				edits: edits("delivery-*", trusting("JobActionRole", "PipelineRoleAssumes", "ArnEquals", "aws:PrincipalArn", somebody)),
			}},
		},
	}
}

func deployTrust() map[string][]edit {
	return edits("delivery-*", trusting("DeployRole", "PipelineRoleAssumes", "ArnEquals", "aws:PrincipalArn", somebody))
}

// delivery are mistakes that stop the deployment of the release.
func delivery() []Mistake {
	across := routes("assume", "relay", "states")
	// With direct the action's role reads the artifacts too: it keeps its place.
	const action = "arn:aws:iam::" + story.DeliveryAccount + ":role/unstale-action"
	return []Mistake{
		{
			Name: "key-policy", Summary: "the artifact key's policy does not name the delivery account's deploy role",
			Lesson: "Across accounts a key's own policy has to allow, besides the caller's. CDK makes such a key only with crossAccountKeys: true; the account's default key can never be shared.",
			ways: []way{
				{routes: across, edits: edits("pipeline-base", drop("ArtifactsKey", "DeployRoleDecrypts")), fails: atDeploy, denied: "kms:Decrypt"},
				{routes: routes("direct"), edits: edits("pipeline-base", trusting("ArtifactsKey", "DeployRoleDecrypts", "ArnEquals", "aws:PrincipalArn", action)), fails: atDeploy, denied: "kms:Decrypt"},
			},
		},
		{
			Name: "artifact-policy", Summary: "the artifact bucket's policy does not name the delivery account's deploy role",
			Lesson: "Across accounts the bucket's policy has to allow, besides the caller's.",
			ways: []way{
				{routes: across, edits: edits("pipeline-base", drop("ArtifactsBucketPolicy", "DeployRoleReads")), fails: atDeploy, denied: "s3:GetObject"},
				{routes: routes("direct"), edits: edits("pipeline-base", trusting("ArtifactsBucketPolicy", "DeployRoleReads", "ArnEquals", "aws:PrincipalArn", action)), fails: atDeploy, denied: "s3:GetObject"},
			},
		},
	}
}

// border are mistakes that stop the purge before it reaches CloudFront.
func border() []Mistake {
	invoke := "lambda:InvokeFunction"
	return []Mistake{
		{
			Name: "trust", Summary: "the delivery account's purge role trusts another role",
			Lesson: "Both sides have to say yes: the caller's policy in its account, and the role's trust policy in the other. STS does not say which one was silent.",
			ways: []way{
				{routes: routes("assume"), fails: atAnnounce, denied: "sts:AssumeRole", edits: edits("delivery-*", trusting("PurgeRole", "JobRoleAssumes", "ArnEquals", "aws:PrincipalArn", somebody))},
				{routes: routes("states"), fails: atPurge, denied: "sts:AssumeRole", edits: edits("delivery-*", trusting("PurgeRole", "MachineRoleAssumes", "ArnEquals", "aws:PrincipalArn", somebody))},
			},
		},
		{
			Name: "external-id", Summary: "the two accounts do not agree on the external ID",
			Lesson: "The trust policy asks for an external ID and gets another one, which is as good as none. It is no secret: take it over from one account to the other, either into the trust policy, as below, or, where the trust policy has the right one, into ExternalId of the pipeline account's stack. Step Functions always sends the state machine's ARN.",
			ways: []way{
				{routes: routes("assume"), fails: atAnnounce, denied: "sts:AssumeRole", parameters: map[string]map[string]string{"pipeline-*": {"ExternalId": "not-the-one-agreed-on"}}},
				{routes: routes("states"), fails: atPurge, denied: "sts:AssumeRole", edits: edits("delivery-*", trusting("PurgeRole", "MachineRoleAssumes", "StringEquals", "sts:ExternalId", "not-the-one-sent"))},
			},
		},
		{
			Name: "assume-permission", Summary: "the pipeline account's role may not assume the purge role",
			Lesson: "That the other account trusts you is half of it: your own policy has to allow sts:AssumeRole on that very role.",
			ways: []way{
				{routes: routes("assume"), fails: atAnnounce, denied: "sts:AssumeRole", edits: edits("pipeline-*", drop("JobPolicy", "AssumePurgeRole"))},
				{routes: routes("states"), fails: atPurge, denied: "sts:AssumeRole", edits: edits("pipeline-*", drop("PurgePolicy", "AssumePurgeRole"))},
			},
		},
		{
			Name: "recreated-role", Summary: "the caller's role was deleted and made again after the other account had named it",
			Lesson: "AWS keeps a role that a policy names by its ID, and the new role has another one. Trust the account with a condition on aws:PrincipalArn, which survives; a Lambda permission has to be made again.",
			ways: []way{
				{routes: routes("assume"), fails: atAnnounce, denied: "sts:AssumeRole", after: recreate("JobRoleArn"), edits: edits("delivery-*", in("PurgeRole", "JobRoleAssumes", byName("JobRoleArn")))},
				{routes: routes("states"), fails: atPurge, denied: "sts:AssumeRole", after: recreate("MachineRoleArn"), edits: edits("delivery-*", in("PurgeRole", "MachineRoleAssumes", byName("MachineRoleArn")))},
				{routes: routes("relay"), fails: atAnnounce, denied: invoke, after: recreate("JobRoleArn")},
			},
		},
		{
			Name: "no-permission", Summary: "the delivery account's function has no permission for the pipeline account",
			Lesson: "Across accounts a function's own policy has to allow, besides the caller's.",
			ways:   []way{{routes: routes("relay"), fails: atAnnounce, denied: invoke, edits: edits("delivery-*", without("InvalidatorPermission"))}},
		},
		{
			Name: "permission-for-another", Summary: "the function's permission is for another role of the pipeline account",
			Lesson: "The caller is the job function's role. The pipeline's role invokes the job function and nothing else.",
			ways: []way{{
				routes: routes("relay"), fails: atAnnounce, denied: invoke,
				edits: edits("delivery-*", on("InvalidatorPermission", func(p object) { p["Principal"] = ref("PipelineRoleArn") })),
			}},
		},
		{
			Name: "permission-on-function", Summary: "the permission is on the function, the call goes to its alias",
			Lesson: "A function, each of its versions and each alias have policies of their own. Give the permission where the call goes.",
			ways: []way{{
				routes: routes("relay"), fails: atAnnounce, denied: invoke,
				edits: edits("delivery-*", on("InvalidatorPermission", func(p object) { p["FunctionName"] = ref("InvalidatorFunction") })),
			}},
		},
		{
			Name: "unqualified-arn", Summary: "the job's policy names the function without its alias",
			Lesson: "An ARN without a qualifier does not cover the alias. The policy has to name the ARN that is called.",
			ways: []way{{
				routes: routes("relay"), fails: atAnnounce, denied: invoke,
				edits: edits("pipeline-*", withResource("JobPolicy", "InvokeInvalidator", "arn:aws:lambda:"+story.Region+":"+story.DeliveryAccount+":function:unstale-invalidator")),
			}},
		},
		{
			Name: "list-functions", Summary: "the invoke action's role may invoke the function, but not list functions",
			Lesson: "CodePipeline's Lambda action needs lambda:ListFunctions besides lambda:InvokeFunction.",
			ways: []way{
				{routes: routes("assume", "relay", "same-account"), fails: atAnnounce, denied: "lambda:ListFunctions", edits: edits("pipeline-*", drop("PipelinePolicy", "FindJob"))},
				{routes: routes("direct"), fails: atAnnounce, denied: "lambda:ListFunctions", edits: edits("delivery-*", drop("JobActionRole", "FindJob"))},
			},
		},
		{
			Name: "start-execution", Summary: "the pipeline's role may not start the state machine",
			Lesson: "CodePipeline's Step Functions action acts with the pipeline's role, unless it has one of its own.",
			ways:   []way{{routes: routes("states"), fails: atPurge, denied: "states:StartExecution", edits: edits("pipeline-*", drop("PipelinePolicy", "StartMachine"))}},
		},
	}
}

// purge are mistakes that CloudFront, or the function before it, answers.
func purge() []Mistake {
	other := object{"Fn::Sub": "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/" + something}
	gateway := []string{"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation", "cloudfront:ListInvalidations", "cloudfront:GetDistribution"}
	list := func(role string) map[string][]edit {
		return edits("delivery-*", withResource(role, "InvalidateDistribution", other))
	}
	return []Mistake{
		{
			Name: "distribution", Summary: "the delivery account's role lists another distribution",
			Lesson: "The role names the distributions that it may purge, one by one. A session policy of the caller narrows that list, and never widens it.",
			ways: []way{
				{routes: routes("assume"), fails: atAnnounce, denied: "cloudfront:GetDistribution", needs: gateway, edits: list("PurgeRole")},
				{routes: routes("states"), fails: atPurge, denied: "cloudfront:CreateInvalidation", needs: gateway[:2], edits: list("PurgeRole")},
				{routes: routes("relay"), fails: atAnnounce, denied: "cloudfront:GetDistribution", needs: gateway, edits: list("InvalidatorRole")},
				{routes: routes("direct"), fails: atAnnounce, denied: "cloudfront:GetDistribution", needs: gateway, edits: list("JobRole")},
				{routes: routes("same-account"), fails: atAnnounce, denied: "cloudfront:GetDistribution", needs: gateway, edits: edits("*", withResource("JobPolicy", "InvalidateDistribution", other))},
			},
		},
		{
			Name: "allow-list", Summary: "the distribution is not on the list of the delivery account's function",
			Lesson: "The function of the delivery account has a veto: it purges what its own configuration names, whoever asks. No policy decides that, so no policy repairs it.",
			ways: []way{{
				routes: routes("relay"), fails: atAnnounce, repair: allow,
				edits: edits("delivery-*", variable("InvalidatorFunction", "DISTRIBUTION_ID", something)),
			}},
		},
		{
			Name: "organization", Summary: "the delivery account's organization denies invalidations by a service control policy",
			Lesson: "A Deny anywhere wins, so there is nothing to add: the Deny has to go, or to make an exception for the role.",
			ways: []way{{
				routes: story.Routes(), fails: atPurge, denied: "cloudfront:CreateInvalidation", after: forbid, repair: permit,
			}},
		},
	}
}

// answer are mistakes after which nobody tells the pipeline how it went.
func answer() []Mistake {
	job := routes("assume", "relay", "same-account")
	both := []string{"codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"}
	return []Mistake{
		{
			Name: "answer-permission", Summary: "the job function may not answer its job",
			Lesson: "The distribution is purged, but the action waits 20 minutes for an answer and fails. The actions have no resources, so Resource is \"*\".",
			ways: []way{
				{routes: job, fails: atAnnounce, denied: "codepipeline:PutJobSuccessResult", needs: both, edits: edits("pipeline-*", drop("JobPolicy", "AnswerJob"))},
				{routes: routes("direct"), fails: atAnnounce, denied: "codepipeline:PutJobSuccessResult", needs: both, edits: edits("pipeline-base", answerNothing())},
			},
		},
		{
			Name: "callback-trust", Summary: "the pipeline account's callback role trusts another role",
			Lesson: "The function of the delivery account answers with a role of the pipeline account, which has to trust the function's role. Nobody answers otherwise, and the action waits 20 minutes.",
			ways: []way{{
				routes: routes("direct"), fails: atAnnounce, denied: "sts:AssumeRole",
				edits: edits("pipeline-base", trusting("CallbackRole", "JobRoleAssumes", "ArnEquals", "aws:PrincipalArn", "arn:aws:iam::"+story.DeliveryAccount+":role/somebody-else")),
			}},
		},
		{
			Name: "no-callback", Summary: "the delivery account's function answers with its own role",
			Lesson: "The function may answer, but whose account may do so is not documented; in the strict reading a job belongs to the pipeline's account and others do not find it. Answer with a role of that account.",
			ways: []way{{
				routes: routes("direct"), fails: atAnnounce, repair: callBack,
				edits: edits("delivery-*", variable("JobFunction", "UNSTALE_CALLBACK_ROLE", nil), mayAnswer()),
			}},
		},
		{
			Name: "silent-function", Summary: "the action invokes a function that knows nothing of jobs",
			Lesson: "CodePipeline waits for PutJobSuccessResult or PutJobFailureResult, 20 minutes long, and not for the function to return.",
			ways: []way{
				{routes: routes("assume", "relay"), fails: atAnnounce, repair: rightCode(story.PipelineAccount), code: map[string]string{"pipeline-*": "invalidator"}},
				{routes: routes("same-account"), fails: atAnnounce, repair: rightCode(story.PipelineAccount), code: map[string]string{"*": "invalidator"}},
				{routes: routes("direct"), fails: atAnnounce, repair: rightCode(story.DeliveryAccount), code: map[string]string{"delivery-*": "invalidator"}},
			},
		},
	}
}

// viewers are mistakes that only viewers notice.
func viewers() []Mistake {
	closed := edits("delivery-*", drop("SiteBucketPolicy", "DistributionReads"))
	return []Mistake{{
		Name: "origin-access", Summary: "the site bucket's policy does not let the distribution read",
		Lesson: "With origin access control CloudFront reads the bucket as itself, so the bucket's policy has to allow cloudfront.amazonaws.com, for this distribution.",
		ways: []way{
			{routes: routes("assume", "relay", "direct", "same-account"), fails: atPurge, denied: "s3:GetObject", edits: closed},
			{routes: routes("states"), fails: "viewers", denied: "s3:GetObject", edits: closed}, // it does not look
		},
	}}
}
