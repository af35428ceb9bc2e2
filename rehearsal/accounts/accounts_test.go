package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	allowAll = `{"Version":"2012-10-17","Statement":{"Sid":"All","Effect":"Allow","Action":"*","Resource":"*"}}`
)

type world struct {
	*accounts.Directory
	t       *testing.T
	journal *journal.Journal
}

func newWorld(t *testing.T) world {
	t.Helper()
	c := clock.New(false)
	t.Cleanup(c.Close)
	w := world{t: t, journal: &journal.Journal{}}
	w.Directory = accounts.New(c, w.journal)
	for _, id := range []string{accountA, accountB} {
		if _, err := w.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w world) parse(text string) iam.Document {
	w.t.Helper()
	doc, err := iam.Parse([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	return doc
}

func (w world) role(account, name, policy string) *accounts.Role {
	w.t.Helper()
	inline := map[string]iam.Document{}
	if policy != "" {
		inline["test"] = w.parse(policy)
	}
	r, err := w.CreateRole(accounts.Role{Account: account, Name: name, Path: "/team/", Inline: inline, Trust: w.trust(account)})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w world) trust(principal string) iam.Document {
	w.t.Helper()
	return w.parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}}`)
}

func (w world) session(r *accounts.Role) accounts.Caller {
	return w.Session(r, "s", nil, nil, time.Hour).Caller
}

func TestOpenAccounts(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{accountA, "1", "", "11111111111x"} {
		if _, err := w.Add(bad); err == nil {
			t.Errorf("opened %q", bad)
		}
	}
	root, ok := w.Root(accountA)
	if !ok || root.Caller.ARN != "arn:aws:iam::111111111111:root" || root.SessionToken != "" || !strings.HasPrefix(root.AccessKeyID, "AKIA") {
		t.Errorf("root %+v", root)
	}
	if _, ok := w.Root("333333333333"); ok {
		t.Error("an unknown account has a root")
	}
	if found, ok := w.Key(root.AccessKeyID); !ok || found.Caller.ARN != root.Caller.ARN {
		t.Error("the root's key is not found")
	}
}

func TestRolesAndTheirSessions(t *testing.T) {
	w := newWorld(t)
	r := w.role(accountA, "job", "")
	if r.ARN != "arn:aws:iam::111111111111:role/team/job" || !strings.HasPrefix(r.ID, "AROA") || len(r.ID) != 21 || r.MaxSession != time.Hour {
		t.Errorf("made %+v", r)
	}
	if _, err := w.CreateRole(accounts.Role{Account: accountA, Name: "job", Trust: r.Trust}); wire.AsError(err).Code != "EntityAlreadyExists" {
		t.Errorf("made it twice: %v", err)
	}
	if _, err := w.Role("arn:aws:iam::111111111111:role/job"); wire.AsError(err).Code != "NoSuchEntity" {
		t.Errorf("found it without its path: %v", err)
	}
	got, err := w.Role(r.ARN)
	if err != nil {
		t.Fatal(err)
	}
	got.Inline["mine"] = w.parse(allowAll)
	if again, _ := w.Role(r.ARN); len(again.Inline) != 0 {
		t.Error("changing what Role returned changed the role")
	}
	cred := w.Session(r, "s", nil, map[string][]string{"aws:PrincipalTag/team": {"web"}}, time.Hour)
	if cred.Caller.ARN != "arn:aws:sts::111111111111:assumed-role/job/s" || cred.SessionToken == "" || !strings.HasPrefix(cred.AccessKeyID, "ASIA") {
		t.Errorf("session %+v", cred)
	}
	w.Expire(cred.AccessKeyID)
	if found, _ := w.Key(cred.AccessKeyID); !found.Expires.Before(time.Now()) {
		t.Error("an expired session is not over")
	}
	if err := w.DeleteRole(r.ARN); err != nil {
		t.Error(err)
	}
	if err := w.DeleteRole(r.ARN); wire.AsError(err).Code != "NoSuchEntity" {
		t.Errorf("deleted it twice: %v", err)
	}
}

// TestASessionDoesNotOutliveItsRole: a session of a deleted role has no permission, even when a role
// of the same name comes back.
func TestASessionDoesNotOutliveItsRole(t *testing.T) {
	w := newWorld(t)
	r := w.role(accountA, "job", allowAll)
	old := w.session(r)
	check := func(c accounts.Caller) error {
		return w.Authorize(accounts.Check{Caller: c, Action: "s3:ListAllMyBuckets", Resource: "*"})
	}
	if err := check(old); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteRole(r.ARN); err != nil {
		t.Fatal(err)
	}
	if check(old) == nil {
		t.Error("the deleted role's session is allowed")
	}
	again := w.role(accountA, "job", allowAll)
	if check(old) == nil {
		t.Error("the old session got the new role's permissions")
	}
	if err := check(w.session(again)); err != nil {
		t.Error(err)
	}
}

func TestAuthorizeRecords(t *testing.T) {
	w := newWorld(t)
	reader := w.role(accountA, "reader", `{"Version":"2012-10-17","Statement":{"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`)
	denied := w.role(accountA, "denied", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"No","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`)
	bucket := &iam.Policy{Name: "bucket b", Document: w.parse(`{"Version":"2012-10-17","Statement":{"Sid":"A","Effect":"Allow","Principal":{"AWS":"` + accountA + `"},"Action":"s3:*","Resource":"*"}}`)}
	root, _ := w.Root(accountA)
	tests := []struct {
		name             string
		caller           accounts.Caller
		account          string
		policy           *iam.Policy
		text             string // in the message; empty: allowed
		statement        string
		remedy, crossing bool
	}{
		{name: "identity", caller: w.session(reader), account: accountA, statement: "identity: role/reader policy test/Read"},
		{name: "both sides", caller: w.session(reader), account: accountB, policy: bucket, statement: "resource: bucket b/A", crossing: true},
		{
			name: "resource side missing", caller: w.session(reader), account: accountB, crossing: true, statement: "resource", remedy: true,
			text: "because no resource-based policy allows the s3:GetObject action",
		},
		{
			name: "explicit", caller: w.session(denied), account: accountA, statement: "identity: role/denied policy test/No",
			text: "with an explicit deny in an identity-based policy",
		},
		{name: "root", caller: root.Caller, account: accountA},
		{
			name: "a service", caller: accounts.ServiceCaller("cloudfront.amazonaws.com", accountB, "arn:x"), account: accountB, policy: bucket, statement: "resource", remedy: true,
			text: "User: cloudfront.amazonaws.com is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := w.Authorize(accounts.Check{
				Caller: tt.caller, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Account: tt.account, Policy: tt.policy, Kind: iam.ResourcePolicy,
			})
			if (err == nil) != (tt.text == "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v, want %q", err, tt.text)
			}
			all := w.journal.Calls()
			last := all[len(all)-1]
			if (last.Decision == "allow") != (tt.text == "") || (last.Remedy != "") != tt.remedy || last.Account != tt.account ||
				(last.Caller != "" && last.Caller != last.Account) != tt.crossing || tt.statement != "" && last.Statement != tt.statement {
				t.Errorf("recorded %+v", last)
			}
		})
	}
}

