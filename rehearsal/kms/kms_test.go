package kms_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/kms"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	region   = "us-east-1"
	rootKeys = `{"Sid":"Root","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"kms:*","Resource":"*"}`
)

type world struct {
	*fronttest.World
	kms *kms.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := fronttest.New(t, accountA, accountB)
	s := kms.New(w.Directory, w.Clock)
	w.Serve(kms.SigningName, s, wire.WriteJSONError)
	return &world{w, s}
}

// call sends one operation as KMS's clients do. It returns the answer and the error's code.
func (w *world) call(c accounts.Credentials, operation string, in map[string]any) (map[string]any, string) {
	w.T.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.T.Fatal(err)
	}
	status, answer := fronttest.Call(w.T, w.URL, c, kms.SigningName, "TrentService."+operation, string(body))
	out := map[string]any{}
	if err := json.Unmarshal(answer, &out); err != nil && len(answer) != 0 {
		w.T.Fatal(err)
	}
	if status != http.StatusOK {
		return out, fmt.Sprint(out["__type"])
	}
	return out, ""
}

// key makes a key of A whose policy has the account's root and more statements.
func (w *world) key(statements string) kms.Key {
	w.T.Helper()
	k, err := w.kms.Create(w.Root(accountA).Caller, region, "artifacts", []byte(`{"Version":"2012-10-17","Statement":[`+rootKeys+statements+`]}`), true)
	if err != nil {
		w.T.Fatal(err)
	}
	return k
}

func TestWhoMayDecrypt(t *testing.T) {
	const (
		roleA    = "arn:aws:iam::" + accountA + ":role/user"
		roleB    = "arn:aws:iam::" + accountB + ":role/user"
		decrypt  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}`
		byS3Only = `,"Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}`
	)
	grant := func(arn, condition string) string {
		return `,{"Effect":"Allow","Principal":{"AWS":"` + arn + `"},"Action":"kms:Decrypt","Resource":"*"` + condition + `}`
	}
	tests := []struct {
		name, account, identity, key string
		via                          string
		allowed                      bool
	}{
		{name: "same account, identity, as the root is named", account: accountA, identity: decrypt, allowed: true},
		{name: "same account, neither", account: accountA},
		{name: "same account, named by the key", account: accountA, key: grant(roleA, ""), allowed: true},
		{name: "across, identity only", account: accountB, identity: decrypt},
		{name: "across, key only", account: accountB, key: grant(roleB, "")},
		{name: "across, both", account: accountB, identity: decrypt, key: grant(roleB, ""), allowed: true},
		{name: "across, both by root", account: accountB, identity: decrypt, key: grant("arn:aws:iam::"+accountB+":root", ""), allowed: true},
		{name: "only through S3, directly", account: accountB, identity: decrypt, key: grant(roleB, byS3Only)},
		{name: "only through S3, so it is", account: accountB, identity: decrypt, key: grant(roleB, byS3Only), via: "s3.us-east-1.amazonaws.com", allowed: true},
		{name: "only through S3 of another region", account: accountB, identity: decrypt, key: grant(roleB, byS3Only), via: "s3.eu-west-1.amazonaws.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			caller := w.Role(tt.account, "user", tt.identity).Caller
			k := w.key(tt.key)
			extra := map[string][]string{}
			if tt.via != "" {
				extra["kms:ViaService"] = []string{tt.via}
			}
			err := w.kms.Authorize(t.Context(), caller, "kms:Decrypt", k.ARN, extra)
			if (err == nil) != tt.allowed || err != nil && wire.AsError(err).Code != "AccessDenied" {
				t.Errorf("%v, allowed should be %v", err, tt.allowed)
			}
		})
	}
}

