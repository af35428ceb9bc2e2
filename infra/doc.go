// Package infra is what gets deployed: CDK constructs for both sides of a route, and the stacks that package them as the
// committed templates. It is its own module because CDK is huge and needs Node; nothing else imports it.
//
// # Constructs
//
// A CDK user adds [NewTarget] to a stack of the delivery account and [NewInvalidateAction] to a stack of the pipeline
// account. [NewSite], [NewDeployRole], [NewJobRole], [NewArtifacts] and [NewPipeline] make what surrounds them, for those
// who have none of it yet. The constructs refuse a stack whose account and region are unknown, see [requireEnvironment].
//
// # Order of deployment
//
// AWS refuses a Lambda permission that names a role that does not exist, and a Lambda permission cannot carry the
// aws:PrincipalArn condition that makes trust, key and bucket policies independent of existence. Hence three stacks:
//
//  1. pipeline-base, pipeline account: what the delivery account must name.
//  2. delivery-relay, delivery account: the site, the invalidator, the deploy role.
//  3. pipeline-relay, pipeline account: the job function and the pipeline, which need the ARNs of 2.
//
// # Policies
//
// Every policy is written out: no grant methods of CDK, whose grants are wider than a release needs. Every statement has a
// Sid, because the rehearsal reports the statement that decided a call. A grant that AWS documents as needed, but that no
// release exercises, stands in a statement of its own and is listed in [Demanded] with its source.
package infra
