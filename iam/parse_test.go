package iam

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseAcceptsWhatAWSAccepts(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"strings and one statement": {
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}`,
		},
		"lists of one become strings": {
			`{"Statement":[{"Resource":["*"],"Action":["s3:Get*"],"Effect":"Deny","Sid":"A"}],"Id":"x","Version":"2008-10-17"}`,
			`{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"A","Effect":"Deny","Action":"s3:Get*","Resource":"*"}]}`,
		},
		"no version": {
			`{"Statement":[{"Effect":"Allow","NotAction":["a:b","c:d"],"NotResource":["arn:aws:s3:::x","arn:aws:s3:::y"]}]}`,
			`{"Statement":[{"Effect":"Allow","NotAction":["a:b","c:d"],"NotResource":["arn:aws:s3:::x","arn:aws:s3:::y"]}]}`,
		},
		"every kind of principal": {
			`{"Statement":[{"Effect":"Allow","Action":"*","Principal":{"Service":["a.amazonaws.com"],"AWS":["111111111111","*","AROA1234"],"CanonicalUser":"ab","Federated":"accounts.google.com"}}]}`,
			`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["111111111111","*","AROA1234"],"Service":"a.amazonaws.com","Federated":"accounts.google.com","CanonicalUser":"ab"},"Action":"*"}]}`,
		},
		"everyone, and a trust policy without resource": {
			`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}]}`,
			`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}`,
		},
		"principals of all forms": {
			`{"Statement":[{"Effect":"Deny","Action":"*","NotPrincipal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws-cn:iam::111111111111:role/p/r","arn:aws:iam::111111111111:user/u","arn:aws:sts::111111111111:assumed-role/r/s","arn:aws:sts::111111111111:federated-user/f","arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"]}}]}`,
			`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws-cn:iam::111111111111:role/p/r","arn:aws:iam::111111111111:user/u","arn:aws:sts::111111111111:assumed-role/r/s","arn:aws:sts::111111111111:federated-user/f","arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"]},"Action":"*"}]}`,
		},
		"condition values of all types, sorted": {
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"b":["x","y"],"a":1.5},"Bool":{"aws:SecureTransport":true}}}]}`,
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"a":"1.5","b":["x","y"]}}}]}`,
		},
		"an empty condition says nothing": {
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}]}`,
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
		},
		"what HTML would escape": {
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/<a>&b"}]}`,
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/<a>&b"}]}`,
		},
		"an unclosed variable is text in the older version": {
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${x"}]}`,
			`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${x"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// statement wraps the elements given into a document.
func statement(elements string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{` + elements + `}]}`
}

func TestParseRefuses(t *testing.T) {
	ok := `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`
	refuses(t, map[string]string{
		``:                               `parse policy document: it is not JSON: unexpected EOF; give one JSON object`,
		`{`:                              `it is not JSON: unexpected EOF`,
		`{"Version":"2012-10-17",}`:      `it is not JSON`,
		"{\"Version\":\"\xff\"}":         `it is not UTF-8 text`,
		`[]`:                             `it is a list; give an object with Version and Statement`,
		`"x"`:                            `it is a string`,
		`1`:                              `it is a number`,
		`true`:                           `it is a boolean`,
		`null`:                           `it is null`,
		`{"Statement":[]}`:               `Statement: it is missing, empty or not a list of objects`,
		`{"Version":"2012-10-17"}`:       `Statement: it is missing`,
		`{"Statement":"x"}`:              `Statement: it is missing`,
		`{"Statement":["x"]}`:            `statement "#0": it is a string; give an object`,
		`{"Statement":[],"Statement":1}`: `Statement: it appears twice in one object; merge the two`,
		`{"Version":"2013-01-01","Statement":[]}`:                          `Version: "2013-01-01" is unknown; write 2012-10-17`,
		`{"Version":"","Statement":[]}`:                                    `Version: "" is unknown`,
		`{"Version":20121017,"Statement":[]}`:                              `Version: it is a number; write a string`,
		`{"version":"2012-10-17"}`:                                         `version: unknown element; write Version`,
		`{"Statement":[{` + ok + `}],"Extra":1}`:                           `Extra: unknown element; remove it; known here are Version, Id, Statement`,
		`{"Statement":[{` + ok + `}]} {}`:                                  `something follows the document`,
		`{"Id":[[[[[[[[[[1]]]]]]]]]]}`:                                     `it nests more than 8 deep`,
		statement(`"Action":"*","Resource":"*"`):                           `statement "#1": Effect: it is ""; write "Allow" or "Deny"`,
		statement(`"Effect":"allow","Action":"*"`):                         `Effect: it is "allow"`,
		statement(`"Effect":true,"Action":"*"`):                            `Effect: it is a boolean`,
		statement(`"Sid":"Two","Effect":"Allow","Resource":"*"`):           `statement "Two": Action: Action and NotAction are both given or both missing`,
		statement(`"Sid":7,` + ok):                                         `statement "#1": Sid: it is a number`,
		statement(ok + `,"NotAction":"a:b"`):                               `Action and NotAction are both given`,
		statement(ok + `,"NotResource":"*"`):                               `NotResource: Resource is given too; keep one of the two`,
		statement(ok + `,"NotPrincipal":"*"`):                              `NotPrincipal: it cannot be used with Effect Allow`,
		statement(ok + `,"principal":"*"`):                                 `principal: unknown element; write Principal`,
		statement(ok + `,"Conditions":{}`):                                 `Conditions: unknown element; remove it`,
		statement(`"Effect":"Allow","Action":"GetObject","Resource":"*"`):  `Action: "GetObject" names no service; write "service:Operation"`,
		statement(`"Effect":"Allow","Action":[],"Resource":"*"`):           `Action: it is a list that says nothing`,
		statement(`"Effect":"Allow","Action":["a:b",1],"Resource":"*"`):    `Action: its list has a number; write strings only`,
		statement(`"Effect":"Allow","Action":{},"Resource":"*"`):           `Action: it is an object`,
		statement(`"Effect":"Allow","Action":"*","Resource":"bucket"`):     `Resource: "bucket" is not an ARN`,
		statement(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3"`): `Resource: "arn:aws:s3" has fewer than the six parts of an ARN`,
		statement(`"Effect":"Allow","Action":"*","NotResource":null`):      `NotResource: it is null that says nothing`,
		resource("arn:aws:s3:::b/${aws:username"):                          `does not close it`,
		resource("arn:aws:s3:::b/${}"):                                     `names no condition key`,
		resource("arn:aws:s3:::b/${aws:username, x}"):                      `is not in single quotes`,
		resource("arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:q"):        `has a policy variable before its fifth colon`,
		`{"Statement":[{"Sid":"A",` + ok + `},{"Sid":"A",` + ok + `}]}`:    `statement "A": Sid: two statements have it; rename one`,
		`{"Id":"` + strings.Repeat("x", maxDocument) + `","Statement":[]}`: `bytes long; keep it under 65536 bytes`,
		`{"Statement":[{"Effect":"Allow","Effect":"Deny","Action":"*"}]}`:  `Effect: it appears twice`,
		`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}`:     `it is not JSON: unexpected EOF`,
		`{"Statement":[{"Effect":"Allow","Action":["*","Resource":"*"}]}`:  `it is not JSON`,
	})
}

func TestParseRefusesPrincipals(t *testing.T) {
	ok := `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`
	refuses(t, map[string]string{
		statement(ok + `,"Principal":"*","NotPrincipal":"*"`):                `NotPrincipal: Principal is given too`,
		statement(ok + `,"Principal":"111111111111"`):                        `Principal: it names nobody; write "*" or`,
		statement(ok + `,"Principal":{}`):                                    `Principal: it names nobody`,
		statement(ok + `,"Principal":{"aws":"*"}`):                           `aws: unknown element; write AWS`,
		statement(ok + `,"Principal":{"AWS":"arn:aws:iam::111111111111:*"}`): `has a wildcard within, and principals match whole names only`,
		statement(ok + `,"Principal":{"AWS":"11111111111"}`):                 `"11111111111" is not a principal`,
		statement(ok + `,"Principal":{"AWS":"arn:aws:s3:::bucket"}`):         `is not the ARN of a principal`,
		statement(ok + `,"Principal":{"AWS":"arn:aws:iam::1:root"}`):         `is not the ARN of a principal`,
		statement(ok + `,"Principal":{"Service":"*"}`):                       `Principal: "*" is not a service`,
		statement(ok + `,"Principal":{"Service":"lambda"}`):                  `"lambda" is not a service`,
		statement(ok + `,"Principal":{"Federated":""}`):                      `it names an empty principal`,
	})
}

func TestParseRefusesConditions(t *testing.T) {
	ok := `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`
	refuses(t, map[string]string{
		statement(ok + `,"Condition":[]`):                                        `Condition: it is a list; write {"Operator"`,
		condition(`"StringEqual":{"k":"v"}`):                                     `Condition: operator "StringEqual" is unknown`,
		condition(`"NullIfExists":{"k":"true"}`):                                 `Null takes neither IfExists nor a set qualifier`,
		condition(`"StringEquals":{}`):                                           `operator StringEquals has no keys`,
		condition(`"StringEquals":"x"`):                                          `operator StringEquals has no keys`,
		condition(`"StringEquals":{"k":[]}`):                                     `StringEquals k has no values`,
		condition(`"StringEquals":{"k":null}`):                                   `StringEquals k has null; write strings, numbers or booleans`,
		condition(`"StringEquals":{"k":{"a":1}}`):                                `StringEquals k has an object`,
		condition(`"StringEquals":{"k":"a","K":"b"}`):                            `empty or twice`,
		condition(`"StringEquals":{"":"a"}`):                                     `empty or twice`,
		condition(`"StringEquals":{"k":"${a"}`):                                  `value "${a" never matches; it opens a policy variable`,
		condition(`"NumericEquals":{"k":"${a}"}`):                                `NumericEquals k: value "${a}" never matches; write it in decimal digits`,
		condition(`"NumericEquals":{"k":1e3}`):                                   `without an exponent`,
		condition(`"NumericEquals":{"k":"."}`):                                   `write it in decimal digits`,
		condition(`"NumericEquals":{"k":"--1"}`):                                 `write it in decimal digits`,
		condition(`"DateEquals":{"k":"tomorrow"}`):                               `write a date such as`,
		condition(`"DateEquals":{"k":"1.5"}`):                                    `write a date such as`,
		condition(`"Bool":{"k":"yes"}`):                                          `write "true" or "false"`,
		condition(`"Null":{"k":"1"}`):                                            `write "true" or "false"`,
		condition(`"BinaryEquals":{"k":"?"}`):                                    `write it in base64`,
		condition(`"IpAddress":{"k":"10.0.0.0/33"}`):                             `write an address or a range`,
		condition(`"NotIpAddress":{"k":"10.0.0"}`):                               `write an address or a range`,
		condition(`"ArnLike":{"k":"*"}`):                                         `write all six parts of the ARN`,
		condition(`"ArnEquals":{"k":"arn:aws:s3"}`):                              `write all six parts of the ARN`,
		statement(ok + `,"Condition":{"Bool":{"k":"true"},"Bool":{"l":"true"}}`): `Bool: it appears twice`,
	})
}

// refuses parses each document and looks for its words in the error.
func refuses(t *testing.T, documents map[string]string) {
	t.Helper()
	for in, want := range documents {
		_, err := Parse([]byte(in))
		var parse *ParseError
		if !errors.As(err, &parse) {
			t.Errorf("%.100s: got %v, want a *ParseError", in, err)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "parse policy document: ") {
			t.Errorf("%.100s:\n got %v\nwant %s", in, err, want)
		}
		if parse.Try == "" {
			t.Errorf("%.100s: %v: it does not say what to do", in, err)
		}
	}
}

func resource(r string) string {
	return statement(fmt.Sprintf(`"Effect":"Allow","Action":"*","Resource":%q`, r))
}

func condition(c string) string {
	return statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + c + `}`)
}

// FuzzParse: whatever comes in, Parse does not panic, and what it accepts is written so that it is
// read again as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(statement(`"Sid":"S","Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"NotAction":["a:b"],"NotResource":"arn:aws:s3:::${aws:userid, 'x'}${*}"`)))
	f.Add([]byte(condition(`"ForAllValues:StringLikeIfExists":{"k":[true,1.50,"x*"]},"Null":{"k":"true"}`)))
	f.Add([]byte(`{"Statement":{"Effect":"Allow","Principal":{"AWS":["*","AROA1234"],"Service":"a.b"},"Action":"*"},"Id":"\ud800\u2028<"}`))
	for _, cases := range readCases[testCase](f, "decide-*.json") {
		for _, c := range cases {
			for _, p := range c.Policies.Identity {
				f.Add([]byte(p.Document.String()))
			}
			if c.Policies.Resource != nil {
				f.Add([]byte(c.Policies.Resource.Document.String()))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		once := d.String()
		if len(once) > maxDocument {
			return // JSON's own escapes can make it longer than what was read
		}
		again, err := Parse([]byte(once))
		if err != nil {
			t.Fatalf("%s: accepted, but not its canonical form %s: %v", data, once, err)
		}
		if twice := again.String(); once != twice {
			t.Fatalf("unstable: %s then %s", once, twice)
		}
		Decide(Request{Principal: Principal{Service: "a.b"}, Action: "a:b", Resource: "*", ResourceAccount: "111111111111"},
			Policies{Kind: ResourceKey, Resource: &Policy{Document: d}})
	})
}
