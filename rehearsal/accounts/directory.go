package accounts

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Directory holds all accounts of a rehearsal.
type Directory struct {
	clock   *clock.Clock
	journal *journal.Journal

	mu       sync.Mutex
	accounts map[string]*account
	keys     map[string]Credentials // by access key ID
}

type account struct {
	id    string
	root  Credentials
	roles map[string]*Role // by name
	users map[string]*User // by name
	scps  [][]iam.Policy
	rcps  [][]iam.Policy
}

// New makes an empty directory.
func New(c *clock.Clock, j *journal.Journal) *Directory {
	return &Directory{clock: c, journal: j, accounts: map[string]*account{}, keys: map[string]Credentials{}}
}

// Add opens an account and returns its root credentials.
func (d *Directory) Add(id string) (Credentials, error) {
	if !iam.ValidAccount(id) {
		return Credentials{}, fmt.Errorf("open account %q: an account ID has 12 digits", id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.accounts[id] != nil {
		return Credentials{}, fmt.Errorf("open account %s: it is open already", id)
	}
	root := d.mint(Caller{Principal: iam.Principal{ARN: rootARN(id), Account: id, UniqueID: id}}, 0)
	d.accounts[id] = &account{id: id, root: root, roles: map[string]*Role{}, users: map[string]*User{}}
	return root, nil
}

// Root is the root credentials of an account.
func (d *Directory) Root(id string) (Credentials, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[id]
	if a == nil {
		return Credentials{}, false
	}
	return a.root, true
}

// SetOrganization puts an account under service control and resource control policies: one slice a
// level, root first. Without a call an account is in no organization.
func (d *Directory) SetOrganization(id string, scps, rcps [][]iam.Policy) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[id]
	if a == nil {
		return fmt.Errorf("set organization policies: account %s is not open", id)
	}
	a.scps, a.rcps = scps, rcps
	return nil
}

// mint makes credentials for a caller; lasting 0 means long-lived. The caller holds mu.
func (d *Directory) mint(c Caller, lasting time.Duration) Credentials {
	prefix := "AKIA"
	cred := Credentials{SecretAccessKey: randomSecret(30)}
	if lasting > 0 {
		prefix = "ASIA"
		cred.SessionToken = randomSecret(96)
		cred.Expires = time.Now().Add(lasting)
	}
	cred.AccessKeyID = random.ID(prefix, 16)
	c.AccessKeyID = cred.AccessKeyID
	cred.Caller = c
	d.keys[cred.AccessKeyID] = cred
	return cred
}

// Session makes credentials for a role's session. Whether the caller may have them is decided
// before, by STS. The caller's Principal and AccessKeyID are filled in from the role.
func (d *Directory) Session(role *Role, name string, policies []iam.Policy, context map[string][]string, lasting time.Duration) Credentials {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mint(Caller{
		Principal: iam.Principal{
			ARN: SessionARN(role.ARN, name), Account: role.Account, RoleARN: role.ARN, UniqueID: role.ID,
		},
		Session: policies,
		Context: context,
	}, lasting)
}

// Key finds credentials by access key ID.
func (d *Directory) Key(accessKeyID string) (Credentials, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.keys[accessKeyID]
	return c, ok
}

// Expire ends a session now, as if its time were over.
func (d *Directory) Expire(accessKeyID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.keys[accessKeyID]; ok {
		c.Expires = time.Now().Add(-time.Second)
		d.keys[accessKeyID] = c
	}
}

// CreateRole stores a role and gives it its ID and ARN. Principals named by its trust policy must
// exist and are stored as unique IDs, as AWS does.
func (d *Directory) CreateRole(r Role) (*Role, error) {
	trust, err := d.StorePrincipals(r.Trust)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[r.Account]
	if a == nil {
		return nil, wire.Errorf(404, "NoSuchEntity", "account %s is not part of the rehearsal", r.Account)
	}
	if a.roles[r.Name] != nil {
		return nil, wire.Errorf(409, "EntityAlreadyExists", "Role with name %s already exists.", r.Name)
	}
	r.Path = cmp.Or(r.Path, "/")
	r.ARN = "arn:aws:iam::" + r.Account + ":role" + r.Path + r.Name
	r.ID = random.ID("AROA", 17)
	r.Trust = trust
	r.Created = d.clock.Now()
	r.Inline = maps.Clone(r.Inline)
	if r.Inline == nil {
		r.Inline = map[string]iam.Document{}
	}
	r.MaxSession = cmp.Or(r.MaxSession, time.Hour)
	a.roles[r.Name] = &r
	return &r, nil
}

// DeleteRole removes a role; its sessions keep their keys but lose every permission.
func (d *Directory) DeleteRole(arn string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[AccountOf(arn)]
	if a == nil || a.roles[RoleName(arn)] == nil {
		return noSuchRole(arn)
	}
	delete(a.roles, RoleName(arn))
	return nil
}

// Role finds a role by ARN. The result is a copy.
func (d *Directory) Role(arn string) (*Role, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[AccountOf(arn)]; a != nil {
		if r := a.roles[RoleName(arn)]; r != nil && r.ARN == arn {
			out := *r
			out.Inline = maps.Clone(r.Inline)
			return &out, nil
		}
	}
	return nil, noSuchRole(arn)
}

// Roles lists an account's roles by name.
func (d *Directory) Roles(id string) []Role {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Role
	if a := d.accounts[id]; a != nil {
		for _, name := range sortedKeys(a.roles) {
			r := *a.roles[name]
			r.Inline = maps.Clone(r.Inline)
			out = append(out, r)
		}
	}
	return out
}

// UpdateRole changes a role in place under the directory's lock.
func (d *Directory) UpdateRole(arn string, change func(*Role) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[AccountOf(arn)]; a != nil {
		if r := a.roles[RoleName(arn)]; r != nil {
			return change(r)
		}
	}
	return noSuchRole(arn)
}

// AddUser makes an IAM user with one inline policy and returns its access key.
func (d *Directory) AddUser(accountID, name string, policy iam.Document) (Credentials, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[accountID]
	if a == nil {
		return Credentials{}, fmt.Errorf("add user %s: account %s is not open", name, accountID)
	}
	if a.users[name] != nil {
		return Credentials{}, wire.Errorf(409, "EntityAlreadyExists", "User with name %s already exists.", name)
	}
	u := &User{
		ARN: "arn:aws:iam::" + accountID + ":user/" + name, Name: name, ID: random.ID("AIDA", 17), Account: accountID,
		Inline: map[string]iam.Document{"inline": policy}, Created: d.clock.Now(),
	}
	a.users[name] = u
	return d.mint(Caller{Principal: iam.Principal{ARN: u.ARN, Account: accountID, UniqueID: u.ID}}, 0), nil
}

// User finds an account's user by name. The result is a copy.
func (d *Directory) User(accountID, name string) (*User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[accountID]; a != nil && a.users[name] != nil {
		out := *a.users[name]
		out.Inline = maps.Clone(out.Inline)
		return &out, nil
	}
	return nil, wire.Errorf(404, "NoSuchEntity", "The user with name %s cannot be found.", name)
}

func noSuchRole(arn string) error {
	return wire.Errorf(404, "NoSuchEntity", "The role with name %s cannot be found.", RoleName(arn))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func randomSecret(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
