package cli

import (
	"context"
	"fmt"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/plan"
)

// own is the gateway of a distribution that is said to be of an account. CloudFront shows a distribution to
// its own account only, so the account in its ARN is the caller's.
type own struct {
	purge.Gateway
	name, account string
}

// owned makes a gateway refuse a distribution of another account than the target says. Roles and functions
// are of an account by their ARN.
func owned(g purge.Gateway, t targetfile.Target) purge.Gateway {
	if t.Route != target.SameAccount || t.Account == "" {
		return g
	}
	return own{g, t.Name, t.Account}
}

// Distribution reads it before anything is purged.
func (o own) Distribution(ctx context.Context) (plan.Distribution, error) {
	d, err := o.Gateway.Distribution(ctx)
	if err != nil || d.Account == o.account {
		return d, err
	}
	whose := "account " + d.Account
	if d.Account == "" {
		whose = "an account that CloudFront does not name"
	}
	return plan.Distribution{}, &gateway.Error{
		Code: gateway.DistributionNotAllowed, Operation: "purge " + o.name, Distribution: d.ID,
		Message: fmt.Sprintf("the target is of account %s, but these credentials and the distribution are of %s", o.account, whose),
		Try:     fmt.Sprintf("--profile with one of account %s, or mend account in the targets file", o.account),
	}
}
