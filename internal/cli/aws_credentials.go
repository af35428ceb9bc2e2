package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"

	"github.com/unstale/unstale/internal/gateway"
)

// keyring is where a configuration's credentials come from, as far as its files tell.
type keyring struct {
	profile string // whose credentials they are in the end: a role's are those of its source_profile
	begun   string // the profile that was asked for
	env     bool   // they are the environment's
	sso     bool   // aws sso login makes them
	login   bool   // aws login makes them
	keys    bool   // they are an access key in the files
	process bool   // a program gives them
}

// keyringOf reads a configuration that was loaded with a profile; "": none was asked for, so that the
// environment's credentials win over the files'.
func keyringOf(cfg aws.Config, profile string) keyring {
	k := keyring{profile: cmp.Or(profile, "default")}
	k.begun = k.profile
	for _, source := range cfg.ConfigSources {
		switch s := source.(type) {
		case config.EnvConfig:
			k.env = profile == "" && s.Credentials.HasKeys()
		case config.SharedConfig:
			k.begun = cmp.Or(s.Profile, k.begun)
			last := &s
			for last.Source != nil {
				last = last.Source
			}
			k.profile = cmp.Or(last.Profile, k.begun)
			k.sso, k.login = last.SSOAccountID != "", last.LoginSession != ""
			k.keys, k.process = last.Credentials.HasKeys(), last.CredentialProcess != ""
		}
	}
	return k
}

// renew is what to do where AWS does not know the credentials, or not any more.
func (k keyring) renew() string {
	switch {
	case k.env:
		return "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a key that is active, with its AWS_SESSION_TOKEN where it is a temporary one; or unset them for a profile"
	case k.sso:
		return "aws sso login --profile " + k.profile
	case k.login:
		return "aws login --profile " + k.profile
	case k.keys:
		return fmt.Sprintf("aws configure --profile %s, with an access key that is there and active", k.profile)
	}
	return k.look()
}

// look shows whose credentials there are, in AWS's own words.
func (k keyring) look() string {
	if k.env || k.begun == "default" {
		return "aws sts get-caller-identity"
	}
	return "aws sts get-caller-identity --profile " + k.begun
}

// unknown reports whether AWS does not know the credentials. The clock of a machine leads to the same codes,
// and has a try of its own.
func unknown(e *gateway.Error) bool {
	switch e.Code {
	case "InvalidClientTokenId", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch", "InvalidSignatureException":
		return !strings.Contains(e.Try, "clock")
	}
	return false
}

// advised is an error's next step, in which credentials that AWS does not know are named.
func (k keyring) advised(err error, try string) string {
	var e *gateway.Error
	if errors.As(err, &e) && e.Try == try && unknown(e) {
		return k.renew()
	}
	return try
}

// held has the credentials got, and says why there are none. patience is how long who has them may answer nothing;
// 0: as long as is usual.
func (k keyring) held(ctx context.Context, cfg aws.Config, patience time.Duration) error {
	if patience == 0 || patience > slowCredentials || k.process { // which may ask a person
		patience = slowCredentials
	}
	if _, err := gateway.Answered(ctx, patience, cfg.Credentials.Retrieve); err != nil {
		return k.refused(err)
	}
	return nil
}

// nobody is the error of credentials of which AWS does not tell whose they are.
func (k keyring) nobody(err error) error {
	e := gateway.Explain(err)
	try := cmp.Or(e.Try, k.look())
	if unknown(e) {
		try = k.renew()
	}
	return withTry(fmt.Errorf("ask who calls with profile %s: %s", k.begun, e.Message), "%s", try)
}

// refused says why there are no credentials, without the SDK's account of where it looked.
func (k keyring) refused(err error) error {
	e := gateway.Explain(err)
	why, try := strings.TrimPrefix(e.Message, "failed to refresh cached credentials, "), k.look()
	var signedOut *ssocreds.InvalidTokenError
	text := err.Error()
	switch {
	case k.sso && (errors.As(err, &signedOut) || strings.Contains(text, "SSO token") || e.Code == "UnauthorizedException" || e.Code == "InvalidGrantException"):
		why, try = "nobody is signed in to it, or not any more", k.renew()
		if k.profile != k.begun {
			why = fmt.Sprintf("nobody is signed in to its source_profile %s, or not any more", k.profile)
		}
	case strings.Contains(text, "no EC2 IMDS role found"): // where the SDK looks last
		why = "no credentials were found, neither there nor in the environment"
		try = "--profile NAME with a profile that has credentials; aws configure list-profiles names yours"
	case e.Code == gateway.RequestTimeout && e.Try != "":
		try = e.Try
	case unknown(e):
		try = k.renew()
	}
	return withTry(fmt.Errorf("get credentials of profile %s: %s", k.begun, why), "%s", try)
}

// profileError is why a profile cannot be read. A role whose source_profile has no credentials has no cause
// in the SDK's words.
func profileError(name string, err error) error {
	var role config.SharedConfigAssumeRoleError
	if errors.As(err, &role) && role.Err == nil {
		return fmt.Errorf("read profile %s: %s is to be assumed with the credentials of source_profile %s, which has none, or leads back to itself", name, role.RoleARN, role.Profile)
	}
	return fmt.Errorf("read profile %s: %w", name, err)
}
