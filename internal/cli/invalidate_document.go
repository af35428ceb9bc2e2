package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/fleet/runs"
	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/viewer"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
)

// invalidateVersion is the version of docs/schemas/invalidate.schema.json.
const invalidateVersion = 1

// invalidateDocument is what a run came to. Its JSON is a contract: see the schema.
type invalidateDocument struct {
	Version     int                `json:"version"`
	Run         string             `json:"run,omitempty"` // its name, for --resume; none of a dry run
	Release     string             `json:"release,omitempty"`
	DryRun      bool               `json:"dryRun"`
	Interrupted bool               `json:"interrupted"`
	Outcome     fleet.Outcome      `json:"outcome"`
	Targets     []invalidateTarget `json:"targets"`
	Cost        invalidateCost     `json:"cost"`
}

type invalidateTarget struct {
	Name         string         `json:"name"`
	Route        string         `json:"route"`
	Account      string         `json:"account,omitempty"`
	Distribution string         `json:"distribution,omitempty"`
	Domain       string         `json:"domain,omitempty"`
	Outcome      fleet.Outcome  `json:"outcome"`
	Stage        string         `json:"stage"` // the last that was reached: planned, created, completed, seen or restricted
	Plan         []plan.Choice  `json:"plan"`  // empty where it is not known, or nothing is to purge
	Invalidation string         `json:"invalidation,omitempty"`
	Reference    string         `json:"reference,omitempty"`
	Items        []string       `json:"items"`                // as CloudFront has them
	Completion   float64        `json:"completion,omitempty"` // seconds from creation until it was found completed
	Seconds      float64        `json:"seconds"`
	Pages        int            `json:"pages"`    // that a viewer was seen to get
	Compared     int            `json:"compared"` // of them equal to the release's
	POP          string         `json:"pop,omitempty"`
	Unseen       []string       `json:"unseen"` // what viewers get instead of the release
	Notes        []string       `json:"notes"`
	Record       string         `json:"record,omitempty"`
	Error        string         `json:"error,omitempty"`
	Try          string         `json:"try,omitempty"`
	progress     purge.Progress // for the text
	price        invalidation.Money
	account      string
	again        bool   // the invalidation was there before this run: nothing is paid anew
	shared       string // the target before this one whose invalidation it is too; "": it is its own
}

// invalidateCost is what it costs, in US dollars, as far as is known here: paths that others invalidated in
// an account are not seen.
type invalidateCost struct {
	Paths    int           `json:"paths"` // of this run
	Price    float64       `json:"price"`
	Accounts []accountCost `json:"accounts"`
}

type accountCost struct {
	Account    string  `json:"account"`
	Paths      int     `json:"paths"` // of this run
	Price      float64 `json:"price"`
	MonthPaths int     `json:"monthPaths"` // of this month, this run's included
	MonthPrice float64 `json:"monthPrice"`
	KnownFrom  string  `json:"knownFrom"` // who counted the month's
	earlier    int     // of MonthPaths, those that were asked for before
}

// document tells what came of the targets.
func (i *invalidator) document(w *work, results []fleet.Result, interruption error) invalidateDocument {
	d := invalidateDocument{
		Version: invalidateVersion, Run: i.attempt, Release: i.deployed.name, DryRun: i.dryRun, Interrupted: interruption != nil,
		Outcome: overall(results),
	}
	if i.dryRun {
		d.Run = ""
	}
	for n, r := range results {
		t := i.target(n, r, i.advised(w, n, r))
		if t.again = w.again(n, r.Verdict.Progress); t.again {
			t.Notes = append(t.Notes[:len(t.Notes):len(t.Notes)], fmt.Sprintf("invalidation %s was there before: it was found again, and nothing is paid anew", t.Invalidation))
		}
		if t.shared = shared(d.Targets, t, i.dryRun); t.shared != "" {
			t.Notes = append(t.Notes[:len(t.Notes):len(t.Notes)], fmt.Sprintf("this is one invalidation with that of %s, and it is paid once", t.shared))
		}
		d.Targets = append(d.Targets, t)
	}
	d.Cost = cost(d.Targets, w)
	return d
}

// advised is what to do about a target. Where nobody answered the creation of an invalidation there may be one.
func (i *invalidator) advised(w *work, n int, r fleet.Result) string {
	try, p := w.advised(i.targets[n], r.Err, r.Try), r.Verdict.Progress
	var e *gateway.Error
	if p.Reference == "" || p.ID != "" || !errors.As(r.Err, &e) || e.Status != 0 || e.Code != gateway.RequestTimeout && e.Code != gateway.NetworkError {
		return try
	}
	if try != "" {
		try += "; then "
	}
	return try + "unstale invalidate --resume " + i.attempt + ", which finds the invalidation if it was made after all"
}

// overall is the outcome that decides about the exit code.
func overall(results []fleet.Result) fleet.Outcome {
	for _, o := range []fleet.Outcome{fleet.Failed, fleet.Skipped, fleet.Stale, fleet.InProgress} {
		if slices.ContainsFunc(results, func(r fleet.Result) bool { return r.Outcome == o }) {
			if o == fleet.Skipped {
				return fleet.Failed
			}
			return o
		}
	}
	return fleet.Done
}

