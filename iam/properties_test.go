package iam

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The worlds of the properties are small on purpose: few names, so that statements often meet the
// request, and every layer present or absent by chance.

func drawRequest(t *rapid.T) Request {
	principals := []Principal{
		{},
		{Service: "lambda.amazonaws.com"},
		{ARN: "arn:aws:iam::111111111111:root", Account: "111111111111"},
		{ARN: "arn:aws:iam::111111111111:user/ann", Account: "111111111111", UniqueID: "AIDAANN1"},
		{ARN: "arn:aws:sts::111111111111:assumed-role/job/s", Account: "111111111111", RoleARN: "arn:aws:iam::111111111111:role/job", UniqueID: "AROAJOB1"},
		{ARN: "arn:aws:sts::222222222222:assumed-role/cd/s", Account: "222222222222", RoleARN: "arn:aws:iam::222222222222:role/ci/cd"},
	}
	r := Request{
		Principal:       rapid.SampledFrom(principals).Draw(t, "principal"),
		Action:          rapid.SampledFrom([]string{"s3:GetObject", "sts:AssumeRole", "kms:Decrypt"}).Draw(t, "action"),
		Resource:        rapid.SampledFrom([]string{"*", "arn:aws:s3:::site/a*?${b}", "arn:aws:iam::111111111111:role/r", "arn:aws:kms:us-east-1:111111111111:key/k"}).Draw(t, "resource"),
		ResourceAccount: rapid.SampledFrom([]string{"111111111111", "222222222222"}).Draw(t, "owner"),
		Context:         map[string][]string{},
	}
	for _, key := range []string{"sts:ExternalId", "aws:SourceArn", "aws:SourceAccount", "aws:TagKeys"} {
		if n := rapid.IntRange(-1, 2).Draw(t, key); n >= 0 {
			r.Context[key] = rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "a*", "arn:aws:s3:::site"}), n, n).Draw(t, key+" values")
		}
	}
	return r
}

func drawPolicies(t *rapid.T, effects ...Effect) Policies {
	p := Policies{
		Kind:     rapid.SampledFrom([]ResourceKind{ResourceNone, ResourcePolicy, ResourceTrust, ResourceKey}).Draw(t, "kind"),
		Identity: drawList(t, LayerIdentity, effects),
		Session:  drawList(t, LayerSession, effects),
	}
	if rapid.Bool().Draw(t, "has resource policy") {
		p.Resource = drawPolicy(t, LayerResource, effects)
	}
	if rapid.Bool().Draw(t, "has boundary") {
		p.Boundary = drawPolicy(t, LayerBoundary, effects)
	}
	for range rapid.IntRange(0, 2).Draw(t, "levels of SCPs") {
		p.SCPs = append(p.SCPs, drawList(t, LayerSCP, effects))
	}
	for range rapid.IntRange(0, 2).Draw(t, "levels of RCPs") {
		p.RCPs = append(p.RCPs, drawList(t, LayerRCP, effects))
	}
	return p
}

func drawList(t *rapid.T, layer Layer, effects []Effect) []Policy {
	var list []Policy
	for range rapid.IntRange(0, 2).Draw(t, string(layer)+" policies") {
		list = append(list, *drawPolicy(t, layer, effects))
	}
	return list
}

func drawPolicy(t *rapid.T, layer Layer, effects []Effect) *Policy {
	p := Policy{Name: string(layer), Document: Document{Version: Version2012}}
	for range rapid.IntRange(1, 3).Draw(t, "statements") {
		p.Document.Statements = append(p.Document.Statements, drawStatement(t, layer, effects))
	}
	return &p
}

func drawStatement(t *rapid.T, layer Layer, effects []Effect) Statement {
	s := Statement{
		Effect:   rapid.SampledFrom(effects).Draw(t, "effect"),
		Action:   []string{rapid.SampledFrom([]string{"*", "*", "s3:*", "s3:GetObject", "sts:AssumeRole", "kms:*"}).Draw(t, "action")},
		Resource: []string{rapid.SampledFrom([]string{"*", "*", "arn:aws:s3:::site/*", "arn:aws:s3:::${sts:ExternalId}/*", "arn:aws:*"}).Draw(t, "resource")},
	}
	switch layer {
	case LayerRCP:
		s.Principal = &Principals{Everyone: true}
	case LayerResource:
		s.Principal = &Principals{
			AWS: rapid.SliceOfN(rapid.SampledFrom([]string{
				"*", "111111111111", "arn:aws:iam::222222222222:root", "arn:aws:iam::111111111111:user/ann", "AROAJOB1", "AIDAGONE1",
				"arn:aws:iam::222222222222:role/ci/cd", "arn:aws:sts::111111111111:assumed-role/job/s",
			}), 1, 2).Draw(t, "principals"),
			Service: []string{"lambda.amazonaws.com"},
		}
		if s.Effect == Deny && rapid.Bool().Draw(t, "negated principal") {
			s.Principal, s.NotPrincipal = nil, s.Principal
		}
	}
	if rapid.Bool().Draw(t, "conditional") {
		operator := rapid.SampledFrom([]string{"StringEquals", "StringNotLike", "ForAllValues:StringLike", "ForAnyValue:StringEqualsIfExists", "ArnEquals"}).Draw(t, "operator")
		key := rapid.SampledFrom([]string{"sts:ExternalId", "aws:TagKeys", "aws:PrincipalArn", "aws:SourceArn"}).Draw(t, "key")
		value := rapid.SampledFrom([]string{"a", "*", "${aws:username}", "arn:aws:iam::*:role/*"}).Draw(t, "value")
		s.Condition = Conditions{operator: {key: {value}}}
	}
	return s
}

