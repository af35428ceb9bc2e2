package rehearsal

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/states"
)

// integration is CloudFront as state machines call it. Their calls do not come through the front door,
// but the script of faults strikes them all the same: in it the caller is the name of its role.
type integration struct {
	distributions *cloudfront.Service
	script        *faults.Script // nil: no faults
}

func (i integration) CreateInvalidation(ctx context.Context, c accounts.Caller, distribution string, items []string, reference string) (inv cloudfront.Invalidation, created bool, err error) {
	err = i.pass(ctx, c, "CreateInvalidation", func() (err error) {
		inv, created, err = i.distributions.CreateInvalidation(ctx, c, distribution, items, reference)
		return err
	})
	return inv, created, err
}

func (i integration) GetInvalidation(ctx context.Context, c accounts.Caller, distribution, id string) (inv cloudfront.Invalidation, err error) {
	err = i.pass(ctx, c, "GetInvalidation", func() (err error) {
		inv, err = i.distributions.GetInvalidation(ctx, c, distribution, id)
		return err
	})
	return inv, err
}

// pass lets a call through the script.
func (i integration) pass(ctx context.Context, c accounts.Caller, operation string, act func() error) (err error) {
	if i.script == nil {
		return act()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", http.NoBody)
	if err != nil {
		return fmt.Errorf("call cloudfront:%s: %w", operation, err)
	}
	defer func() { // the script cuts a connection as an HTTP handler does
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = states.ErrNoAnswer
		default:
			panic(v)
		}
	}()
	role := accounts.RoleName(c.RoleARN)
	i.script.Intercept(front.Exchange{
		Service: cloudfront.SigningName, Operation: operation, Request: r, Writer: httptest.NewRecorder(),
		Call: front.Call{Caller: accounts.Caller{Principal: iam.Principal{ARN: "arn:aws:sts:::assumed-role/" + role + "/" + role}}},
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { err = act() }),
		Fail: func(_ http.ResponseWriter, _ string, failed error) { err = failed },
	})
	return err
}
