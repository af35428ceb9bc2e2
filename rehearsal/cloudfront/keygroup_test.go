package cloudfront_test

import (
	"crypto/elliptic"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/templates"
)

// trusting is a default cache behavior with trusted key groups.
func trusting(groups ...any) map[string]any {
	return map[string]any{
		"TargetOriginId": "site", "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": cloudfront.CachingOptimized, "TrustedKeyGroups": groups,
	}
}

func TestRefusedTrust(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	k := w.key("k").Ref
	var five []any
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		five = append(five, w.keyGroup(name, k).Ref)
	}
	stranger, _ := w.directory.Root(pipelineAccount)
	theirKey, err := w.service.CreatePublicKey(t.Context(), stranger.Caller, cloudfront.PublicKey{
		Name: "k", CallerReference: "k", EncodedKey: encode(t, ellipticKey(t, elliptic.P256()).Public()),
	})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := w.service.CreateKeyGroup(t.Context(), stranger.Caller, cloudfront.KeyGroup{Name: "a"}, []string{theirKey.ID})
	if err != nil {
		t.Fatalf("a name that another account has: %v", err)
	}
	below := trusting(five[4])
	below["PathPattern"] = "/members/*"
	signers := trusting()
	signers["TrustedSigners"] = []any{"self"}
	for _, tt := range []struct {
		what       string
		properties map[string]any
		want       string
	}{
		{"four", map[string]any{"DefaultCacheBehavior": trusting(five[:4]...)}, ""},
		{"the same in two behaviors", map[string]any{"DefaultCacheBehavior": trusting(five[1:]...), "CacheBehaviors": []any{below}}, ""},
		{"none", map[string]any{"DefaultCacheBehavior": trusting()}, ""},
		{"five", map[string]any{"DefaultCacheBehavior": trusting(five[:4]...), "CacheBehaviors": []any{below}}, "TooManyKeyGroupsAssociatedToDistribution"},
		{"no such group", map[string]any{"DefaultCacheBehavior": trusting("b74d3a61-0000-4000-8000-000000000000")}, "TrustedKeyGroupDoesNotExist"},
		{"another account's", map[string]any{"DefaultCacheBehavior": trusting(foreign.ID)}, "TrustedKeyGroupDoesNotExist"},
		{"a key's ID", map[string]any{"DefaultCacheBehavior": trusting(k)}, "TrustedKeyGroupDoesNotExist"},
		{"twice", map[string]any{"DefaultCacheBehavior": trusting(five[0], five[0])}, "InvalidArgument"},
		{"signers", map[string]any{"DefaultCacheBehavior": signers}, `NotEmulated: the rehearsal does not emulate the property "TrustedSigners"`},
	} {
		_, err := w.make("AWS::CloudFront::Distribution", w.siteProperties(tt.properties))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
	}
}

func TestTrustShown(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	a, b := w.key("a").Ref, w.key("b").Ref
	one, two := w.keyGroup("one", a, b).Ref, w.keyGroup("two", b).Ref
	below := trusting(two, one)
	below["PathPattern"] = "/members/*"
	d := w.site(map[string]any{"DefaultCacheBehavior": trusting(one), "CacheBehaviors": []any{below}})
	c := w.client(deliveryAccount)
	out, err := c.GetDistribution(t.Context(), &sdk.GetDistributionInput{Id: &d.Ref})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := c.GetDistributionConfig(t.Context(), &sdk.GetDistributionConfigInput{Id: &d.Ref})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ListDistributions(t.Context(), &sdk.ListDistributionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	on := func(ids ...string) *types.TrustedKeyGroups {
		return &types.TrustedKeyGroups{Enabled: aws.Bool(true), Quantity: aws.Int32(int32(len(ids))), Items: ids}
	}
	equal := cmp.AllowUnexported(types.TrustedKeyGroups{}, types.ActiveTrustedKeyGroups{}, types.KGKeyPairIds{}, types.KeyPairIds{})
	summary := list.DistributionList.Items[0]
	for _, got := range []*types.TrustedKeyGroups{
		out.Distribution.DistributionConfig.DefaultCacheBehavior.TrustedKeyGroups, conf.DistributionConfig.DefaultCacheBehavior.TrustedKeyGroups,
		summary.DefaultCacheBehavior.TrustedKeyGroups,
	} {
		if diff := cmp.Diff(on(one), got, equal); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(on(two, one), conf.DistributionConfig.CacheBehaviors.Items[0].TrustedKeyGroups, equal); diff != "" {
		t.Error(diff)
	}
	active := &types.ActiveTrustedKeyGroups{Enabled: aws.Bool(true), Quantity: aws.Int32(2), Items: []types.KGKeyPairIds{
		{KeyGroupId: &one, KeyPairIds: &types.KeyPairIds{Quantity: aws.Int32(2), Items: []string{a, b}}},
		{KeyGroupId: &two, KeyPairIds: &types.KeyPairIds{Quantity: aws.Int32(1), Items: []string{b}}},
	}}
	if diff := cmp.Diff(active, out.Distribution.ActiveTrustedKeyGroups, equal); diff != "" {
		t.Error(diff)
	}
	open := w.site(nil)
	out, err = c.GetDistribution(t.Context(), &sdk.GetDistributionInput{Id: &open.Ref})
	if err != nil {
		t.Fatal(err)
	}
	off := out.Distribution.DistributionConfig.DefaultCacheBehavior.TrustedKeyGroups
	if aws.ToBool(off.Enabled) || aws.ToInt32(off.Quantity) != 0 || aws.ToBool(out.Distribution.ActiveTrustedKeyGroups.Enabled) {
		t.Errorf("%+v", off)
	}
}

func TestKeysInUse(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	k := w.key("k")
	g := w.keyGroup("g", k.Ref)
	d := w.site(map[string]any{"DefaultCacheBehavior": trusting(g.Ref)})
	root, _ := w.directory.Root(deliveryAccount)
	remove := func(kind string, r templates.Resource, want string) {
		t.Helper()
		err := w.resourceType("AWS::CloudFront::"+kind).Delete(t.Context(), templates.Existing{Caller: root.Caller, Resource: r})
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %q", kind, err, want)
		}
	}
	remove("PublicKey", k, "PublicKeyInUse: The specified public key is in use.")
	remove("KeyGroup", g, "ResourceInUse: Cannot delete this resource because it is in use.")
	_, err := w.resourceType("AWS::CloudFront::Distribution").Update(t.Context(), templates.Request{
		Caller: root.Caller, Account: deliveryAccount, Properties: w.siteProperties(nil),
	}, templates.Existing{Caller: root.Caller, Account: deliveryAccount, Resource: d})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing, which is no error
		remove("KeyGroup", g, "")
		remove("PublicKey", k, "")
	}
}

