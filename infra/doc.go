// Package infra is what gets deployed: CDK constructs for both sides of a route, and the stacks that package them as the
// committed templates. It is its own module because CDK is huge and needs Node; nothing else imports it.
//
// # Constructs
//
// A CDK user adds [NewTarget] to a stack of the delivery account and [NewInvalidateAction] to a stack of the pipeline
// account, with the [Route] as a value; the example shows both. [NewSite], [NewDeployRole], [NewArtifacts] and
// [NewPipeline] make what surrounds them, for those who have none of it yet; [NewJobRole], [NewMachineRole] and
// [NewCallbackRole] make the pipeline account's roles ahead of the rest. The constructs refuse a stack whose account and
// region are unknown, see [requireEnvironment].
//
// # Order of deployment
//
// Two rules of AWS give it. A Lambda permission that names a role which does not exist is refused, and it cannot carry the
// aws:PrincipalArn condition that makes trust, key and bucket policies independent of existence. And creating a pipeline
// checks that the roles of its actions can be assumed. Hence three stacks for each route that crosses a border:
//
//  1. pipeline-base, pipeline account: what the delivery account names.
//  2. delivery-ROUTE, delivery account: the site, the target, the deploy role.
//  3. pipeline-ROUTE, pipeline account: what purges, and the pipeline, which need what 2 made.
//
// same-account is one stack. For a pipeline that exists already, pipeline-job, pipeline-machine and pipeline-callback stand
// in for 1 and 3. Names are prefix and purpose, so each side knows the other's ARNs ahead, see [PurgeRoleARN] and the like.
//
// # Policies
//
// Every policy is written out: no grant methods of CDK, whose grants are wider than a release needs. Every statement has a
// Sid, because the rehearsal reports the statement that decided a call. A grant that AWS documents as needed, but that no
// release exercises, stands in a statement of its own and is listed in [Demanded] with its source.
//
// # The state machine
//
// asl/purge.asl.json is the definition of the route [States]; a test checks it with asl-validator, which knows the schemas,
// the paths and the intrinsic functions of the language and needs nothing but Node (statelint, the original, is a Ruby gem).
package infra