func (i *invalidator) target(n int, r fleet.Result, try string) invalidateTarget {
	t, v := i.targets[n], r.Verdict
	out := invalidateTarget{
		Name: t.Name, Route: string(t.Route), Account: t.Account, Distribution: t.Distribution, Domain: v.Distribution.Domain,
		Outcome: r.Outcome, Stage: v.Progress.Stage.Name(), Plan: v.Plan.Items, Invalidation: v.Progress.ID, Reference: v.Progress.Reference,
		Items: v.Items, Completion: v.Took.Seconds(), Seconds: r.Took.Seconds(), Notes: v.Notes, Record: r.Record, Try: byHand.Replace(try),
		Pages: v.Progress.Pages, Compared: v.Progress.Compared, POP: v.Progress.POP, Unseen: unseen(v.Report),
		progress: v.Progress, price: v.Plan.Price, account: runs.Account(t),
	}
	if v.Progress.Distribution != "" {
		out.Distribution = v.Progress.Distribution
	}
	if out.Distribution == "" {
		out.Distribution = v.Distribution.ID
	}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	if out.Plan == nil {
		out.Plan = []plan.Choice{}
	}
	if out.Items == nil {
		out.Items = []string{}
	}
	if out.Notes == nil {
		out.Notes = []string{}
	}
	return out
}

// anew is how a person begins an attempt that finds nothing of this one.
const anew = "run the command again, with another --attempt if you named one"

// byHand says for people what a purge says for pipelines.
var byHand = strings.NewReplacer(
	"retry the stage, or run the command anew", anew,
	"retry the stage: another invalidation is made", anew+": it makes another invalidation",
	"retry the stage: a new attempt", anew+": a new attempt",
	"retry the stage", "run the same command again",
	"the function can reach", "this machine can reach",
	"the deploy action ran before this one, and that it deploys this artifact", "this release was deployed before this command ran, and",
	"the deploy action runs before this one in the same stage, and that it extracts this artifact into", "this release is deployed before this command runs, and into",
)

// mostUnseen is how many pages are listed that are not the release's.
const mostUnseen = 20

func unseen(r viewer.Report) []string {
	all := []string{}
	for _, p := range r.Stale() {
		if len(all) == mostUnseen {
			break
		}
		all = append(all, p.String())
	}
	return all
}

// shared names the target whose invalidation another one's is, or would be: the same items of the same
// distribution have the same reference, so CloudFront makes one of them.
func shared(before []invalidateTarget, t invalidateTarget, dry bool) string {
	if t.Distribution == "" {
		return ""
	}
	for _, b := range before {
		switch {
		case b.Distribution != t.Distribution || b.Invalidation != t.Invalidation:
		case t.Invalidation != "" || dry && len(t.Plan) > 0 && slices.Equal(asked(b.Plan), asked(t.Plan)):
			return b.Name
		}
	}
	return ""
}

// asked are a plan's items in the order that makes its reference.
func asked(choices []plan.Choice) (items []invalidation.Item) {
	for _, c := range choices {
		items = append(items, c.Item)
	}
	slices.Sort(items)
	return items
}

// paths is how many paths a target has to pay, or would have to.
func (t invalidateTarget) paths(dry bool) int {
	if dry {
		return len(t.Plan)
	}
	if t.Invalidation == "" {
		return 0
	}
	return t.progress.Paths
}

// sum is how many paths an account has to pay for.
type sum struct{ all, anew int }

// cost adds up by account. What was found again counts for the month, and was paid before.
func cost(targets []invalidateTarget, w *work) invalidateCost {
	c := invalidateCost{Accounts: []accountCost{}}
	sums, order := map[string]sum{}, []string{}
	for _, t := range targets {
		one, known := sums[t.account]
		if !known {
			order = append(order, t.account)
		}
		n := t.paths(w.dry)
		if t.shared != "" {
			n = 0
		}
		if one.all += n; !t.again {
			one.anew += n
		}
		sums[t.account] = one
	}
	for _, account := range order {
		n, before := sums[account], w.used[account]
		if n.all == 0 && before.by == "" {
			continue
		}
		earlier := before.paths + n.all - n.anew
		price := dollars(invalidation.Cost(n.anew, earlier))
		c.Paths += n.anew
		c.Price += price
		c.Accounts = append(c.Accounts, accountCost{
			Account: account, Paths: n.anew, Price: price, MonthPaths: n.anew + earlier,
			MonthPrice: dollars(invalidation.Cost(n.anew+earlier, 0)), KnownFrom: before.by, earlier: earlier,
		})
	}
	return c
}

func dollars(m invalidation.Money) float64 { return float64(m) / float64(invalidation.Dollar) }

// money is dollars as an amount.
func money(d float64) invalidation.Money {
	return invalidation.Money(d*float64(invalidation.Dollar) + 0.5)
}
