package infra

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

func newAssumeTarget(c constructs.Construct, what string, props TargetProps) Target {
	demand(what, Assume, need{"PipelineAccount", props.PipelineAccount}, need{"ExternalID", props.ExternalID})
	checkExternalID(what, props.ExternalID)
	role := newPurgeRole(c, props, "JobRoleAssumes", props.JobRoleARN, props.ExternalID, watched)
	props.lookAtSite(c, role)
	return Target{Construct: c, RoleARN: *role.AttrArn()}
}

// lookAtSite lets a role of the target read the site's bucket, where there is one.
func (p TargetProps) lookAtSite(c constructs.Construct, role awsiam.CfnRole) {
	if p.SiteBucketARN != "" {
		attach(c, "SitePolicy", role, "site", p.hasSite, readsSite(p.SiteBucketARN)...)
	}
}

// newStatesTarget: for task credentials Step Functions presents the state machine's ARN as external ID (Step Functions
// Developer Guide, tutorial-access-cross-acct-resources), so no other state machine of that role can use the target. The
// machine creates and looks; it neither reads the distribution nor lists.
func newStatesTarget(c constructs.Construct, what string, props TargetProps) Target {
	demand(what, States, need{"PipelineAccount", props.PipelineAccount})
	role := newPurgeRole(c, props, "MachineRoleAssumes", props.MachineRoleARN, props.MachineARN,
		[]string{"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"})
	return Target{Construct: c, RoleARN: *role.AttrArn()}
}

// newPurgeRole makes the role that the other account takes on. It lists the one distribution itself: a session policy is
// the caller's choice and only narrows further.
func newPurgeRole(c constructs.Construct, props TargetProps, sid, caller, externalID string, actions []string) awsiam.CfnRole {
	when := onlyRole(caller)
	when["StringEquals"] = map[string]any{"sts:ExternalId": externalID}
	return awsiam.NewCfnRole(c, jsii.String("Role"), &awsiam.CfnRoleProps{
		RoleName:    jsii.String(props.Name + "-purge"),
		Description: jsii.String("What the pipeline account may do here: invalidate one distribution"),
		AssumeRolePolicyDocument: document(statement{
			sid: sid, principal: accountRoot(props.PipelineAccount), actions: []string{"sts:AssumeRole"}, when: when,
		}),
		Policies: []*awsiam.CfnRole_PolicyProperty{{
			PolicyName: jsii.String("invalidate"), PolicyDocument: document(invalidates(props.Distribution, actions)),
		}},
	})
}