func TestKeysUpdated(t *testing.T) {
	w := newWorld(t, cloudfront.Options{})
	old, fresh := w.key("old"), w.key("fresh")
	g := w.keyGroup("g", old.Ref)
	below := trusting(g.Ref)
	below["PathPattern"] = "/members/*"
	made := w.site(map[string]any{"CacheBehaviors": []any{below}})
	before, _ := w.service.ByHost(made.Attributes["DomainName"])
	root, _ := w.directory.Root(deliveryAccount)
	update := func(kind string, r templates.Resource, properties map[string]any) error {
		got, err := w.resourceType("AWS::CloudFront::"+kind).Update(t.Context(),
			templates.Request{Caller: root.Caller, Account: deliveryAccount, Properties: properties},
			templates.Existing{Caller: root.Caller, Account: deliveryAccount, Resource: r})
		if err == nil && got.Ref != r.Ref {
			t.Errorf("%s is now %s", r.Ref, got.Ref)
		}
		return err
	}
	if err := update("KeyGroup", g, groupConfig("g", fresh.Ref)); err != nil {
		t.Fatal(err)
	}
	after, _ := w.service.ByHost(made.Attributes["DomainName"])
	for _, tt := range []struct {
		d         *cloudfront.Distribution
		key       string
		path      string
		wantFound bool
	}{
		{before, old.Ref, "/members/x", true},
		{before, fresh.Ref, "/members/x", false},
		{after, old.Ref, "/members/x", false},
		{after, fresh.Ref, "/members/x", true},
		{after, fresh.Ref, "/x", false},
	} {
		if _, ok := tt.d.Config.BehaviorFor(tt.path).TrustedKey(tt.key); ok != tt.wantFound {
			t.Errorf("%s at %s: %v", tt.key, tt.path, ok)
		}
	}
	if err := update("KeyGroup", g, groupConfig("g")); err == nil || !strings.HasPrefix(err.Error(), "InvalidArgument") {
		t.Errorf("a group without keys: %v", err)
	}
	got, err := w.service.GetPublicKey(t.Context(), root.Caller, fresh.Ref)
	if err != nil {
		t.Fatal(err)
	}
	c := keyConfig("fresh", got.EncodedKey)
	c["PublicKeyConfig"].(map[string]any)["Comment"] = "new"
	if err := update("PublicKey", fresh, c); err != nil {
		t.Error(err)
	}
	if now, _ := w.service.GetPublicKey(t.Context(), root.Caller, fresh.Ref); now.Comment != "new" || now.ETag == got.ETag || got.Comment != "of fresh" {
		t.Errorf("%+v, before %+v", now, got)
	}
	for name, value := range map[string]string{"Name": "x", "CallerReference": "x", "EncodedKey": encode(t, ellipticKey(t, elliptic.P256()).Public())} {
		c := keyConfig("fresh", got.EncodedKey)
		c["PublicKeyConfig"].(map[string]any)[name] = value
		if err := update("PublicKey", fresh, c); err == nil || !strings.HasPrefix(err.Error(), "CannotChangeImmutablePublicKeyFields") {
			t.Errorf("another %s: %v", name, err)
		}
	}
}
