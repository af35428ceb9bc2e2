package iamapi

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what IAM clients sign with.
const SigningName = "iam"

// parameters are what each operation served takes; anything else is refused.
var parameters = map[string][]string{
	"CreateRole":               {"RoleName", "AssumeRolePolicyDocument", "Description", "Path", "MaxSessionDuration"},
	"GetRole":                  {"RoleName"},
	"DeleteRole":               {"RoleName"},
	"ListRoles":                {},
	"UpdateAssumeRolePolicy":   {"RoleName", "PolicyDocument"},
	"PutRolePolicy":            {"RoleName", "PolicyName", "PolicyDocument"},
	"GetRolePolicy":            {"RoleName", "PolicyName"},
	"DeleteRolePolicy":         {"RoleName", "PolicyName"},
	"ListRolePolicies":         {"RoleName"},
	"ListAttachedRolePolicies": {"RoleName"},
	"GetUser":                  {"UserName"},
	"GetPolicy":                {"PolicyArn"},
	"GetPolicyVersion":         {"PolicyArn", "VersionId"},
	"ListUserPolicies":         {"UserName"},
	"GetUserPolicy":            {"UserName", "PolicyName"},
	"ListAttachedUserPolicies": {"UserName"},
	"ListGroupsForUser":        {"UserName"},
	"SimulatePrincipalPolicy":  {"PolicySourceArn", "ActionNames", "ResourceArns"},
}

// ServeHTTP speaks the query protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	out, action, err := s.serve(r, call)
	if err != nil {
		wire.WriteXMLError(w, call.RequestID, err)
		return
	}
	wire.WriteQuery(w, call.RequestID, "https://iam.amazonaws.com/doc/2010-05-08/", action, out)
}

func (s *Service) serve(r *http.Request, call front.Call) (any, string, error) {
	if err := r.ParseForm(); err != nil {
		return nil, "", wire.Errorf(400, "MalformedInput", "read the form: %v", err)
	}
	action := r.Form.Get("Action")
	known, ok := parameters[action]
	if !ok {
		return nil, action, wire.NotEmulated("iam:%s", action)
	}
	for name := range r.Form {
		base, _, _ := strings.Cut(name, ".") // a list's members are ActionNames.member.1 and so on
		if base != "Action" && base != "Version" && !slices.Contains(known, base) {
			return nil, action, wire.NotEmulated("the parameter %s of iam:%s", name, action)
		}
	}
	if action == "SimulatePrincipalPolicy" {
		out, err := s.simulate(r, call.Caller)
		return out, action, err
	}
	if strings.HasPrefix(action, "List") || strings.HasPrefix(action, "Get") {
		out, err := s.read(r, call.Caller, action)
		return out, action, err
	}
	out, err := s.write(r, call.Caller, action)
	return out, action, err
}

