package iam

import (
	"fmt"
	"strings"
)

// remedy writes, for each silent layer, the least statement that would have allowed.
func (e *evaluation) remedy(silent []findings) *Remedy {
	var all []Remedy
	seen := map[Layer]bool{}
	for _, f := range silent {
		// Control policies have several levels; one remedy speaks of all of them.
		if !seen[f.layer] {
			seen[f.layer] = true
			all = append(all, e.remedyFor(f.layer))
		}
	}
	first := all[0]
	if len(all) > 1 {
		first.Also = all[1:]
	}
	return &first
}

func (e *evaluation) remedyFor(layer Layer) Remedy {
	r := e.request
	m := Remedy{Account: r.Principal.Account, Layer: layer, To: r.Principal.entity()}
	s := Statement{Effect: Allow, Action: []string{r.Action}, Resource: []string{e.exactResource()}}
	switch layer {
	case LayerSession:
		m.To = r.Principal.ARN
	case LayerSCP:
		// Service control policies grant nothing, they only let through; until September 2025 their
		// Allow could say nothing but "*" here, so that is what works everywhere.
		m.To, s.Resource = "every level of account "+m.Account+"'s organization", []string{"*"}
	case LayerRCP:
		// Customers cannot write an Allow; what is missing is AWS's own RCPFullAWSAccess.
		m.Account, m.To = r.ResourceAccount, "every level of account "+r.ResourceAccount+"'s organization"
		s = Statement{Effect: Allow, Principal: &Principals{Everyone: true}, Action: []string{"*"}, Resource: []string{"*"}}
	case LayerResource, LayerTrust, LayerKey:
		m.Account, m.To = r.ResourceAccount, policyHolder(r.Resource)
		e.nameCaller(&s, layer)
		switch layer {
		case LayerTrust:
			s.Resource = nil
		case LayerKey:
			s.Resource = []string{"*"} // in a key policy: this key
		}
	}
	m.Statement = s
	return m
}

// exactResource is the resource written so that nothing in it is read as a wildcard or variable.
func (e *evaluation) exactResource() string {
	if e.request.Resource == "*" {
		return "*"
	}
	return escapeLiteral(e.request.Resource)
}

// nameCaller gives a resource's statement its Principal. Trust and key policies are refused by AWS
// when they name a principal that does not exist, and break when a named role is recreated; so they
// name the account, and the role by a condition. Lambda's permissions cannot carry that condition,
// and S3's need not: there the role itself is named.
func (e *evaluation) nameCaller(s *Statement, layer Layer) {
	p := e.request.Principal
	switch {
	case p.Service != "":
		s.Principal = &Principals{Service: []string{p.Service}}
		e.require(s, "ArnEquals", "aws:SourceArn")
		e.require(s, "StringEquals", "aws:SourceAccount")
	case p.anonymous():
		s.Principal = &Principals{Everyone: true}
	case p.root() || layer == LayerResource:
		s.Principal = &Principals{AWS: []string{p.entity()}}
	default:
		s.Principal = &Principals{AWS: []string{accountRoot(p)}}
		e.require(s, "ArnEquals", "aws:PrincipalArn")
	}
	if layer == LayerTrust {
		e.require(s, "StringEquals", "sts:ExternalId")
	}
}

// require adds the condition that a key be what it is in this request, if it is there.
func (e *evaluation) require(s *Statement, operator, key string) {
	value, ok := e.context.single(key)
	if !ok || value == "" || operator == "ArnEquals" && strings.Count(value, ":") < 5 {
		return
	}
	if s.Condition == nil {
		s.Condition = Conditions{}
	}
	if s.Condition[operator] == nil {
		s.Condition[operator] = map[string][]string{}
	}
	s.Condition[operator][key] = []string{escapeLiteral(value)}
}

func accountRoot(p Principal) string {
	partition := "aws"
	if a, err := ParseARN(p.ARN); err == nil {
		partition = a.Partition
	}
	return fmt.Sprintf("arn:%s:iam::%s:root", partition, p.Account)
}

// policyHolder is the resource that carries the policy: of an S3 object, its bucket.
func policyHolder(resource string) string {
	a, err := ParseARN(resource)
	if err != nil || a.Service != "s3" {
		return resource
	}
	bucket, _, _ := strings.Cut(a.Resource, "/")
	a.Resource = bucket
	return a.String()
}
