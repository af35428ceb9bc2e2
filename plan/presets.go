package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unstale/unstale/invalidation"
)

// Preset says what a plan prefers.
type Preset string

// The presets. Each minimises what it names first, and the next only among equals. Collateral is
// objects, items are what is paid for.
const (
	// Balanced is the default, and what "" means: collateral, then items; within the free paths left
	// this month, or 15 items where fewer are left.
	Balanced Preset = "balanced"
	// Gentlest: collateral, then items, whatever they cost.
	Gentlest Preset = "gentlest"
	// Cheapest: items that have to be paid, then collateral, then items.
	Cheapest Preset = "cheapest"
)

// balancedItems is how many items a balanced plan may always have.
const balancedItems = 15

// ParsePreset reads a preset; "" is Balanced.
func ParsePreset(s string) (Preset, error) {
	switch p := Preset(s); p {
	case "":
		return Balanced, nil
	case Balanced, Gentlest, Cheapest:
		return p, nil
	}
	return "", fmt.Errorf("parse preset %q: the presets are %s, %s and %s", s, Cheapest, Gentlest, Balanced)
}

// Budget is the most that may be spent; the zero value is none.
type Budget struct {
	Unit  BudgetUnit
	Items int                // per plan
	Money invalidation.Money // per month and account, what this month's earlier paths cost included
}

// BudgetUnit says what a budget counts.
type BudgetUnit uint8

// The units.
const (
	Unlimited BudgetUnit = iota
	PerPlan              // items
	PerMonth             // money
)

// ParseBudget reads "40" as items for one plan, "$5" or "$0.50" as money per month, and "" as no
// budget.
func ParseBudget(s string) (Budget, error) {
	amount, isMoney := strings.CutPrefix(s, "$")
	bad := fmt.Errorf(`parse budget %q: write a number of items such as "40", or dollars a month such as "$5"`, s)
	switch {
	case s == "":
		return Budget{}, nil
	case !isMoney:
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return Budget{}, bad
		}
		return Budget{Unit: PerPlan, Items: n}, nil
	}
	whole, cents, dotted := strings.Cut(amount, ".")
	dollars, err := strconv.ParseUint(whole, 10, 31)
	if err != nil || dotted && (cents == "" || len(cents) > 6) {
		return Budget{}, bad
	}
	micros, err := strconv.ParseUint((cents + "000000")[:6], 10, 31)
	if err != nil {
		return Budget{}, bad
	}
	return Budget{Unit: PerMonth, Money: invalidation.Money(dollars)*invalidation.Dollar + invalidation.Money(micros)}, nil
}

// items is how many items the budget allows when so many paths were used this month.
func (b Budget) items(used int) (n int, limited bool) {
	switch b.Unit {
	case PerPlan:
		return b.Items, true
	case PerMonth:
		left := b.Money - invalidation.Cost(used, 0)
		return invalidation.FreeLeft(used) + int(max(left, 0)/invalidation.PathPrice), true
	}
	return 0, false
}

// Infeasible says that no plan covers everything that is stale within what is allowed now.
type Infeasible struct {
	Distribution string
	Room         invalidation.Limits // what may be added to what is in progress
	Items        int                 // what the budget leaves; -1: no budget
	Wait         bool                // it becomes possible when less is in progress
}

func (e *Infeasible) Error() string {
	if e.Wait {
		return fmt.Sprintf("plan distribution %s: so much is in progress in the account that only %s and %s may be added, too few to cover what is stale; wait, then plan again",
			e.Distribution, counted(e.Room.Files, "file", "files"), counted(e.Room.Wildcards, "wildcard", "wildcards"))
	}
	return fmt.Sprintf("plan distribution %s: %s, which is what the budget and the limits leave, cannot cover what is stale; raise the budget",
		e.Distribution, counted(e.Items, "item", "items"))
}

// room is what the preset, the budget and the limits leave for paths, besides the given tags.
func (in *Input) room(t *tree, tags int) (room, error) {
	limits := in.Limits
	if limits == (invalidation.Limits{}) {
		limits = invalidation.DefaultLimits()
	}
	r := room{
		wild:  max(0, limits.Wildcards-max(0, in.InProgress.Wildcards)),
		exact: limits.Files - max(0, in.InProgress.Files) - tags, // a tag counts as a file
	}
	if r.exact < 0 {
		return r, in.infeasible(r, -1)
	}
	r.items = r.wild + r.exact
	if !r.possible(t) {
		return r, in.infeasible(r, -1)
	}
	free := invalidation.FreeLeft(in.Used) - tags
	switch in.Preset {
	case Cheapest:
		r.items = min(r.items, max(free, r.fewest(t)))
	case Gentlest:
	default:
		r.items = min(r.items, max(free, balancedItems-tags, r.fewest(t)))
	}
	if budget, limited := in.Budget.items(in.Used); limited {
		r.items = min(r.items, budget-tags)
		if r.items < 0 || !r.possible(t) {
			return r, in.infeasible(r, budget)
		}
	}
	return r, nil
}

// infeasible makes the error for what the room cannot hold; budget is -1 when there is none.
func (in *Input) infeasible(r room, budget int) error {
	return &Infeasible{
		Distribution: in.Distribution.ID, Room: invalidation.Limits{Files: max(0, r.exact), Wildcards: r.wild},
		Items: budget, Wait: budget < 0,
	}
}