func (s *Service) write(r *http.Request, caller accounts.Caller, action string) (any, error) {
	name, policy := r.Form.Get("RoleName"), r.Form.Get("PolicyName")
	document := []byte(r.Form.Get("PolicyDocument"))
	switch action {
	case "UpdateAssumeRolePolicy":
		return nil, s.UpdateTrust(caller, name, document)
	case "PutRolePolicy":
		return nil, s.PutPolicy(caller, name, policy, document)
	case "DeleteRolePolicy":
		return nil, s.DeletePolicy(caller, name, policy)
	case "DeleteRole":
		return nil, s.DeleteRole(caller, name)
	}
	trust, err := parse([]byte(r.Form.Get("AssumeRolePolicyDocument")), iam.LayerTrust)
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.Atoi("0" + r.Form.Get("MaxSessionDuration"))
	if err != nil {
		return nil, wire.Errorf(400, "ValidationError", "MaxSessionDuration: %v", err)
	}
	role, err := s.CreateRole(caller, accounts.Role{
		Name: name, Path: r.Form.Get("Path"), Description: r.Form.Get("Description"), Trust: trust,
		MaxSession: time.Duration(seconds) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return s.roleResult(role)
}

func (s *Service) read(r *http.Request, caller accounts.Caller, action string) (any, error) {
	switch action {
	case "ListRoles":
		return s.list(caller)
	case "GetUser":
		return s.user(caller, r.Form.Get("UserName"))
	case "GetPolicy", "GetPolicyVersion":
		return s.managed(caller, action, r.Form.Get("PolicyArn"), r.Form.Get("VersionId"))
	case "ListUserPolicies", "GetUserPolicy", "ListAttachedUserPolicies", "ListGroupsForUser":
		return s.ofUser(caller, action, r.Form.Get("UserName"), r.Form.Get("PolicyName"))
	}
	role, err := s.role(caller, action, r.Form.Get("RoleName"))
	if err != nil {
		return nil, err
	}
	switch action {
	case "GetRole":
		return s.roleResult(role)
	case "ListRolePolicies":
		return struct {
			Names       []string `xml:"PolicyNames>member"`
			IsTruncated bool
		}{Names: slices.Sorted(maps.Keys(role.Inline))}, nil
	case "ListAttachedRolePolicies":
		return attachedResult(role), nil
	}
	policy := r.Form.Get("PolicyName")
	doc, ok := role.Inline[policy]
	if !ok {
		return nil, wire.Errorf(404, "NoSuchEntity", "The role policy with name %s cannot be found.", policy)
	}
	return struct{ RoleName, PolicyName, PolicyDocument string }{role.Name, policy, encoded(doc)}, nil
}

type attached struct {
	PolicyName string
	PolicyArn  string
}

func attachedResult(role *accounts.Role) any {
	var out struct {
		Policies    []attached `xml:"AttachedPolicies>member"`
		IsTruncated bool
	}
	for _, m := range role.Managed {
		out.Policies = append(out.Policies, attached{accounts.RoleName(m.ARN), m.ARN})
	}
	return out
}

func (s *Service) list(caller accounts.Caller) (any, error) {
	if err := s.allow(caller, "ListRoles", "arn:aws:iam::"+caller.Account+":role/"); err != nil {
		return nil, err
	}
	var out struct {
		Roles       []xmlRole `xml:"Roles>member"`
		IsTruncated bool
	}
	for _, r := range s.directory.Roles(caller.Account) {
		x, err := s.newXMLRole(&r)
		if err != nil {
			return nil, err
		}
		out.Roles = append(out.Roles, x)
	}
	return out, nil
}

type xmlRole struct {
	Path, RoleName           string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               string
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty"`
	MaxSessionDuration       int
	PermissionsBoundary      *boundary `xml:",omitempty"`
}

func (s *Service) roleResult(role *accounts.Role) (any, error) {
	x, err := s.newXMLRole(role)
	return struct{ Role xmlRole }{x}, err
}

func (s *Service) newXMLRole(r *accounts.Role) (xmlRole, error) {
	trust, err := s.directory.ShowPrincipals(r.Trust)
	if err != nil {
		return xmlRole{}, err
	}
	return xmlRole{
		PermissionsBoundary: boundaryOf(r), Path: r.Path, RoleName: r.Name, RoleID: r.ID, Arn: r.ARN, AssumeRolePolicyDocument: encoded(trust), Description: r.Description,
		CreateDate: r.Created.UTC().Format(time.RFC3339), MaxSessionDuration: int(r.MaxSession.Seconds()),
	}, nil
}

// encoded is a policy document as IAM returns it: URL-encoded JSON (RFC 3986).
func encoded(doc iam.Document) string {
	return strings.ReplaceAll(url.QueryEscape(doc.String()), "+", "%20")
}

type xmlUser struct {
	Path       string
	UserName   string `xml:",omitempty"`
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate string `xml:",omitempty"`
}

// user reads a user; without a name the caller, which may be the root.
func (s *Service) user(caller accounts.Caller, name string) (any, error) {
	if name == "" && caller.RoleARN != "" {
		return nil, wire.Errorf(400, "ValidationError", "Must specify userName when calling with non-User credentials")
	}
	arn := "arn:aws:iam::" + caller.Account + ":user/" + name
	if name == "" {
		arn = caller.ARN
	}
	if err := s.allow(caller, "GetUser", arn); err != nil {
		return nil, err
	}
	if name == "" && strings.HasSuffix(arn, ":root") {
		return struct{ User xmlUser }{xmlUser{Path: "/", UserID: caller.UniqueID, Arn: arn}}, nil
	}
	u, err := s.directory.User(caller.Account, accounts.RoleName(arn))
	if err != nil {
		return nil, err
	}
	return struct{ User xmlUser }{xmlUser{"/", u.Name, u.ID, u.ARN, u.Created.UTC().Format(time.RFC3339)}}, nil
}
