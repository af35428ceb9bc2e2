package accounts_test

import (
	"errors"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/wire"
)

func TestPassRole(t *testing.T) {
	const own, foreign = "arn:aws:iam::111111111111:role/r", "arn:aws:iam::222222222222:role/r"
	const head = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":`
	for _, tt := range []struct{ name, policy, role, code string }{
		{"granted", head + `"` + own + `"}}`, own, ""},
		{"granted for the service", head + `"*","Condition":{"StringEquals":{"iam:PassedToService":"codebuild.amazonaws.com"}}}}`, own, ""},
		{"granted for another service", head + `"*","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}}}`, own, "AccessDenied"},
		{"another role", head + `"` + own + `2"}}`, own, "AccessDenied"},
		{"another account, whatever is granted", head + `"*"}}`, foreign, "InvalidInputException"},
	} {
		c := clock.New(false)
		d := accounts.New(c, &journal.Journal{})
		c.Close()
		if _, err := d.Add("111111111111"); err != nil {
			t.Fatal(err)
		}
		policy, err := iam.Parse([]byte(tt.policy))
		if err != nil {
			t.Fatal(err)
		}
		user, err := d.AddUser("111111111111", "u", policy)
		if err != nil {
			t.Fatal(err)
		}
		err = d.PassRole(user.Caller, tt.role, "codebuild.amazonaws.com", "InvalidInputException")
		var e *wire.Error
		if errors.As(err, &e); (err != nil) != (tt.code != "") || err != nil && e.Code != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
		if tt.role == foreign && e.Message != "Cross-account pass role is not allowed." {
			t.Errorf("message %q", e.Message)
		}
	}
}
