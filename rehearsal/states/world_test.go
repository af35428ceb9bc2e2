package states_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/iam"
	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/journal"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	accountA = "111111111111"
	accountB = "222222222222"
	region   = "us-east-1"

	machineRole = "arn:aws:iam::" + accountA + ":role/machine"
	purgeRole   = "arn:aws:iam::" + accountB + ":role/purge"
	machineARN  = "arn:aws:states:us-east-1:" + accountA + ":stateMachine:purge"
	site        = "E1SITE"
	siteARN     = "arn:aws:cloudfront::" + accountB + ":distribution/" + site
)

// world is a machine in account A that purges a distribution of account B. CloudFront is scripted, but
// decides; accounts and sessions are the rehearsal's own.
type world struct {
	t         *testing.T
	clock     *clock.Clock
	journal   *journal.Journal
	directory *accounts.Directory
	cdn       *cdn
	service   *states.Service
	root      accounts.Caller

	mu     sync.Mutex
	events []journal.Event
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clock.New(false), journal: &journal.Journal{}}
	t.Cleanup(w.clock.Close)
	w.journal.OnEvent(func(e journal.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	})
	w.directory = accounts.New(w.clock, w.journal)
	for _, id := range []string{accountA, accountB} {
		if _, err := w.directory.Add(id); err != nil {
			t.Fatal(err)
		}
	}
	root, _ := w.directory.Root(accountA)
	w.root = root.Caller
	w.role(accountA, "machine", `{"Service":"states.amazonaws.com"}`, "", allow("sts:AssumeRole", purgeRole))
	w.role(accountB, "purge", `{"AWS":"`+accountA+`"}`, `"StringEquals":{"sts:ExternalId":"`+machineARN+`"},"ArnEquals":{"aws:PrincipalArn":"`+machineRole+`"}`,
		allow("cloudfront:*", siteARN))
	w.cdn = &cdn{directory: w.directory, clock: w.clock, completes: 8 * time.Second}
	w.service = states.New(states.Deps{
		Directory: w.directory, Clock: w.clock, Journal: w.journal, Sessions: sts.New(w.directory), Distributions: w.cdn,
		Random: func() float64 { return 1 },
	})
	t.Cleanup(func() {
		if err := w.service.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// in plays f in a bubble, where waiting costs nothing, with the committed machine made.
func in(t *testing.T, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.create(committed(t, purgeRole))
		f(t, w)
	})
}

func (w *world) role(account, name, principal, condition, policy string) {
	w.t.Helper()
	_, err := w.directory.CreateRole(accounts.Role{
		Account: account, Name: name,
		Trust:  w.parse(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + principal + `,"Condition":{` + condition + `}}`),
		Inline: map[string]iam.Document{"p": w.parse(policy)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) parse(statement string) iam.Document {
	w.t.Helper()
	d, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":` + statement + `}`))
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func allow(action, resource string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}`
}

// committed is this project's definition with its places filled in.
func committed(t testing.TB, role string) string {
	t.Helper()
	text, err := os.ReadFile("../../infra/asl/purge.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(
		"${Partition}", "aws", "${PurgeRole}", role, "${Distribution}", site, "${Machine}", machineARN, "${MachineRole}", machineRole,
	).Replace(string(text))
}

func (w *world) create(definition string) {
	w.t.Helper()
	if _, _, err := w.service.Create(context.Background(), w.root, region, states.Machine{Name: "purge", Role: machineRole, Definition: definition}); err != nil {
		w.t.Fatal(err)
	}
}

// run starts an execution and lets it come to its end, or d of time pass.
func (w *world) run(input string, d time.Duration) states.Execution {
	w.t.Helper()
	e, err := w.service.Start(context.Background(), w.root, machineARN, "", input)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.wait(e, d)
}

func (w *world) wait(e states.Execution, d time.Duration) states.Execution {
	w.t.Helper()
	for end := w.clock.Now().Add(d); e.Status == states.Running && w.clock.Now().Before(end); {
		time.Sleep(time.Second) // a bubble's time: costs nothing
		synctest.Wait()
		now, err := w.service.Describe(w.root, e.ARN)
		if err != nil {
			w.t.Fatal(err)
		}
		e = now
	}
	return e
}

// retries are the delays before the tries of a state, as the journal has them.
func (w *world) retries(state string) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []time.Duration
	for _, e := range w.events {
		if c, ok := e.Data.(states.StateChange); ok && c.State == state && c.What == "Retrying" {
			out = append(out, c.Delay)
		}
	}
	return out
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return wire.AsError(err).Code
}

// cdn is CloudFront by a script: errors come first, one a call.
type cdn struct {
	directory *accounts.Directory
	clock     *clock.Clock
	completes time.Duration

	mu      sync.Mutex
	create  []error // nil lets a call through
	look    []error
	hang    bool // until the caller gives up
	made    []cloudfront.Invalidation
	callers []accounts.Caller
	looks   int
}

func next(script *[]error) (err error) {
	if len(*script) > 0 {
		err, *script = (*script)[0], (*script)[1:]
	}
	return err
}

func (c *cdn) authorize(caller accounts.Caller, action, id string) error {
	return c.directory.Authorize(accounts.Check{Caller: caller, Action: "cloudfront:" + action, Resource: "arn:aws:cloudfront::" + accountB + ":distribution/" + id})
}

func (c *cdn) CreateInvalidation(ctx context.Context, caller accounts.Caller, id string, items []string, reference string) (cloudfront.Invalidation, bool, error) {
	if err := c.authorize(caller, "CreateInvalidation", id); err != nil {
		return cloudfront.Invalidation{}, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hang {
		c.hang = false
		<-ctx.Done()
		return cloudfront.Invalidation{}, false, ctx.Err()
	}
	if err := next(&c.create); err != nil {
		return cloudfront.Invalidation{}, false, err
	}
	inv := cloudfront.Invalidation{ID: "I1", Distribution: id, Created: c.clock.Now(), Status: cloudfront.InProgress, Items: items, Reference: reference}
	c.made, c.callers = append(c.made, inv), append(c.callers, caller)
	return inv, true, nil
}

func (c *cdn) GetInvalidation(_ context.Context, caller accounts.Caller, distribution, id string) (cloudfront.Invalidation, error) {
	if err := c.authorize(caller, "GetInvalidation", distribution); err != nil {
		return cloudfront.Invalidation{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	if err := next(&c.look); err != nil {
		return cloudfront.Invalidation{}, err
	}
	inv := c.made[len(c.made)-1]
	if inv.ID != id {
		return inv, wire.Errorf(404, "NoSuchInvalidation", "The specified invalidation does not exist.")
	}
	if c.clock.Now().Sub(inv.Created) >= c.completes {
		inv.Status = cloudfront.Completed
	}
	return inv, nil
}