// TestTheKeyPolicyMustAllow: a key whose policy does not name the root is closed to its own account's
// identity policies.
func TestTheKeyPolicyMustAllow(t *testing.T) {
	w := newWorld(t)
	admin := w.Role(accountA, "admin", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`)
	other := w.Role(accountA, "other", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`)
	k, err := w.kms.Create(admin.Caller, region, "", []byte(strings.Replace(`{"Version":"2012-10-17","Statement":[`+rootKeys+`]}`, ":root", ":role/admin", 1)), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, code := w.call(admin, "DescribeKey", map[string]any{"KeyId": k.ARN}); code != "" {
		t.Errorf("the admin is refused: %s", code)
	}
	if _, code := w.call(other, "DescribeKey", map[string]any{"KeyId": k.ARN}); code != "AccessDeniedException" {
		t.Errorf("another role of the account: %q", code)
	}
}

func TestEncryption(t *testing.T) {
	w := newWorld(t)
	a := w.Root(accountA)
	made, code := w.call(a, "CreateKey", map[string]any{"Description": "d"})
	if code != "" {
		t.Fatal(code)
	}
	id := fmt.Sprint(made["KeyMetadata"].(map[string]any)["KeyId"])
	if _, code := w.call(a, "CreateAlias", map[string]any{"AliasName": "alias/artifacts", "TargetKeyId": id}); code != "" {
		t.Fatal(code)
	}
	sealed, code := w.call(a, "Encrypt", map[string]any{"KeyId": "alias/artifacts", "Plaintext": []byte("secret"), "EncryptionContext": map[string]string{"for": "x"}})
	if code != "" || strings.Contains(fmt.Sprint(sealed["CiphertextBlob"]), "c2VjcmV0") {
		t.Fatalf("%s %v", code, sealed)
	}
	open := func(blob any, context string) (any, string) {
		out, code := w.call(a, "Decrypt", map[string]any{"CiphertextBlob": blob, "EncryptionContext": map[string]string{"for": context}})
		return out["Plaintext"], code
	}
	if plain, code := open(sealed["CiphertextBlob"], "x"); plain != "c2VjcmV0" || code != "" {
		t.Errorf("opened %v, %q", plain, code)
	}
	for name, tt := range map[string]struct {
		blob    any
		context string
	}{
		"another context": {sealed["CiphertextBlob"], "y"}, "garbage": {[]byte("x"), "x"}, "no nonce": {[]byte(made["KeyMetadata"].(map[string]any)["Arn"].(string) + "\x00"), "x"},
	} {
		if _, code := open(tt.blob, tt.context); code != "InvalidCiphertextException" {
			t.Errorf("%s: %q", name, code)
		}
	}
	data, code := w.call(a, "GenerateDataKey", map[string]any{"KeyId": id, "KeySpec": "AES_256", "EncryptionContext": map[string]string{"for": "x"}})
	if plain, _ := open(data["CiphertextBlob"], "x"); code != "" || plain != data["Plaintext"] || len(fmt.Sprint(plain)) != 44 {
		t.Errorf("data key %v opens as %v, %q", data, plain, code)
	}
	for name, in := range map[string]map[string]any{"spec": {"KeyId": id, "KeySpec": "RSA"}, "size": {"KeyId": id, "NumberOfBytes": 1025}, "no key": {}} {
		if _, code := w.call(a, "GenerateDataKey", in); code != "ValidationException" {
			t.Errorf("data key with a bad %s: %q", name, code)
		}
	}
}

func TestKeyPolicies(t *testing.T) {
	w := newWorld(t)
	a := w.Root(accountA)
	reader := w.Role(accountB, "reader", "")
	k := w.key("")
	put := func(policy string) string {
		_, code := w.call(a, "PutKeyPolicy", map[string]any{"KeyId": k.ID, "PolicyName": "default", "Policy": policy})
		return code
	}
	document := func(statements string) string {
		return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
	}
	grant := `{"Effect":"Allow","Principal":{"AWS":"` + reader.Caller.RoleARN + `"},"Action":"kms:Decrypt","Resource":"*"}`
	for name, tt := range map[string]struct{ policy, want string }{
		"locks everyone out": {document(grant), "MalformedPolicyDocumentException"},
		"denies the root":    {document(rootKeys + `,{"Effect":"Deny","Principal":"*","Action":"kms:Put*","Resource":"*"}`), "MalformedPolicyDocumentException"},
		"names nobody":       {document(rootKeys + "," + strings.Replace(grant, "role/reader", "role/nobody", 1)), "MalformedPolicyDocumentException"},
		"no principal":       {document(strings.Replace(rootKeys, `"Principal":{"AWS":"arn:aws:iam::111111111111:root"},`, "", 1)), "MalformedPolicyDocumentException"},
		"not JSON":           {`{`, "MalformedPolicyDocumentException"},
	} {
		if got := put(tt.policy); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	if code := put(document(rootKeys + "," + grant)); code != "" {
		t.Fatal(code)
	}
	shown := func() string {
		out, code := w.call(a, "GetKeyPolicy", map[string]any{"KeyId": k.ARN, "PolicyName": "default"})
		if code != "" {
			t.Fatal(code)
		}
		return fmt.Sprint(out["Policy"])
	}
	if !strings.Contains(shown(), reader.Caller.RoleARN) {
		t.Errorf("policy %s", shown())
	}
	if err := w.Directory.DeleteRole(reader.Caller.RoleARN); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown(), reader.Caller.UniqueID) {
		t.Errorf("policy with a deleted role %s", shown())
	}
}

func TestAliasesAndDeletion(t *testing.T) {
	w := newWorld(t)
	a := w.Root(accountA)
	k := w.key("")
	tests := []struct {
		operation string
		in        map[string]any
		want      string
	}{
		{"CreateAlias", map[string]any{"AliasName": "artifacts", "TargetKeyId": k.ID}, "InvalidAliasNameException"},
		{"CreateAlias", map[string]any{"AliasName": "alias/aws/s3", "TargetKeyId": k.ID}, "InvalidAliasNameException"},
		{"CreateAlias", map[string]any{"AliasName": "alias/artifacts", "TargetKeyId": "none"}, "NotFoundException"},
		{"CreateAlias", map[string]any{"AliasName": "alias/artifacts", "TargetKeyId": k.ARN}, ""},
		{"CreateAlias", map[string]any{"AliasName": "alias/artifacts", "TargetKeyId": k.ID}, "AlreadyExistsException"},
		{"DescribeKey", map[string]any{"KeyId": "alias/artifacts"}, ""},
		{"DescribeKey", map[string]any{"KeyId": "arn:aws:kms:us-east-1:111111111111:alias/artifacts"}, ""},
		{"DescribeKey", map[string]any{"KeyId": "alias/none"}, "NotFoundException"},
		{"ListAliases", map[string]any{"KeyId": k.ID}, ""},
		{"DeleteAlias", map[string]any{"AliasName": "alias/artifacts"}, ""},
		{"DeleteAlias", map[string]any{"AliasName": "alias/artifacts"}, "NotFoundException"},
		{"ScheduleKeyDeletion", map[string]any{"KeyId": k.ID, "PendingWindowInDays": 6}, "ValidationException"},
		{"ScheduleKeyDeletion", map[string]any{"KeyId": k.ID}, ""},
		{"Encrypt", map[string]any{"KeyId": k.ID, "Plaintext": []byte("x")}, "KMSInvalidStateException"},
		{"DescribeKey", map[string]any{"KeyId": k.ID}, ""},
		{"ReEncrypt", map[string]any{}, "NotEmulated"},
		{"CreateKey", map[string]any{"KeySpec": "RSA_2048", "Tags": []string{}}, "NotEmulated"},
	}
	for _, tt := range tests {
		out, code := w.call(a, tt.operation, tt.in)
		if code != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.operation, tt.in, code, tt.want)
		}
		if list, ok := out["Aliases"].([]any); ok && len(list) != 1 {
			t.Errorf("aliases %v", list)
		}
	}
}