func TestSessionPoliciesBoundariesAndOrganizations(t *testing.T) {
	w := newWorld(t)
	only := func(action string) iam.Document {
		return w.parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"*"}}`)
	}
	r := w.role(accountA, "job", allowAll)
	narrowed := w.Session(r, "s", []iam.Policy{{Name: "session", Document: only("s3:GetObject")}}, nil, time.Hour).Caller
	plain := w.session(r)
	check := func(c accounts.Caller, action string) bool {
		return w.Authorize(accounts.Check{Caller: c, Action: action, Resource: "arn:aws:s3:::b/k", Account: accountA, Kind: iam.ResourcePolicy}) == nil
	}
	if !check(narrowed, "s3:GetObject") || check(narrowed, "s3:PutObject") || !check(plain, "s3:PutObject") {
		t.Error("the session policy does not narrow its session alone")
	}
	err := w.UpdateRole(r.ARN, func(r *accounts.Role) error {
		r.Boundary = &iam.Policy{Name: "boundary", Document: only("s3:PutObject")}
		return nil
	})
	if err != nil || !check(plain, "s3:PutObject") || check(plain, "s3:GetObject") {
		t.Errorf("the boundary does not bound: %v", err)
	}
	if err := w.SetOrganization(accountA, [][]iam.Policy{{{Name: "scp", Document: only("sts:*")}}}, nil); err != nil || check(plain, "s3:PutObject") {
		t.Errorf("the service control policy does not hold: %v", err)
	}
	if w.SetOrganization("333333333333", nil, nil) == nil {
		t.Error("an unknown account joined an organization")
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	cred, err := w.AddUser(accountA, "git", w.parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"codecommit:GitPush","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	check := func(action string) error {
		return w.Authorize(accounts.Check{Caller: cred.Caller, Action: action, Resource: "arn:aws:codecommit:us-east-1:" + accountA + ":r"})
	}
	if check("codecommit:GitPush") != nil || check("codecommit:GitPull") == nil {
		t.Error("the user's policy does not decide")
	}
	if _, err := w.AddUser(accountA, "git", iam.Document{}); wire.AsError(err).Code != "EntityAlreadyExists" {
		t.Errorf("added twice: %v", err)
	}
	u, err := w.User(accountA, "git")
	if err != nil || u.ARN != cred.Caller.ARN || !strings.HasPrefix(u.ID, "AIDA") {
		t.Errorf("found %+v, %v", u, err)
	}
	if _, err := w.User(accountB, "git"); wire.AsError(err).Code != "NoSuchEntity" {
		t.Errorf("found in B: %v", err)
	}
}

func TestPrincipalsMustExist(t *testing.T) {
	w := newWorld(t)
	r := w.role(accountA, "job", "")
	if _, err := w.AddUser(accountA, "git", iam.Document{}); err != nil {
		t.Fatal(err)
	}
	gone := w.role(accountA, "gone", "")
	if err := w.DeleteRole(gone.ARN); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		principal string
		stored    string // empty: refused
	}{
		{"*", "*"},
		{accountB, accountB},
		{"333333333333", ""},
		{"arn:aws:iam::222222222222:root", "arn:aws:iam::222222222222:root"},
		{"arn:aws:iam::333333333333:root", ""},
		{r.ARN, r.ID},
		{"arn:aws:iam::111111111111:role/job", ""}, // without its path
		{"arn:aws:iam::222222222222:role/team/job", ""},
		{"arn:aws:iam::111111111111:user/git", "AIDA"},
		{"arn:aws:iam::111111111111:user/nobody", ""},
		{"arn:aws:sts::111111111111:assumed-role/job/s", "arn:aws:sts::111111111111:assumed-role/job/s"},
		{"arn:aws:sts::111111111111:assumed-role/nobody/s", ""},
		{r.ID, r.ID},
		{gone.ID, ""},
	}
	for _, tt := range tests {
		doc, err := w.StorePrincipals(w.trust(tt.principal))
		if tt.stored == "" {
			if err == nil || wire.AsError(err).Code != "MalformedPolicyDocument" || !strings.Contains(err.Error(), "Invalid principal in policy") {
				t.Errorf("%s: %v", tt.principal, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.principal, err)
			continue
		}
		if got := doc.Statements[0].Principal; !got.Everyone && !strings.HasPrefix(got.AWS[0], tt.stored) {
			t.Errorf("%s is stored as %v, want %s", tt.principal, got.AWS, tt.stored)
		}
		shown, err := w.ShowPrincipals(doc)
		if err != nil || tt.principal != r.ID && shown.String() != w.trust(tt.principal).String() {
			t.Errorf("%s is shown as %s, %v", tt.principal, shown, err)
		}
	}
	stored, err := w.StorePrincipals(w.trust(r.ARN))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteRole(r.ARN); err != nil {
		t.Fatal(err)
	}
	w.role(accountA, "job", "") // another role of that name
	if shown, _ := w.ShowPrincipals(stored); !strings.Contains(shown.String(), r.ID) {
		t.Errorf("the deleted role is shown as %s", shown)
	}
}
