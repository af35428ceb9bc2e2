package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Ambiguous is a word in a list of what to delete that fits more than one thing: stacks give the same logical
// ID to different things, so that it may mean what is in the other account, too.
type Ambiguous struct {
	Word  string
	Meant []Meant // two or more
}

// Meant is something that a word may mean.
type Meant struct {
	Account string
	Item
}

func (a *Ambiguous) Error() string {
	var all []string
	for _, m := range a.Meant {
		all = append(all, fmt.Sprintf("%s %s of account %s", word(m.Type), m.Name, m.Account))
	}
	return fmt.Sprintf("%s may mean the %s", a.Word, strings.Join(all, ", or the "))
}

// Names are those that tell apart what a word may mean.
func (a *Ambiguous) Names() []string {
	var out []string
	for _, m := range a.Meant {
		out = append(out, m.Name)
	}
	return out
}

// heed checks that each word in a list of what to delete means one thing, and notes what is not found. kinds is
// what could be named, types by logical ID; others is what has the name of something of ours.
func (r *Removal) heed(also []string, kinds map[string]string, others []*NotOurs) error {
	for _, name := range also {
		meant, decides := r.meant(name)
		at := slices.IndexFunc(others, func(n *NotOurs) bool { return n.Name == name || n.logicalID == name })
		switch kind := kinds[name]; {
		case len(meant) > 1 && decides:
			return &Ambiguous{name, meant}
		case r.goes(name):
		case at >= 0:
			return others[at]
		case kind == "":
			return &NotRetained{name, slices.Sorted(maps.Keys(kinds))}
		default:
			r.Missing = append(r.Missing, Item{LogicalID: name, Type: kind})
		}
	}
	return nil
}

// meant is what has a name among all that there is of the types that templates retain, and whether anything is
// deleted only because it has: what goes with its stack anyway is no matter of words.
func (r *Removal) meant(name string) (all []Meant, decides bool) {
	for _, s := range r.Stacks {
		for _, i := range slices.Concat(s.Goes, s.Stays) {
			if i.among([]string{name}) && (i.retained || word(i.Type) != i.Type) {
				all, decides = append(all, Meant{s.Account, i}), decides || i.retained
			}
		}
	}
	for _, l := range r.Left {
		if l.among([]string{name}) {
			all, decides = append(all, Meant{l.Account, l.Item}), true
		}
	}
	return all, decides
}

// goes says whether something of a name is deleted.
func (r *Removal) goes(name string) bool {
	is := func(i Item) bool { return i.among([]string{name}) }
	return slices.ContainsFunc(r.Stacks, func(s Doomed) bool { return slices.ContainsFunc(s.Goes, is) }) ||
		slices.ContainsFunc(r.Left, func(l Leftover) bool { return l.Goes && is(l.Item) })
}

// Word is what the next Destroy takes for an item that this one leaves: its logical ID, or its name where
// something else has that, too.
func (r *Removal) Word(i Item) string {
	n := 0
	for _, s := range r.Stacks {
		for _, other := range s.Stays {
			if other.LogicalID == i.LogicalID {
				n++
			}
		}
	}
	for _, l := range r.Left {
		if !l.Goes && l.LogicalID == i.LogicalID {
			n++
		}
	}
	if n > 1 {
		return i.Name
	}
	return i.LogicalID
}
