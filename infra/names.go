package infra

// The accounts name each other's roles, functions and state machine before they exist. So their names follow from the
// prefix alone, and these functions are the only place that knows how. All are in the partition of the stack that uses them.

// defaultName prefixes the names of what is made where no prefix is given.
const defaultName = "unstale"

func roleARN(name, suffix, account string) string {
	return sub("arn:${AWS::Partition}:iam::${Account}:role/${Name}-"+suffix,
		map[string]string{"Account": account, "Name": name})
}

// DeployRoleARN is the role of the delivery account with which a pipeline copies a release, see [NewDeployRole].
func DeployRoleARN(name, account string) string { return roleARN(name, "deploy", account) }

// JobRoleARN is the role of the job function: in the pipeline account, or with [Direct] in the delivery account.
func JobRoleARN(name, account string) string { return roleARN(name, "job", account) }

// PurgeRoleARN is the role of the delivery account that [Assume] and [States] take on.
func PurgeRoleARN(name, account string) string { return roleARN(name, "purge", account) }

// ActionRoleARN is the role of the delivery account with which CodePipeline invokes the job function of [Direct].
func ActionRoleARN(name, account string) string { return roleARN(name, "action", account) }

// CallbackRoleARN is the role of the pipeline account through which the job function of [Direct] answers.
func CallbackRoleARN(name, account string) string { return roleARN(name, "callback", account) }

// MachineRoleARN is the role of the state machine of [States], in the pipeline account.
func MachineRoleARN(name, account string) string { return roleARN(name, "machine", account) }

// MachineARN is the state machine of [States], in an account, in the region of the stack that uses it.
func MachineARN(name, account string) string {
	return sub("arn:${AWS::Partition}:states:${AWS::Region}:${Account}:stateMachine:${Name}-purge",
		map[string]string{"Account": account, "Name": name})
}

// InvalidatorARN is the alias of the invalidator of [Relay], in an account, in the region of the stack that uses it.
func InvalidatorARN(name, account string) string {
	return sub("arn:${AWS::Partition}:lambda:${AWS::Region}:${Account}:function:${Name}-invalidator:"+liveAlias,
		map[string]string{"Account": account, "Name": name})
}

// distributionARN is a distribution of the stack's account. Distributions have no region.
func distributionARN(id string) string {
	return sub("arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Distribution}",
		map[string]string{"Distribution": id})
}

// ownRoleARN is a role of the stack's account.
func ownRoleARN(roleName string) string {
	return sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${Role}", map[string]string{"Role": roleName})
}
