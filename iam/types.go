package iam

// Layer is the kind of policy that decided.
type Layer string

// The layers of AWS's evaluation, in the words of its documentation.
const (
	LayerIdentity Layer = "identity" // policies attached to the caller
	LayerResource Layer = "resource" // the resource's own policy
	LayerTrust    Layer = "trust"    // a role's trust policy
	LayerKey      Layer = "key"      // a KMS key policy
	LayerSession  Layer = "session"  // policies passed to AssumeRole
	LayerBoundary Layer = "boundary" // the caller's permissions boundary
	LayerSCP      Layer = "scp"      // service control policies of the caller's account
	LayerRCP      Layer = "rcp"      // resource control policies of the resource's account
)

// ResourceKind says what role a resource's own policy plays in the decision.
type ResourceKind string

// The kinds of resource policy.
const (
	// ResourceNone is a resource type that has no policy of its own (CloudFront distributions):
	// a caller of another account is always refused. It is the zero value.
	ResourceNone ResourceKind = ""
	// ResourcePolicy is the ordinary kind: one side suffices in the same account, both are needed
	// across accounts.
	ResourcePolicy ResourceKind = "resource"
	// ResourceTrust and ResourceKey must themselves allow, even within one account.
	ResourceTrust ResourceKind = "trust"
	ResourceKey   ResourceKind = "key"
)

// Principal is who calls. A principal is one of: an AWS service (Service), the root user, an IAM
// user, a role session, or anonymous (the zero value).
type Principal struct {
	ARN     string // e.g. arn:aws:sts::111111111111:assumed-role/R/S, arn:aws:iam::111111111111:root
	Account string // 12 digits; empty for a service
	RoleARN string // of a role session: arn:aws:iam::111111111111:role/path/R
	// UniqueID is what a trust policy stores in place of a role or user ARN ("AROA...", "AIDA...").
	// For a session it is the role's ID without the session name.
	UniqueID string
	Service  string // e.g. "codepipeline.amazonaws.com"
}

// Request is one call to decide.
type Request struct {
	Principal       Principal
	Action          string // "service:Operation"
	Resource        string // ARN, or "*" where the action has no resource level
	ResourceAccount string // 12 digits: the account that owns the resource; always needed
	// Context holds the condition keys present in the request, by name ("aws:SourceArn",
	// "sts:ExternalId"); names are matched without regard to case. Where absent, these are derived:
	// aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:PrincipalIsAWSService,
	// aws:PrincipalServiceName, aws:userid and aws:username from Principal, aws:ResourceAccount from
	// ResourceAccount.
	Context map[string][]string
}

// Policy is a document with the name that people know it by.
type Policy struct {
	Name     string // e.g. "role/unstale-job inline relay"
	Document Document
}

// Policies are all the documents that bear on one request. Pass no others: a Deny in any of them
// counts. The control policies of an organization's management account are nil.
type Policies struct {
	Identity []Policy
	Boundary *Policy  // nil: no boundary
	Session  []Policy // nil: no session policy; several grant their union
	Resource *Policy  // nil: none attached
	Kind     ResourceKind
	SCPs     [][]Policy // one slice a level, root first; every level must allow. nil: not in an organization
	RCPs     [][]Policy // likewise, of the resource's account; only for services that know them (not Lambda)
}

// Decision is the answer. Its zero value refuses.
type Decision struct {
	Allowed   bool
	Explicit  bool    // a Deny statement decided
	Layer     Layer   // that decided; for an implicit denial, the layer that was silent
	Policy    string  // name of the policy that decided; empty when a layer was silent
	Statement string  // Sid, or "#0" by position; empty when a layer was silent
	Reason    string  // one sentence for a person
	Remedy    *Remedy // nil when allowed, when a Deny decided, and when no statement would help
}

// Remedy is what would have allowed a denied request: a statement to add to a layer in an account.
// A request refused by a Deny has none: the Deny must go. When several layers are silent it is the
// first one's; Also lists the others.
type Remedy struct {
	Account   string // whose policy must change; for an SCP or RCP, whose organization's
	Layer     Layer
	To        string    // what to attach the statement to: a role ARN, a resource ARN
	Statement Statement // for a document of Version 2012-10-17
	Also      []Remedy
}
