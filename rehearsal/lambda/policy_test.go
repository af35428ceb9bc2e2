package lambda

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

const workerARN = "arn:aws:lambda:us-east-1:222222222222:function:worker"

// relay is B's function with a version and an alias, and a role in A with the statements.
func relay(t *testing.T, statements ...string) (*world, accounts.Credentials) {
	w := newWorld(t, Options{})
	w.function(accountB, "worker", func(in *CreateInput) { in.Publish = true })
	if _, err := w.lambda.CreateAlias(w.root[accountB].Caller, region, "worker", AliasInput{Name: "live", FunctionVersion: ptrTo("1")}); err != nil {
		t.Fatal(err)
	}
	return w, w.session(w.role(accountA, "job", statements...))
}

// TestCrossAccountInvoke: both sides are needed, and a grant on an alias is a
// grant on its ARN only.
func TestCrossAccountInvoke(t *testing.T) {
	role := "arn:aws:iam::111111111111:role/job"
	tests := map[string]struct {
		identity  string // what A's role may invoke; "" nothing
		qualifier string // what B grants on
		principal string // whom B grants to; "" nobody
		call      string // what A names
		allowed   bool
		silent    string // the kind of policy that allowed nothing
	}{
		"alias to the role":           {workerARN + ":live", "live", role, workerARN + ":live", true, ""},
		"alias to the account":        {workerARN + ":live", "live", accountA, workerARN + ":live", true, ""},
		"account by its root":         {workerARN + ":live", "live", "arn:aws:iam::111111111111:root", workerARN + ":live", true, ""},
		"everybody":                   {workerARN + ":live", "live", "*", workerARN + ":live", true, ""},
		"version":                     {workerARN + ":1", "1", role, workerARN + ":1", true, ""},
		"the function itself":         {workerARN, "", role, workerARN, true, ""},
		"identity pattern":            {workerARN + ":*", "live", role, workerARN + ":live", true, ""},
		"no grant":                    {workerARN + ":live", "", "", workerARN + ":live", false, "resource-based"},
		"grant to another account":    {workerARN + ":live", "live", accountB, workerARN + ":live", false, "resource-based"},
		"identity missing":            {"", "live", role, workerARN + ":live", false, "identity-based"},
		"identity unqualified":        {workerARN, "live", role, workerARN + ":live", false, "identity-based"},
		"identity of another alias":   {workerARN + ":test", "live", role, workerARN + ":live", false, "identity-based"},
		"function instead of alias":   {workerARN, "live", role, workerARN, false, "resource-based"},
		"version behind the alias":    {workerARN + ":1", "live", role, workerARN + ":1", false, "resource-based"},
		"alias of a granted function": {workerARN + ":live", "", role, workerARN + ":live", false, "resource-based"},
		"$LATEST of a granted one":    {workerARN + ":$LATEST", "", role, workerARN + ":$LATEST", false, "resource-based"},
		"unknown function":            {workerARN + "2", "", role, workerARN + "2", false, "resource-based"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var statements []string
			if test.identity != "" {
				statements = append(statements, allow("lambda:InvokeFunction", test.identity))
			}
			w, cred := relay(t, statements...)
			if test.principal != "" {
				_, err := w.lambda.AddPermission(w.root[accountB].Caller, region, "worker", test.qualifier, Permission{
					StatementId: "relay", Action: "lambda:InvokeFunction", Principal: test.principal,
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			out, err := w.client(cred).Invoke(t.Context(), &api.InvokeInput{FunctionName: aws.String(test.call), Payload: []byte(`{"text":"x"}`)})
			if test.allowed {
				if err != nil || decode[reply](t, out.Payload).Text != "x" {
					t.Fatalf("%v", err)
				}
				return
			}
			wantAPIError(t, err, "AccessDeniedException")
			want := "because no " + test.silent + " policy allows the lambda:InvokeFunction action"
			if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "on resource: "+test.call) {
				t.Errorf("%v\nwant: %s", err, want)
			}
		})
	}
}

func TestServiceInvoke(t *testing.T) {
	rule := "arn:aws:events:us-east-1:222222222222:rule/start"
	tests := map[string]struct {
		grant   Permission
		caller  accounts.Caller
		allowed bool
	}{
		"its source":      {Permission{SourceArn: rule}, accounts.ServiceCaller("events.amazonaws.com", accountB, rule), true},
		"its account":     {Permission{SourceAccount: accountB}, accounts.ServiceCaller("events.amazonaws.com", accountB, rule), true},
		"any source":      {Permission{}, accounts.ServiceCaller("events.amazonaws.com", accountB, rule), true},
		"a pattern":       {Permission{SourceArn: "arn:aws:events:us-east-1:222222222222:rule/*"}, accounts.ServiceCaller("events.amazonaws.com", accountB, rule), true},
		"another source":  {Permission{SourceArn: rule + "2"}, accounts.ServiceCaller("events.amazonaws.com", accountB, rule), false},
		"another account": {Permission{SourceAccount: accountB}, accounts.ServiceCaller("events.amazonaws.com", accountA, rule), false},
		"another service": {Permission{}, accounts.ServiceCaller("s3.amazonaws.com", accountB, ""), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, _ := relay(t)
			test.grant.StatementId, test.grant.Action, test.grant.Principal = "s", "lambda:InvokeFunction", "events.amazonaws.com"
			if _, err := w.lambda.AddPermission(w.root[accountB].Caller, region, "worker", "live", test.grant); err != nil {
				t.Fatal(err)
			}
			_, err := w.lambda.Invoke(t.Context(), test.caller, InvokeInput{Function: workerARN + ":live", Type: DryRun})
			if (err == nil) != test.allowed {
				t.Errorf("%v, want allowed %v", err, test.allowed)
			}
		})
	}
}

