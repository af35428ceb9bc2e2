package iam

import (
	"strconv"
	"strings"
)

// requestContext holds a request's condition keys by their names in lower case: AWS compares the
// names of keys without regard to case (reference_policies_elements_condition).
type requestContext map[string][]string

// contextOf is what the caller gave, and what follows from the principal and the resource's account
// where the caller gave nothing (reference_policies_condition-keys, "Properties of the principal").
func contextOf(r Request) requestContext {
	c := requestContext{}
	for key, value := range derivedKeys(r) {
		if value != "" {
			c[strings.ToLower(key)] = []string{value}
		}
	}
	for key, values := range r.Context {
		c[strings.ToLower(key)] = values
	}
	return c
}

func derivedKeys(r Request) map[string]string {
	p := r.Principal
	keys := map[string]string{
		"aws:PrincipalType":         p.typeName(),
		"aws:PrincipalIsAWSService": strconv.FormatBool(p.Service != ""),
		"aws:ResourceAccount":       r.ResourceAccount,
	}
	if p.Service != "" {
		keys["aws:PrincipalServiceName"] = p.Service
		return keys
	}
	keys["aws:PrincipalArn"] = p.entity()
	keys["aws:PrincipalAccount"] = p.Account
	switch {
	case p.root():
		keys["aws:userid"] = p.Account
	case p.user():
		keys["aws:username"] = p.ARN[strings.LastIndexByte(p.ARN, '/')+1:]
		keys["aws:userid"] = p.UniqueID
	case p.RoleARN != "" && p.UniqueID != "":
		keys["aws:userid"] = p.UniqueID + ":" + p.ARN[strings.LastIndexByte(p.ARN, '/')+1:]
	}
	return keys
}

// single gives the value of a key that has exactly one. A policy variable of a key with several
// has no value (reference_policies_variables).
func (c requestContext) single(key string) (string, bool) {
	values := c[strings.ToLower(key)]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
