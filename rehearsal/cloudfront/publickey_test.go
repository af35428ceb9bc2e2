package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	entropy "crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/templates"
)

func encode(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func ellipticKey(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, entropy.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(entropy.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keyConfig(name, encoded string) map[string]any {
	return map[string]any{"PublicKeyConfig": map[string]any{
		"Name": name, "CallerReference": "ref-" + name, "EncodedKey": encoded, "Comment": "of " + name,
	}}
}

func groupConfig(name string, keys ...any) map[string]any {
	return map[string]any{"KeyGroupConfig": map[string]any{"Name": name, "Comment": "of " + name, "Items": keys}}
}

// key makes a public key, keyGroup a group of keys.
func (w *world) key(name string) templates.Resource {
	w.t.Helper()
	k, err := w.make("AWS::CloudFront::PublicKey", keyConfig(name, encode(w.t, ellipticKey(w.t, elliptic.P256()).Public())))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func (w *world) keyGroup(name string, keys ...any) templates.Resource {
	w.t.Helper()
	g, err := w.make("AWS::CloudFront::KeyGroup", groupConfig(name, keys...))
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

func TestKeysAccepted(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	good := encode(t, rsaKey(t, 2048).Public())
	other := ellipticKey(t, elliptic.P384())
	edwards, _, err := ed25519.GenerateKey(entropy.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	const refused = "InvalidArgument: Your request contains empty/invalid/out of limits RSA Encoded Key"
	for _, tt := range []struct{ what, key, want string }{
		{"RSA 2048", good, ""},
		{"RSA 2048 with space around", "\n" + good + "\n\n", ""},
		{"ECDSA P-256", encode(t, ellipticKey(t, elliptic.P256()).Public()), ""},
		{"RSA 1024", encode(t, rsaKey(t, 1024).Public()), refused},
		{"RSA 3072", encode(t, rsaKey(t, 3072).Public()), refused},
		{"ECDSA P-384", encode(t, other.Public()), refused},
		{"Ed25519", encode(t, edwards), refused},
		{"a private key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), refused},
		{"PKCS #1", strings.ReplaceAll(good, "PUBLIC", "RSA PUBLIC"), refused},
		{"one line", strings.ReplaceAll(good, "\n", " "), refused},
		{"cut off", good[:len(good)/2], refused},
		{"two keys", good + good, refused},
		{"text before", "key:\n" + good, refused},
		{"not DER", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})), refused},
		{"nothing", "", refused},
	} {
		made, err := w.make("AWS::CloudFront::PublicKey", keyConfig(tt.what, tt.key))
		if tt.want == "" && (err != nil || made.Ref != made.Attributes["Id"] || len(made.Ref) != 14 || made.Attributes["CreatedTime"] == "") {
			t.Errorf("%s: %+v, %v", tt.what, made, err)
		}
		if tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("%s: %v, want %s", tt.what, err, tt.want)
		}
	}
}

func TestVerify(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	root, _ := w.directory.Root(deliveryAccount)
	text := []byte("policy")
	sha1Sum, sha256Sum := sha1.Sum(text), sha256.Sum256(text)
	for name, private := range map[string]crypto.Signer{"rsa": rsaKey(t, 2048), "ecdsa": ellipticKey(t, elliptic.P256())} {
		k, err := w.service.CreatePublicKey(t.Context(), root.Caller, cloudfront.PublicKey{
			Name: name, CallerReference: name, EncodedKey: encode(t, private.Public()),
		})
		if err != nil {
			t.Fatal(err)
		}
		for hash, sum := range map[crypto.Hash][]byte{crypto.SHA1: sha1Sum[:], crypto.SHA256: sha256Sum[:]} {
			signature, err := private.Sign(entropy.Reader, sum, hash)
			if err != nil {
				t.Fatal(err)
			}
			if !k.Verify(hash, text, signature) || k.Verify(hash, []byte("policy2"), signature) || k.Verify(hash, text, signature[1:]) ||
				k.Verify(crypto.SHA1+crypto.SHA256-hash, text, signature) {
				t.Errorf("%s with %v", name, hash)
			}
		}
	}
}

func TestRefusedKeysAndGroups(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	taken := w.key("taken")
	w.keyGroup("taken", taken.Ref)
	var six []any
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		six = append(six, w.key(name).Ref)
	}
	stranger, _ := w.directory.Root(pipelineAccount)
	foreign, err := w.service.CreatePublicKey(t.Context(), stranger.Caller, cloudfront.PublicKey{
		Name: "taken", CallerReference: "x", EncodedKey: encode(t, ellipticKey(t, elliptic.P256()).Public()),
	})
	if err != nil {
		t.Fatalf("a name that another account has: %v", err)
	}
	pem, long := encode(t, ellipticKey(t, elliptic.P256()).Public()), strings.Repeat("x", 129)
	key := func(name, value string) map[string]any {
		c := keyConfig("new", pem)
		c["PublicKeyConfig"].(map[string]any)[name] = value
		return c
	}
	commented := groupConfig("new", taken.Ref)
	commented["KeyGroupConfig"].(map[string]any)["Comment"] = long
	for _, tt := range []struct {
		what, kind string
		properties map[string]any
		want       string
	}{
		{"no name", "PublicKey", key("Name", ""), "InvalidArgument"},
		{"no reference", "PublicKey", key("CallerReference", ""), "InvalidArgument"},
		{"comment", "PublicKey", key("Comment", long), "InvalidArgument"},
		{"name taken", "PublicKey", key("Name", "taken"), "PublicKeyAlreadyExists"},
		{"reference taken", "PublicKey", key("CallerReference", "ref-taken"), "PublicKeyAlreadyExists"},
		{"unknown property", "PublicKey", key("Id", "K"), `NotEmulated: the rehearsal does not emulate the property "Id"`},
		{"no name", "KeyGroup", groupConfig("", taken.Ref), "InvalidArgument"},
		{"comment", "KeyGroup", commented, "InvalidArgument"},
		{"name taken", "KeyGroup", groupConfig("taken", taken.Ref), "KeyGroupAlreadyExists"},
		{"no keys", "KeyGroup", groupConfig("new"), "InvalidArgument"},
		{"a key that is not there", "KeyGroup", groupConfig("new", "K0"), "InvalidArgument"},
		{"another account's key", "KeyGroup", groupConfig("new", foreign.ID), "InvalidArgument"},
		{"a key twice", "KeyGroup", groupConfig("new", taken.Ref, taken.Ref), "InvalidArgument"},
		{"six keys", "KeyGroup", groupConfig("new", six...), "TooManyPublicKeysInKeyGroup"},
		{"unknown property", "KeyGroup", map[string]any{"Tags": []any{}}, `NotEmulated: the rehearsal does not emulate the property "Tags"`},
		{"five keys", "KeyGroup", groupConfig("new", six[:5]...), ""},
	} {
		_, err := w.make("AWS::CloudFront::"+tt.kind, tt.properties)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s, %s: %v, want %q", tt.kind, tt.what, err, tt.want)
		}
	}
}

func TestKeysRoundTrip(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	private := ellipticKey(t, elliptic.P256())
	one, err := w.make("AWS::CloudFront::PublicKey", keyConfig("one", encode(t, private.Public())))
	if err != nil {
		t.Fatal(err)
	}
	two := w.key("two")
	g := w.keyGroup("readers", two.Ref, one.Ref)
	c := w.client(deliveryAccount)
	key, err := c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{Id: &one.Ref})
	if err != nil {
		t.Fatal(err)
	}
	keyConf, err := c.GetPublicKeyConfig(t.Context(), &sdk.GetPublicKeyConfigInput{Id: &one.Ref})
	if err != nil {
		t.Fatal(err)
	}
	wantKey := &types.PublicKeyConfig{
		Name: aws.String("one"), CallerReference: aws.String("ref-one"), Comment: aws.String("of one"), EncodedKey: aws.String(encode(t, private.Public())),
	}
	for _, got := range []*types.PublicKeyConfig{key.PublicKey.PublicKeyConfig, keyConf.PublicKeyConfig} {
		if diff := cmp.Diff(wantKey, got, cmp.AllowUnexported(types.PublicKeyConfig{})); diff != "" {
			t.Error(diff)
		}
	}
	if aws.ToString(key.PublicKey.Id) != one.Ref || key.PublicKey.CreatedTime == nil || aws.ToString(key.ETag) == "" || aws.ToString(key.ETag) != aws.ToString(keyConf.ETag) {
		t.Errorf("%+v", key)
	}
	group, err := c.GetKeyGroup(t.Context(), &sdk.GetKeyGroupInput{Id: &g.Ref})
	if err != nil {
		t.Fatal(err)
	}
	groupConf, err := c.GetKeyGroupConfig(t.Context(), &sdk.GetKeyGroupConfigInput{Id: &g.Ref})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []*types.KeyGroupConfig{group.KeyGroup.KeyGroupConfig, groupConf.KeyGroupConfig} {
		if aws.ToString(got.Name) != "readers" || aws.ToString(got.Comment) != "of readers" || !cmp.Equal(got.Items, []string{two.Ref, one.Ref}) {
			t.Errorf("%+v", got)
		}
	}
	if aws.ToString(group.KeyGroup.Id) != g.Ref || group.KeyGroup.LastModifiedTime == nil || aws.ToString(group.ETag) == "" {
		t.Errorf("%+v", group)
	}
	keys, err := c.ListPublicKeys(t.Context(), &sdk.ListPublicKeysInput{})
	if err != nil || aws.ToInt32(keys.PublicKeyList.Quantity) != 2 || aws.ToString(keys.PublicKeyList.Items[1].Id) != two.Ref {
		t.Errorf("%+v, %v", keys, err)
	}
	groups, err := c.ListKeyGroups(t.Context(), &sdk.ListKeyGroupsInput{})
	if err != nil || aws.ToInt32(groups.KeyGroupList.Quantity) != 1 || aws.ToString(groups.KeyGroupList.Items[0].KeyGroup.Id) != g.Ref {
		t.Errorf("%+v, %v", groups, err)
	}
}

