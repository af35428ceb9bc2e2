package accounts

import "github.com/unstale/unstale/rehearsal/wire"

// PassRole decides whether a caller may hand a role to a service such as "codebuild.amazonaws.com",
// by iam:PassRole. A role of another account is refused whatever the policies say: "You cannot use
// the PassRole permission to pass a cross-account role" (IAM User Guide, id_roles_use_passrole). code
// is the service's own name for that refusal; the text is the one people report of CloudFormation,
// CodePipeline and Lambda.
func (d *Directory) PassRole(caller Caller, roleARN, service, code string) error {
	if AccountOf(roleARN) != caller.Account {
		return wire.Errorf(400, code, "Cross-account pass role is not allowed.")
	}
	return d.Authorize(Check{
		Caller: caller, Action: "iam:PassRole", Resource: roleARN,
		Context: map[string][]string{"iam:PassedToService": {service}},
	})
}
