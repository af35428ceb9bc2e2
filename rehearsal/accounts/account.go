// Package accounts is the AWS accounts of a rehearsal: who is in them (roots, users, roles,
// sessions), with which keys and policies, and the one place where every call is decided and
// written to the journal.
package accounts

import (
	"fmt"
	"strings"
	"time"

	"github.com/unstale/unstale/iam"
)

// Caller is who makes a call: an IAM principal, or an AWS service acting by itself.
type Caller struct {
	iam.Principal
	AccessKeyID string
	// Session holds the policies passed to AssumeRole; nil when there were none.
	Session []iam.Policy
	// Context are condition keys that come with the caller: aws:SourceArn of a service's call,
	// aws:PrincipalTag/*, sts:SourceIdentity.
	Context map[string][]string
}

// Name is how the journal and AWS's messages call the caller.
func (c Caller) Name() string {
	switch {
	case c.Service != "":
		return c.Service
	case c.ARN != "":
		return c.ARN
	}
	return "anonymous"
}

// ServiceCaller is an AWS service acting for a resource of account: the principal that service
// roles trust and that bucket policies name. sourceARN becomes aws:SourceArn, account
// aws:SourceAccount; both may be empty.
func ServiceCaller(service, account, sourceARN string) Caller {
	context := map[string][]string{}
	if account != "" {
		context["aws:SourceAccount"] = []string{account}
	}
	if sourceARN != "" {
		context["aws:SourceArn"] = []string{sourceARN}
	}
	return Caller{Principal: iam.Principal{Service: service}, Context: context}
}

// Credentials are a key pair, with a token and an end when they belong to a session.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty: long-lived
	Expires         time.Time // wall time, as signatures are; zero: long-lived
	Caller          Caller
}

// Role is an IAM role. Policies are by name; Trust is stored with principals as AWS stores them.
type Role struct {
	ARN, Name, Path, ID string // ID is "AROA..."
	Account             string
	Trust               iam.Document
	Inline              map[string]iam.Document
	Managed             []ManagedPolicy
	Boundary            *iam.Policy
	MaxSession          time.Duration
	Description         string
	Created             time.Time
}

// ManagedPolicy is a policy with an ARN of its own.
type ManagedPolicy struct {
	ARN      string
	Document iam.Document
}

// identity lists the role's policies with the names that people know them by.
func (r *Role) identity() []iam.Policy {
	var out []iam.Policy
	for _, name := range sortedKeys(r.Inline) {
		out = append(out, iam.Policy{Name: "role/" + r.Name + " policy " + name, Document: r.Inline[name]})
	}
	for _, m := range r.Managed {
		out = append(out, iam.Policy{Name: "role/" + r.Name + " managed " + m.ARN, Document: m.Document})
	}
	return out
}

// User is an IAM user, used for git credentials and least-privilege people.
type User struct {
	ARN, Name, ID string // ID is "AIDA..."
	Account       string
	Inline        map[string]iam.Document
	Created       time.Time
}

func (u *User) identity() []iam.Policy {
	var out []iam.Policy
	for _, name := range sortedKeys(u.Inline) {
		out = append(out, iam.Policy{Name: "user/" + u.Name + " policy " + name, Document: u.Inline[name]})
	}
	return out
}

// RoleName is the name in a role's ARN, without its path.
func RoleName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// AccountOf is the account field of an ARN, empty when there is none.
func AccountOf(arn string) string {
	if f := strings.SplitN(arn, ":", 6); len(f) == 6 {
		return f[4]
	}
	return ""
}

// SessionARN is the ARN of a role's session as callers see it.
func SessionARN(roleARN, session string) string {
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", AccountOf(roleARN), RoleName(roleARN), session)
}