func TestKeysOfOthers(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	k := w.key("k")
	g := w.keyGroup("g", k.Ref)
	stranger := w.client(pipelineAccount)
	reader := w.user(deliveryAccount, "reader", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cloudfront:GetKeyGroup","Resource":"*"},
		{"Effect":"Allow","Action":"cloudfront:GetPublicKey","Resource":"arn:aws:cloudfront::222222222222:public-key/*"}]}`)
	for _, tt := range []struct {
		what       string
		c          *sdk.Client
		key, group string // error codes
	}{
		{"another account", stranger, "NoSuchPublicKey", "NoSuchResource"},
		// Public keys have no ARN that a policy could name.
		{"a user", reader, "AccessDenied", ""},
	} {
		_, err := tt.c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{Id: &k.Ref})
		if got, _ := code(err); got != tt.key {
			t.Errorf("%s, the key: %v", tt.what, err)
		}
		_, err = tt.c.GetKeyGroup(t.Context(), &sdk.GetKeyGroupInput{Id: &g.Ref})
		if got, _ := code(err); got != tt.group {
			t.Errorf("%s, the group: %v", tt.what, err)
		}
	}
	list, err := stranger.ListKeyGroups(t.Context(), &sdk.ListKeyGroupsInput{})
	if err != nil || aws.ToInt32(list.KeyGroupList.Quantity) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
