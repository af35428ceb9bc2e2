package fleet

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/rehearsal/clock"
	rehearsed "github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
)

// lane is a kind of call in an account; without an account all calls of a service.
type lane struct{ account, kind string }

// gauge watches every call at AWS's door, and lets none be answered that looks at an invalidation of the
// distribution that hangs.
type gauge struct {
	clock *clock.Clock
	hung  string // distribution

	mu          sync.Mutex
	busy, most  map[lane]int
	first, last time.Time // of the good targets' calls
}

// watch implements faults.Action.
func (g *gauge) watch(_ *faults.Script, _ faults.Call, x front.Exchange) {
	of, all := lane{x.Call.Caller.Account, x.Operation}, lane{kind: x.Service}
	hangs := x.Operation == "GetInvalidation" && strings.Contains(x.Request.URL.Path, "/"+g.hung+"/")
	g.add(of, 1, hangs)
	defer g.add(of, -1, hangs)
	g.add(all, 1, hangs)
	defer g.add(all, -1, hangs)
	if hangs {
		<-x.Request.Context().Done()
		panic(http.ErrAbortHandler)
	}
	x.Next.ServeHTTP(x.Writer, x.Request)
}

func (g *gauge) add(of lane, n int, hangs bool) {
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy[of] += n
	g.most[of] = max(g.most[of], g.busy[of])
	if g.first.IsZero() {
		g.first = now
	}
	if !hangs {
		g.last = now
	}
}

// reset begins anew, and gives how long the calls took until now.
func (g *gauge) reset() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := g.last.Sub(g.first)
	g.first, g.last = time.Time{}, time.Time{}
	g.busy, g.most = map[lane]int{}, map[lane]int{}
	return took
}

// check demands that no account had more calls of a kind at once than the command's bounds, nor CloudFront
// in all, and gives how long the calls took.
func (g *gauge) check(t *testing.T) time.Duration {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for of, most := range g.most {
		bound := fleet.DefaultPerAccount
		if of.account == "" || of.account == accountA { // who assumes all roles, and the sum
			bound = fleet.DefaultOverall
		}
		if most > bound && of.kind != faults.Viewer && of.account+of.kind != "" {
			t.Errorf("%d calls of %v at once, more than %d", most, of, bound)
		}
	}
	accounts := 0
	for of := range g.most {
		if of.kind == "CreateInvalidation" {
			accounts++
		}
	}
	if accounts != manyAccounts || g.most[lane{kind: rehearsed.SigningName}] == 0 {
		t.Errorf("calls of creation were seen in %d accounts", accounts)
	}
	return g.last.Sub(g.first)
}
