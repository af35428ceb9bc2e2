package rehearsal

import (
	"context"
	"errors"
	"testing"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/wire"
)

// The script of faults strikes the calls of state machines too, by their role.
func TestFaultsStrikeStateMachines(t *testing.T) {
	purge := accounts.Caller{Principal: iam.Principal{RoleARN: "arn:aws:iam::222222222222:role/path/unstale-purge"}}
	tests := []struct {
		name string
		rule *faults.Rule
		acts int
		err  func(error) bool
	}{
		{"no script", nil, 1, func(err error) bool { return err == nil }},
		{"another role", &faults.Rule{Function: "other", Do: faults.Fail(400, "Throttling", "x")}, 1, func(err error) bool { return err == nil }},
		{"fail", &faults.Rule{Function: "unstale-purge", Operation: "GetInvalidation", Do: faults.Fail(400, "Throttling", "x")}, 0, func(err error) bool { return wire.AsError(err).Code == "Throttling" }},
		{"lose", &faults.Rule{Service: "cloudfront", Do: faults.Lose()}, 1, func(err error) bool { return errors.Is(err, states.ErrNoAnswer) }},
		{"twice", &faults.Rule{Do: faults.Twice()}, 2, func(err error) bool { return err == nil }},
	}
	for _, tt := range tests {
		var i integration
		if tt.rule != nil {
			i.script = &faults.Script{}
			i.script.Add(*tt.rule)
		}
		acts := 0
		err := i.pass(context.Background(), purge, "GetInvalidation", func() error { acts++; return nil })
		if !tt.err(err) || acts != tt.acts {
			t.Errorf("%s: %v, CloudFront was called %d times", tt.name, err, acts)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("another panic is swallowed")
		}
	}()
	i := integration{script: &faults.Script{}}
	i.script.Add(faults.Rule{Do: func(*faults.Script, faults.Call, front.Exchange) { panic("a mistake in the script") }})
	_ = i.pass(context.Background(), purge, "GetInvalidation", func() error { return nil })
}