// documents lists every policy of the layers that are there, so that a test can change one.
func documents(p *Policies) []*Policy {
	var all []*Policy
	for _, list := range slices.Concat([][]Policy{p.Identity, p.Session}, p.SCPs, p.RCPs) {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	for _, one := range []*Policy{p.Resource, p.Boundary} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

func TestAnExplicitDenyAnywhereAlwaysDenies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, p := drawRequest(t), drawPolicies(t, Allow, Allow, Deny)
		all := documents(&p)
		if len(all) == 0 {
			t.Skip("no policy to put a Deny into")
		}
		into := all[rapid.IntRange(0, len(all)-1).Draw(t, "into")]
		deny := Statement{Effect: Deny, Action: []string{"*"}, Resource: []string{"*"}}
		if into.Name == string(LayerResource) || into.Name == string(LayerRCP) {
			deny.Principal = &Principals{Everyone: true}
		}
		at := rapid.IntRange(0, len(into.Document.Statements)).Draw(t, "at")
		into.Document.Statements = slices.Insert(into.Document.Statements, at, deny)
		d := Decide(r, p)
		if d.Allowed || !d.Explicit || d.Policy == "" || d.Statement == "" || d.Remedy != nil {
			t.Fatalf("a Deny in %s did not deny: %+v", into.Name, d)
		}
	})
}

func TestAnotherAllowNeverDenies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, p := drawRequest(t), drawPolicies(t, Allow, Allow, Allow, Deny)
		before := Decide(r, p)
		for _, into := range documents(&p) {
			more := drawStatement(t, Layer(into.Name), []Effect{Allow})
			into.Document.Statements = append(slices.Clone(into.Document.Statements), more)
		}
		if p.Resource == nil {
			p.Resource = drawPolicy(t, LayerResource, []Effect{Allow})
		}
		if after := Decide(r, p); before.Allowed && !after.Allowed {
			t.Fatalf("allowed: %s\nthen denied: %s", before.Reason, after.Reason)
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, p := drawRequest(t), drawPolicies(t, Allow, Allow, Deny)
		before := Decide(r, p)
		for _, one := range documents(&p) {
			one.Document.Statements = rapid.Permutation(one.Document.Statements).Draw(t, "statements")
		}
		p.Identity = rapid.Permutation(p.Identity).Draw(t, "identity")
		p.Session = rapid.Permutation(p.Session).Draw(t, "session")
		p.SCPs = rapid.Permutation(p.SCPs).Draw(t, "levels")
		after := Decide(r, p)
		if before.Allowed != after.Allowed || before.Explicit != after.Explicit || before.Layer != after.Layer {
			t.Fatalf("%s\nafter reordering: %s", before.Reason, after.Reason)
		}
	})
}

func TestTheRemedyIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, p := drawRequest(t), drawPolicies(t, Allow)
		d := Decide(r, p)
		if d.Reason == "" {
			t.Fatal("a decision without a reason")
		}
		if d.Remedy == nil {
			return
		}
		if d.Allowed || d.Explicit {
			t.Fatalf("a decision with a needless remedy: %+v", d)
		}
		for _, m := range append([]Remedy{*d.Remedy}, d.Remedy.Also...) {
			if m.Account == "" || m.To == "" || m.Layer == "" {
				t.Fatalf("an incomplete remedy: %+v", m)
			}
			if err := (Document{Version: Version2012, Statements: []Statement{m.Statement}}).Validate(m.Layer); err != nil {
				t.Fatalf("AWS would not store the remedy: %v", err)
			}
		}
		if again := Decide(r, withRemedy(p, *d.Remedy)); !again.Allowed {
			t.Fatalf("denied: %s\nremedy: %+v\nstill denied: %s", d.Reason, d.Remedy, again.Reason)
		}
	})
}

func TestTheZeroValuesRefuse(t *testing.T) {
	if (Decision{}).Allowed {
		t.Error("the zero Decision allows")
	}
	if d := Decide(Request{}, Policies{}); d.Allowed || d.Reason == "" {
		t.Errorf("the zero Request is allowed: %+v", d)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		d := Decide(r, Policies{Kind: rapid.SampledFrom([]ResourceKind{ResourceNone, ResourcePolicy, ResourceTrust, ResourceKey}).Draw(t, "kind")})
		ownRoot := r.Principal.ARN == "arn:aws:iam::111111111111:root" && r.ResourceAccount == "111111111111"
		if d.Allowed && !ownRoot {
			t.Fatalf("nothing allows, and yet: %s", d.Reason)
		}
	})
}
