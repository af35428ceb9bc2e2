// Package passrole decides whether a caller may hand a role to a service: what CodeBuild,
// CodePipeline and EventBridge ask when they are given one.
package passrole

import (
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Check asks for iam:PassRole on a role for a service such as "codebuild.amazonaws.com". A role of
// another account is refused whatever the policies say: "You cannot use the PassRole permission to
// pass a cross-account role" (IAM User Guide, id_roles_use_passrole). code is the service's own name
// for that refusal; the text is the one people report of CloudFormation, CodePipeline and Lambda.
func Check(d *accounts.Directory, caller accounts.Caller, roleARN, service, code string) error {
	if accounts.AccountOf(roleARN) != caller.Account {
		return wire.Errorf(400, code, "Cross-account pass role is not allowed.")
	}
	return d.Authorize(accounts.Check{
		Caller: caller, Action: "iam:PassRole", Resource: roleARN,
		Context: map[string][]string{"iam:PassedToService": {service}},
	})
}
