package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/targetfile"
)

const signedOff = `[profile sso]
sso_session = s
sso_account_id = 111111111111
sso_role_name = r
[sso-session s]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
[profile old]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 111111111111
sso_role_name = r
[profile role]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = sso
[profile login]
login_session = arn:aws:iam::111111111111:user/laptop
[profile empty]
[profile loop]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = back
[profile back]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = loop
[profile process]
credential_process = false
[profile key]
` + keys + `[profile keyed]
role_arn = arn:aws:iam::222222222222:role/admin
source_profile = key
`

// What is wrong with credentials is told in the words of where they come from.
func TestNoCredentials(t *testing.T) {
	for _, tt := range []struct{ profile, says, try string }{
		{"sso", "get credentials of profile sso: nobody is signed in to it, or not any more", "aws sso login --profile sso"},
		{"old", "get credentials of profile old: nobody is signed in to it, or not any more", "aws sso login --profile old"},
		{"role", "get credentials of profile role: nobody is signed in to its source_profile sso, or not any more", "aws sso login --profile sso"},
		{"empty", "get credentials of profile empty: no credentials were found", "--profile NAME with a profile that has credentials; aws configure list-profiles names yours"},
		{"", "get credentials of profile default: no credentials were found", "--profile NAME with a profile that has credentials; aws configure list-profiles names yours"},
		{"loop", "source_profile loop, which has none, or leads back to itself", "aws configure list --profile loop"},
		{"process", "get credentials of profile process: process provider error", "aws sts get-caller-identity --profile process"},
		{"keyed", "get credentials of profile keyed: The security token included in the request is invalid.", "aws configure --profile key, with an access key that is there and active"},
	} {
		t.Run(tt.profile, func(t *testing.T) {
			w := answering(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(http.StatusForbidden)
				_, _ = fmt.Fprint(rw, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>")
			})
			shell(t, "http://"+w.host, signedOff)
			t.Setenv("HOME", t.TempDir())
			_, err := connect(w, identity{tt.profile, "us-east-1"}, 0)
			if err == nil || !strings.Contains(err.Error(), tt.says) || tryOf(err) != tt.try {
				t.Fatalf("%v\ntry: %s", err, tryOf(err))
			}
			for _, inside := range []string{"<nil>", "ec2imds", "refresh cached"} {
				if strings.Contains(err.Error(), inside) {
					t.Error(err)
				}
			}
		})
	}
}

// Credentials that AWS does not know are not always those of a single sign-on.
func TestRenew(t *testing.T) {
	shell(t, "", signedOff)
	sent := gateway.Explain(&gateway.Error{Code: "InvalidClientTokenId", Message: "no"})
	late := gateway.Explain(&gateway.Error{Code: "SignatureDoesNotMatch", Message: "Signature expired: 1 is now earlier than 2"})
	for _, tt := range []struct {
		profile string
		env     bool
		err     *gateway.Error
		want    string
	}{
		{"key", false, sent, "aws configure --profile key, with"},
		{"key", true, sent, "aws configure --profile key, with"}, // a profile that is asked for wins
		{"", true, sent, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a key that is active"},
		{"keyed", false, sent, "aws configure --profile key, with"},
		{"sso", false, sent, "aws sso login --profile sso"},
		{"role", false, sent, "aws sso login --profile sso"},
		{"login", false, sent, "aws login --profile login"},
		{"process", false, sent, "aws sts get-caller-identity --profile process"},
		{"key", false, late, "set the clock"},
		{"key", false, gateway.Explain(&gateway.Error{Code: gateway.NoSuchDistribution}), "check the distribution's ID"},
	} {
		t.Run(tt.profile+" "+tt.err.Code, func(t *testing.T) {
			if tt.env {
				t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
				t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
			}
			cfg, err := loadConfig(t.Context(), tt.profile, "")
			if err != nil {
				t.Fatal(err)
			}
			one := targetfile.Target{Profile: tt.profile}
			c := &connections{all: map[identity]func() (*connection, error){
				{tt.profile, ""}: func() (*connection, error) { return &connection{keys: keyringOf(cfg, tt.profile)}, nil },
			}}
			if got := c.advised(one, fmt.Errorf("purge: %w", tt.err), tt.err.Try); !strings.HasPrefix(got, tt.want) {
				t.Errorf("try: %s, want %s", got, tt.want)
			}
			if got := c.advised(one, errors.New("no"), "that"); got != "that" {
				t.Error(got)
			}
		})
	}
}
