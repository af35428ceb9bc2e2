package kms

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what KMS clients sign with.
const SigningName = "kms"

// input holds the parameters of every operation served; a parameter outside it is refused.
type input struct {
	KeyID               string            `json:"KeyId"`
	Description         string            `json:"Description"`
	Policy              string            `json:"Policy"`
	PolicyName          string            `json:"PolicyName"`
	PendingWindowInDays int               `json:"PendingWindowInDays"`
	AliasName           string            `json:"AliasName"`
	TargetKeyID         string            `json:"TargetKeyId"`
	Plaintext           []byte            `json:"Plaintext"`
	CiphertextBlob      []byte            `json:"CiphertextBlob"`
	EncryptionContext   map[string]string `json:"EncryptionContext"`
	KeySpec             string            `json:"KeySpec"`
	NumberOfBytes       int               `json:"NumberOfBytes"`
}

// ServeHTTP speaks AWS JSON 1.1 (X-Amz-Target: TrentService.*).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	out, err := s.serve(call, operation)
	if err != nil {
		wire.WriteJSONError(w, call.RequestID, err)
		return
	}
	wire.WriteJSON(w, call.RequestID, http.StatusOK, out)
}

func (s *Service) serve(call front.Call, operation string) (any, error) {
	var in input
	dec := json.NewDecoder(bytes.NewReader(call.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return nil, wire.NotEmulated("the parameter %s of kms:%s", name, operation)
		}
		return nil, wire.Errorf(400, "ValidationException", "kms:%s: %v", operation, err)
	}
	switch operation {
	case "CreateKey":
		k, err := s.Create(call.Caller, call.Region, in.Description, []byte(in.Policy), false)
		return map[string]any{"KeyMetadata": k.metadata()}, err
	case "CreateAlias":
		arn, err := s.Resolve(call.Caller.Account, call.Region, in.TargetKeyID)
		if err != nil {
			return nil, err
		}
		return nil, s.CreateAlias(call.Caller, call.Region, in.AliasName, arn)
	case "DeleteAlias":
		return nil, s.DeleteAlias(call.Caller, call.Region, in.AliasName)
	case "ListAliases":
		return s.listAliases(call, in)
	case "Decrypt":
		return s.decrypt(call, in)
	}
	if !slices.Contains(onKey, operation) {
		return nil, wire.NotEmulated("kms:%s", operation)
	}
	if in.KeyID == "" {
		return nil, wire.Errorf(400, "ValidationException", "Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	arn, err := s.Resolve(call.Caller.Account, call.Region, in.KeyID)
	if err != nil {
		return nil, err
	}
	return s.serveKey(call, operation, arn, in)
}

// onKey are the operations on one key that the request names.
var onKey = []string{"PutKeyPolicy", "ScheduleKeyDeletion", "DescribeKey", "GetKeyPolicy", "Encrypt", "GenerateDataKey"}

// listAliases lists the aliases, of one key if the request names it. All fit on one page.
func (s *Service) listAliases(call front.Call, in input) (any, error) {
	all, err := s.Aliases(call.Caller, call.Region)
	if err != nil {
		return nil, err
	}
	only := ""
	if in.KeyID != "" {
		if only, err = s.Resolve(call.Caller.Account, call.Region, in.KeyID); err != nil {
			return nil, err
		}
	}
	list := []map[string]string{}
	for _, a := range all {
		if only == "" || only == a.KeyARN {
			list = append(list, map[string]string{"AliasName": a.Name, "AliasArn": a.ARN, "TargetKeyId": a.KeyARN[strings.LastIndexByte(a.KeyARN, '/')+1:]})
		}
	}
	return map[string]any{"Aliases": list, "Truncated": false}, nil
}

// serveKey is the operations on one key that the request names.
func (s *Service) serveKey(call front.Call, operation, arn string, in input) (any, error) {
	switch operation {
	case "PutKeyPolicy":
		return nil, s.PutPolicy(call.Caller, arn, []byte(in.Policy))
	case "ScheduleKeyDeletion":
		if in.PendingWindowInDays == 0 {
			in.PendingWindowInDays = 30
		}
		at, err := s.ScheduleDeletion(call.Caller, arn, in.PendingWindowInDays)
		return map[string]any{"KeyId": arn, "DeletionDate": float64(at.Unix()), "KeyState": "PendingDeletion"}, err
	}
	key, err := s.decide(call.Caller, "kms:"+operation, arn, contextKeys(in.EncryptionContext))
	if err != nil {
		return nil, err
	}
	switch operation {
	case "DescribeKey":
		return map[string]any{"KeyMetadata": key.metadata()}, nil
	case "GetKeyPolicy":
		doc, err := s.directory.ShowPrincipals(key.policy)
		return map[string]any{"Policy": doc.String(), "PolicyName": "default"}, err
	case "Encrypt":
		blob, err := key.seal(in.Plaintext, in.EncryptionContext)
		return map[string]any{"KeyId": arn, "CiphertextBlob": blob}, err
	}
	n := in.NumberOfBytes
	if n == 0 {
		n = map[string]int{"": 32, "AES_256": 32, "AES_128": 16}[in.KeySpec]
	}
	if n < 1 || n > 1024 {
		return nil, wire.Errorf(400, "ValidationException", "a data key has 1 to 1024 bytes")
	}
	plain := make([]byte, n)
	_, _ = rand.Read(plain)
	blob, err := key.seal(plain, in.EncryptionContext)
	return map[string]any{"KeyId": arn, "Plaintext": plain, "CiphertextBlob": blob}, err
}

// decrypt finds the key in the blob itself, as AWS does for symmetric keys.
func (s *Service) decrypt(call front.Call, in input) (any, error) {
	arn, blob, found := bytes.Cut(in.CiphertextBlob, []byte{0})
	if !found {
		return nil, invalidCiphertext()
	}
	key, err := s.decide(call.Caller, "kms:Decrypt", string(arn), contextKeys(in.EncryptionContext))
	if err != nil {
		return nil, err
	}
	plain, err := key.open(blob, in.EncryptionContext)
	return map[string]any{"KeyId": string(arn), "Plaintext": plain}, err
}

func contextKeys(context map[string]string) map[string][]string {
	out := map[string][]string{}
	for k, v := range context {
		out["kms:EncryptionContext:"+k] = []string{v}
		out["kms:EncryptionContextKeys"] = append(out["kms:EncryptionContextKeys"], k)
	}
	return out
}

func (k Key) metadata() map[string]any {
	state := "Enabled"
	if !k.Deletion.IsZero() {
		state = "PendingDeletion"
	}
	return map[string]any{
		"Arn": k.ARN, "KeyId": k.ID, "AWSAccountId": k.Account, "Description": k.Description, "KeyState": state,
		"Enabled": state == "Enabled", "KeyManager": "CUSTOMER", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT",
		"Origin": "AWS_KMS", "MultiRegion": false, "CreationDate": float64(k.Created.Unix()),
	}
}
