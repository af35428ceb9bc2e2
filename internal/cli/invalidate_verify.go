package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/invalidation"
)

// verifyFlag is --verify, which is on, with pages to look at besides: --verify=PATH[,PATH]. As with other flags
// whose value may be left out, the value has an equals sign before it; a word after the flag is an argument.
type verifyFlag struct {
	off   bool
	pages []string
}

// noValue is what pflag sets where no value is given. It stands in the help.
const noValue = "PATH,..."

// Set takes what stands after the equals sign.
func (v *verifyFlag) Set(text string) error {
	if text == noValue {
		v.off = false
		return nil
	}
	if on, err := strconv.ParseBool(text); err == nil {
		v.off = !on
		return nil
	}
	for page := range strings.SplitSeq(text, ",") {
		if !strings.HasPrefix(page, "/") || strings.ContainsAny(page, `*#\ `) {
			return fmt.Errorf("%q is not the path of one page, such as /docs/", page)
		}
		v.pages = append(v.pages, page)
	}
	v.off = false
	return nil
}

// String is empty, so that the help shows no default.
func (*verifyFlag) String() string { return "" }

// Type is empty: the help shows the value after an equals sign.
func (*verifyFlag) Type() string { return "" }

// typedKey is where a context has the words of the command line.
type typedKey struct{}

// typed gives a context the words of the command line, for what a parser does not tell: which stood together.
func typed(ctx context.Context, args []string) context.Context {
	return context.WithValue(ctx, typedKey{}, args)
}

// mistakenForValue is the error of an item that looks as if it were meant to be --verify's value: whoever reads
// "--verify /care" as in other programs would pay for purging /care. Where nothing else is to be purged it can
// only be an item.
func mistakenForValue(ctx context.Context, others bool) error {
	args, _ := ctx.Value(typedKey{}).([]string)
	at := slices.Index(args, "--verify") + 1
	if end := slices.Index(args, "--"); !others || at == 0 || at == len(args) || end >= 0 && end < at {
		return nil
	}
	item := args[at]
	if !strings.HasPrefix(item, "/") && !strings.HasPrefix(item, "#") {
		return nil
	}
	try := fmt.Sprintf("'%s' before --verify, if it is to be purged", item)
	if strings.HasPrefix(item, "/") {
		try = fmt.Sprintf("--verify=%s to look at it; %s", item, try)
	}
	return usage{withTry(fmt.Errorf("--verify takes a value only after an equals sign, so %s would be purged: nothing was done", item), "%s", try)}
}

// lookable refuses pages to look at that no item covers: nobody knows that they are not older than the purge.
// Which pages a tag covers is the owner's to know.
func lookable(pages []string, items []invalidation.Item) error {
	if len(items) == 0 || slices.ContainsFunc(items, invalidation.Item.Tag) {
		return nil
	}
	for _, page := range pages {
		if !coveredBy(items, page) {
			return usage{withTry(fmt.Errorf("--verify=%s names a page that no item covers, so what viewers get of it may rightly be old", page), "'%s' among the items, or --verify without it", page)}
		}
	}
	return nil
}

// coveredBy reports whether an item covers a page.
func coveredBy(items []invalidation.Item, page string) bool {
	page, _, _ = strings.Cut(page, "?")
	return slices.ContainsFunc(items, func(i invalidation.Item) bool { return !i.Tag() && i.Covers(page) })
}

// verifying settles what is to be looked at. Nobody looks where nobody waits for completion.
func (i *invalidator) verifying(wait time.Duration) error {
	var hurried []string // targets that are not waited for, as the targets file has it
	for _, t := range i.targets {
		if t.Wait != nil && *t.Wait == 0 {
			hurried = append(hurried, t.Name)
		}
	}
	switch {
	case len(i.looks) > 0 && i.noVerify:
		return usage{withTry(errors.New("--verify names pages to look at, and --no-verify says not to look"), "one of them")}
	case len(i.looks) > mostPages:
		return usage{withTry(fmt.Errorf("--verify names %d pages, more than %d", len(i.looks), mostPages), "fewer pages")}
	case i.verifyGiven && wait == 0:
		return usage{withTry(errors.New("--verify says to look once it is completed, and --wait none says not to wait for that"), "one of them")}
	case i.verifyGiven && len(hurried) > 0 && len(hurried) == len(i.targets):
		return usage{withTry(fmt.Errorf("--verify says to look once it is completed, and the targets file says wait: none of %s", hurried[0]), "--wait 10m beside --verify")}
	case i.verifyGiven && len(hurried) > 0:
		i.warn(fmt.Sprintf("the targets file says wait: none of %s, so nobody looks there; --wait 10m waits for all", strings.Join(hurried, ", ")))
	}
	return lookable(i.looks, i.items)
}
