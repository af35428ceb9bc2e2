package sts

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what STS clients sign with.
const SigningName = "sts"

// ServeHTTP speaks the query protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	if err := r.ParseForm(); err != nil {
		wire.WriteXMLError(w, call.RequestID, wire.Errorf(400, "MalformedInput", "read the form: %v", err))
		return
	}
	var (
		out any
		err error
	)
	switch action := r.Form.Get("Action"); action {
	case "AssumeRole":
		out, err = s.assumeRole(r, call)
	case "GetCallerIdentity":
		out, err = s.callerIdentity(r, call)
	default:
		err = wire.NotEmulated("sts:%s", action)
	}
	if err != nil {
		wire.WriteXMLError(w, call.RequestID, err)
		return
	}
	wire.WriteXML(w, call.RequestID, http.StatusOK, out)
}

type assumeRoleResponse struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	Result  struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      string
		}
		AssumedRoleUser struct {
			AssumedRoleID string `xml:"AssumedRoleId"`
			Arn           string
		}
		PackedPolicySize int
		SourceIdentity   string `xml:",omitempty"`
	} `xml:"AssumeRoleResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

func (s *Service) assumeRole(r *http.Request, call front.Call) (any, error) {
	in, err := readInput(r)
	if err != nil {
		return nil, err
	}
	cred, err := s.Assume(r.Context(), call.Caller, in)
	if err != nil {
		return nil, err
	}
	var out assumeRoleResponse
	c := &out.Result.Credentials
	c.AccessKeyID, c.SecretAccessKey, c.SessionToken = cred.AccessKeyID, cred.SecretAccessKey, cred.SessionToken
	c.Expiration = cred.Expires.UTC().Format(time.RFC3339)
	out.Result.AssumedRoleUser.Arn = cred.Caller.ARN
	out.Result.AssumedRoleUser.AssumedRoleID = cred.Caller.UniqueID + ":" + in.SessionName
	out.Result.SourceIdentity = in.SourceIdentity
	for _, p := range in.Policies {
		out.Result.PackedPolicySize += len(p) * 100 / maxPolicyText
	}
	out.RequestID = call.RequestID
	return out, nil
}

// readInput reads every parameter of AssumeRole; one it does not know is refused.
func readInput(r *http.Request) (Input, error) {
	in := Input{Tags: map[string]string{}}
	tagKeys, tagValues := map[string]string{}, map[string]string{}
	for name := range r.Form {
		v := r.Form.Get(name)
		switch {
		case name == "Action", name == "Version", strings.HasPrefix(name, "X-Amz-"):
		case name == "RoleArn":
			in.RoleARN = v
		case name == "RoleSessionName":
			in.SessionName = v
		case name == "ExternalId":
			in.ExternalID = v
		case name == "Policy":
			in.Policies = []string{v}
		case name == "SourceIdentity":
			in.SourceIdentity = v
		case name == "DurationSeconds":
			n, err := strconv.Atoi(v)
			if err != nil {
				return Input{}, invalid("DurationSeconds %q is not a number", v)
			}
			in.Duration = time.Duration(n) * time.Second
		case strings.HasPrefix(name, "Tags.member.") && strings.HasSuffix(name, ".Key"):
			tagKeys[strings.TrimSuffix(name, ".Key")] = v
		case strings.HasPrefix(name, "Tags.member.") && strings.HasSuffix(name, ".Value"):
			tagValues[strings.TrimSuffix(name, ".Value")] = v
		case strings.HasPrefix(name, "TransitiveTagKeys.member."):
			in.Transitive = append(in.Transitive, v)
		default:
			return Input{}, wire.NotEmulated("the parameter %s of sts:AssumeRole", name)
		}
	}
	for member, key := range tagKeys {
		in.Tags[key] = tagValues[member]
	}
	return in, nil
}

type identityResponse struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	Result  struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	} `xml:"GetCallerIdentityResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

func (s *Service) callerIdentity(r *http.Request, call front.Call) (any, error) {
	for name := range r.Form {
		if name != "Action" && name != "Version" && !strings.HasPrefix(name, "X-Amz-") {
			return nil, wire.NotEmulated("the parameter %s of sts:GetCallerIdentity", name)
		}
	}
	err := s.directory.Authorize(accounts.Check{Caller: call.Caller, Action: "sts:GetCallerIdentity", Resource: "*"})
	if err != nil {
		return nil, err
	}
	c := call.Caller
	user := c.UniqueID
	if c.RoleARN != "" {
		user += ":" + accounts.RoleName(c.ARN)
	}
	var out identityResponse
	out.Result.Arn, out.Result.UserID, out.Result.Account = c.ARN, user, c.Account
	out.RequestID = call.RequestID
	return out, nil
}
