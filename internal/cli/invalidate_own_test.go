package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/plan"
)

// of222 is a gateway to a distribution of account 222222222222.
type of222 struct{ purge.Gateway }

func (of222) Distribution(context.Context) (plan.Distribution, error) {
	return plan.Distribution{ID: "E1", Account: "222222222222"}, nil
}

func TestOwned(t *testing.T) {
	for _, tt := range []struct {
		route   target.Route
		account string
		refused bool
	}{
		{target.SameAccount, "111111111111", true},
		{target.SameAccount, "222222222222", false},
		{target.SameAccount, "", false},
		{target.Assume, "222222222222", false},
	} {
		one := targetfile.Target{Target: target.Target{Name: "shop", Route: tt.route, Account: tt.account}}
		_, err := owned(of222{}, one).Distribution(t.Context())
		if (err != nil) != tt.refused {
			t.Errorf("%s, %q: %v", tt.route, tt.account, err)
		}
		if tt.refused && (!strings.Contains(err.Error(), "111111111111") || !strings.Contains(err.Error(), "222222222222") || tryOf(err) == "") {
			t.Errorf("%v, try: %s", err, tryOf(err))
		}
	}
}