// TestSourceConditionsKeepFunctionsOut: aws:SourceArn exists for services only, so
// requiring it of a calling function denies it.
func TestSourceConditionsKeepFunctionsOut(t *testing.T) {
	w, cred := relay(t, allow("lambda:InvokeFunction", "*"))
	_, err := w.lambda.AddPermission(w.root[accountB].Caller, region, "worker", "live", Permission{
		StatementId: "s", Action: "lambda:InvokeFunction", Principal: accountA, SourceArn: "arn:aws:lambda:us-east-1:111111111111:function:job",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client(cred).Invoke(t.Context(), &api.InvokeInput{FunctionName: aws.String(workerARN + ":live")})
	wantAPIError(t, err, "AccessDeniedException")
}

func TestPolicyDocument(t *testing.T) {
	w, _ := relay(t)
	client := w.client(w.root[accountB])
	name, live := aws.String("worker"), aws.String("live")
	add := func(id, principal string, change func(*api.AddPermissionInput)) string {
		in := &api.AddPermissionInput{FunctionName: name, Qualifier: live, StatementId: &id, Action: aws.String("lambda:InvokeFunction"), Principal: &principal}
		if change != nil {
			change(in)
		}
		out, err := client.AddPermission(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.Statement)
	}
	statement := add("role", "arn:aws:iam::111111111111:role/job", nil)
	add("account", accountA, nil)
	add("service", "events.amazonaws.com", func(in *api.AddPermissionInput) {
		in.SourceArn, in.SourceAccount = aws.String("arn:aws:events:us-east-1:222222222222:rule/*"), aws.String(accountB)
	})
	add("everybody", "*", func(in *api.AddPermissionInput) { in.PrincipalOrgID = aws.String("o-abcdefghij") })

	roleStatement := map[string]any{
		"Sid": "role", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::111111111111:role/job"},
		"Action": "lambda:InvokeFunction", "Resource": workerARN + ":live",
	}
	if diff := cmp.Diff(roleStatement, decode[map[string]any](t, []byte(statement))); diff != "" {
		t.Errorf("the statement of the answer: %s", diff)
	}
	got, err := client.GetPolicy(t.Context(), &api.GetPolicyInput{FunctionName: name, Qualifier: live})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": []any{
		roleStatement,
		map[string]any{
			"Sid": "account", "Effect": "Allow", "Principal": map[string]any{"AWS": "arn:aws:iam::111111111111:root"},
			"Action": "lambda:InvokeFunction", "Resource": workerARN + ":live",
		},
		map[string]any{
			"Sid": "service", "Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"},
			"Action": "lambda:InvokeFunction", "Resource": workerARN + ":live", "Condition": map[string]any{
				"StringEquals": map[string]any{"AWS:SourceAccount": accountB},
				"ArnLike":      map[string]any{"AWS:SourceArn": "arn:aws:events:us-east-1:222222222222:rule/*"},
			},
		},
		map[string]any{
			"Sid": "everybody", "Effect": "Allow", "Principal": "*",
			"Action": "lambda:InvokeFunction", "Resource": workerARN + ":live", "Condition": map[string]any{
				"StringEquals": map[string]any{"aws:PrincipalOrgID": "o-abcdefghij"},
			},
		},
	}}
	if diff := cmp.Diff(want, decode[map[string]any](t, []byte(aws.ToString(got.Policy)))); diff != "" {
		t.Errorf("the policy: %s", diff)
	}
	for _, id := range []string{"role", "account", "service", "everybody"} {
		if _, err := client.RemovePermission(t.Context(), &api.RemovePermissionInput{FunctionName: name, Qualifier: live, StatementId: &id}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = client.GetPolicy(t.Context(), &api.GetPolicyInput{FunctionName: name, Qualifier: live})
	wantAPIError(t, err, "ResourceNotFoundException")
}

// TestRecreatedRole: a grant is to the role that was there, not to its name.
func TestRecreatedRole(t *testing.T) {
	w, cred := relay(t, allow("lambda:InvokeFunction", "*"))
	arn := "arn:aws:iam::111111111111:role/job"
	_, err := w.lambda.AddPermission(w.root[accountB].Caller, region, "worker", "live", Permission{StatementId: "s", Action: "lambda:*", Principal: arn})
	if err != nil {
		t.Fatal(err)
	}
	invoke := func(c accounts.Caller) error {
		_, err := w.lambda.Invoke(t.Context(), c, InvokeInput{Function: workerARN + ":live", Type: DryRun})
		return err
	}
	if err := invoke(cred.Caller); err != nil {
		t.Fatal(err)
	}
	if err := w.dir.DeleteRole(arn); err != nil {
		t.Fatal(err)
	}
	w.role(accountA, "job", allow("lambda:InvokeFunction", "*"))
	if err := invoke(w.session(arn).Caller); errorCode(err) != "AccessDenied" {
		t.Errorf("%v", err)
	}
	document, _, err := w.lambda.GetPolicy(w.root[accountB].Caller, region, "worker", "live")
	if err != nil || !strings.Contains(document, `"AWS":"AROA`) {
		t.Errorf("%s, %v", document, err)
	}
}

func TestPermissionRefused(t *testing.T) {
	w, _ := relay(t)
	c := w.root[accountB].Caller
	good := Permission{StatementId: "s", Action: "lambda:InvokeFunction", Principal: accountA}
	with := func(change func(*Permission)) Permission {
		p := good
		change(&p)
		return p
	}
	if _, err := w.lambda.AddPermission(c, region, "worker", "live", good); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		qualifier string
		in        Permission
		code      string
	}{
		"twice":             {"live", good, "ResourceConflictException"},
		"elsewhere":         {"1", good, ""},
		"$LATEST":           {"$LATEST", good, "InvalidParameterValueException"},
		"no such alias":     {"test", good, "ResourceNotFoundException"},
		"statement id":      {"live", with(func(p *Permission) { p.StatementId = "a b" }), "ValidationException"},
		"action":            {"live", with(func(p *Permission) { p.Action = "s3:GetObject" }), "ValidationException"},
		"nobody's role":     {"live", with(func(p *Permission) { p.StatementId, p.Principal = "t", "arn:aws:iam::111111111111:role/nobody" }), "InvalidParameterValueException"},
		"not a principal":   {"live", with(func(p *Permission) { p.StatementId, p.Principal = "t", "me" }), "InvalidParameterValueException"},
		"old revision":      {"live", with(func(p *Permission) { p.StatementId, p.RevisionId = "t", "x" }), "PreconditionFailedException"},
		"more than 20 KiB":  {"live", with(func(p *Permission) { p.StatementId, p.SourceArn = "t", "arn:aws:s3:::"+strings.Repeat("x", 20<<10) }), "PolicyLengthExceededException"},
		"another statement": {"live", with(func(p *Permission) { p.StatementId = "u" }), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := w.lambda.AddPermission(c, region, "worker", test.qualifier, test.in); errorCode(err) != test.code {
				t.Errorf("%v, want %s", err, test.code)
			}
		})
	}
	for _, sid := range []string{"nobody"} {
		if err := w.lambda.RemovePermission(c, region, "worker", "live", sid, ""); errorCode(err) != "ResourceNotFoundException" {
			t.Errorf("remove %s: %v", sid, err)
		}
	}
}

