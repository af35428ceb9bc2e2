package accounts

import (
	"strings"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/wire"
)

// StorePrincipals is what AWS does with a trust or resource policy: a principal that does not
// exist is refused ("Invalid principal in policy"), a role or user ARN is kept as its unique ID.
func (d *Directory) StorePrincipals(doc iam.Document) (iam.Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return doc.MapPrincipals(func(p string) (string, error) {
		if stored, ok := d.stored(p); ok {
			return stored, nil
		}
		return "", wire.Errorf(400, "MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":%q", p)
	})
}

// stored is how AWS keeps a principal, and whether it exists. The caller holds mu.
func (d *Directory) stored(p string) (string, bool) {
	switch {
	case p == "*":
		return p, true
	case iam.ValidAccount(p):
		return p, d.accounts[p] != nil
	case iam.ValidUniqueID(p):
		return p, d.shown(p) != p // AWS refuses the ID of what was deleted, too
	}
	a := d.accounts[AccountOf(p)]
	if a == nil {
		return "", false
	}
	arn, err := iam.ParseARN(p)
	if err != nil {
		return "", false
	}
	kind, rest, _ := strings.Cut(arn.Resource, "/")
	switch {
	case p == rootARN(a.id):
		return p, true
	case arn.Service == "iam" && kind == "role":
		if r := a.roles[RoleName(p)]; r != nil && r.ARN == p {
			return r.ID, true
		}
	case arn.Service == "iam" && kind == "user":
		if u := a.users[RoleName(p)]; u != nil && u.ARN == p {
			return u.ID, true
		}
	case arn.Service == "sts" && kind == "assumed-role":
		// A session needs not be live, but its role must exist.
		role, session, ok := strings.Cut(rest, "/")
		return p, ok && session != "" && a.roles[role] != nil
	}
	return "", false
}

// ShowPrincipals is the reverse, for reading a policy back: the unique ID of a role or user that
// still exists is its ARN again; one of a principal that was deleted stays, as AWS shows it.
func (d *Directory) ShowPrincipals(doc iam.Document) (iam.Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return doc.MapPrincipals(func(p string) (string, error) { return d.shown(p), nil })
}

// shown is the ARN behind a unique ID, or p itself. The caller holds mu.
func (d *Directory) shown(p string) string {
	for _, a := range d.accounts {
		for _, r := range a.roles {
			if r.ID == p {
				return r.ARN
			}
		}
		for _, u := range a.users {
			if u.ID == p {
				return u.ARN
			}
		}
	}
	return p
}

func rootARN(account string) string { return "arn:aws:iam::" + account + ":root" }