func TestTemplates(t *testing.T) {
	w := newWorld(t)
	byName := map[string]templates.Type{}
	for _, typ := range w.kms.ResourceTypes() {
		byName[typ.Name] = typ
	}
	request := func(properties string) templates.Request {
		t.Helper()
		r := templates.Request{Caller: w.Root(accountA).Caller, Account: accountA, Region: region}
		if err := json.Unmarshal([]byte(properties), &r.Properties); err != nil {
			t.Fatal(err)
		}
		return r
	}
	ctx := t.Context()
	key, err := byName["AWS::KMS::Key"].Create(ctx, request(`{"Description":"d","EnableKeyRotation":true,"KeyPolicy":{"Version":"2012-10-17","Statement":[`+rootKeys+`]}}`))
	if err != nil || key.Attributes["Arn"] != "arn:aws:kms:us-east-1:111111111111:key/"+key.Ref {
		t.Fatalf("%+v, %v", key, err)
	}
	if _, err := byName["AWS::KMS::Key"].Create(ctx, request(`{"MultiRegion":true}`)); wire.AsError(err).Code != "NotEmulated" {
		t.Errorf("an unknown property: %v", err)
	}
	alias, err := byName["AWS::KMS::Alias"].Create(ctx, request(`{"AliasName":"alias/a","TargetKeyId":"`+key.Ref+`"}`))
	if err != nil || alias.Ref != "alias/a" {
		t.Fatalf("%+v, %v", alias, err)
	}
	for range 2 { // the second time there is nothing left, which is no error
		if err := byName["AWS::KMS::Alias"].Delete(ctx, templates.Existing{Caller: w.Root(accountA).Caller, Account: accountA, Region: region, Resource: alias}); err != nil {
			t.Error(err)
		}
		if err := byName["AWS::KMS::Key"].Delete(ctx, templates.Existing{Caller: w.Root(accountA).Caller, Account: accountA, Region: region, Resource: key}); err != nil {
			t.Error(err)
		}
	}
}