// TestControlPlaneIsDecided: every operation asks for its own action.
func TestControlPlaneIsDecided(t *testing.T) {
	operations := map[string]func(w *world, c accounts.Caller) error{
		"ListFunctions": func(w *world, c accounts.Caller) error { _, err := w.lambda.List(c, region); return err },
		"GetFunction": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.Get(c, region, "GetFunction", "worker", "")
			return err
		},
		"DeleteFunction": func(w *world, c accounts.Caller) error { return w.lambda.Delete(c, region, "worker", "") },
		"UpdateFunctionConfiguration": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.UpdateConfiguration(context.Background(), c, region, "worker", UpdateConfigurationInput{})
			return err
		},
		"UpdateFunctionCode": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.UpdateCode(context.Background(), c, region, "worker", UpdateCodeInput{Package: Package{ZipFile: zipped(w.t, map[string][]byte{"bootstrap": nil})}})
			return err
		},
		"PublishVersion": func(w *world, c accounts.Caller) error {
			_, _, err := w.lambda.Publish(c, region, "worker", PublishInput{})
			return err
		},
		"CreateAlias": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.CreateAlias(c, region, "worker", AliasInput{Name: "new", FunctionVersion: ptrTo("1")})
			return err
		},
		"GetAlias": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.GetAlias(c, region, "worker", "live")
			return err
		},
		"UpdateAlias": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.UpdateAlias(c, region, "worker", AliasInput{Name: "live"})
			return err
		},
		"DeleteAlias": func(w *world, c accounts.Caller) error { return w.lambda.DeleteAlias(c, region, "worker", "live") },
		"AddPermission": func(w *world, c accounts.Caller) error {
			_, err := w.lambda.AddPermission(c, region, "worker", "live", Permission{StatementId: "s", Action: "lambda:InvokeFunction", Principal: accountA})
			return err
		},
		"PutFunctionEventInvokeConfig": func(w *world, c accounts.Caller) error {
			_, _, err := w.lambda.PutEventConfig(c, region, "worker", "", EventConfig{MaximumRetryAttempts: ptrTo(0)}, false)
			return err
		},
	}
	for action, do := range operations {
		t.Run(action, func(t *testing.T) {
			w, _ := relay(t)
			nobody := w.session(w.roleOf(accountB, "nobody", `{"AWS":"222222222222"}`))
			if err := do(w, nobody.Caller); errorCode(err) != "AccessDenied" || !strings.Contains(wire.AsError(err).Message, "lambda:"+action) {
				t.Errorf("without a grant: %v", err)
			}
			somebody := w.session(w.roleOf(accountB, "somebody", `{"AWS":"222222222222"}`, allow("lambda:"+action, "*")))
			if err := do(w, somebody.Caller); err != nil {
				t.Errorf("with the grant: %v", err)
			}
		})
	}
}

func TestJournalNamesTheGrant(t *testing.T) {
	w, cred := relay(t, allow("lambda:InvokeFunction", workerARN+":live"))
	_, err := w.lambda.AddPermission(w.root[accountB].Caller, region, "worker", "live", Permission{StatementId: "relay", Action: "lambda:InvokeFunction", Principal: "arn:aws:iam::111111111111:role/job"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.lambda.Invoke(t.Context(), cred.Caller, InvokeInput{Function: workerARN + ":live"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.journal.Calls() {
		if c.Action == "lambda:InvokeFunction" {
			if c.Caller != accountA || c.Account != accountB || c.Decision != "allow" || !strings.Contains(c.Statement, "relay") {
				text, _ := json.Marshal(c)
				t.Errorf("%s", text)
			}
			return
		}
	}
	t.Error("the journal has no call")
}
