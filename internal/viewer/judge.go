package viewer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// judge says whether the content is what it has to be, and why not.
func (p *Page) judge(expect Expectation, b body, location string) {
	p.CRC32, p.Size = b.decoded.CRC32, b.decoded.Size
	if expect.Gone {
		p.judgeGone(expect, b)
		return
	}
	made := p.madeByFunction()
	p.Compared = expect.HasSum && expect.Size <= b.limit && !made
	p.Matches = expect.HasSum && b.is(expect.sum()) && !made
	switch {
	case p.Status >= 500, p.Status >= 400 && !expect.MayFail && !p.Asks():
		p.Why = fmt.Sprintf("answered %d", p.Status)
	case made:
		// A redirect, a question for a password or the like, which is no content of the release, and not stale either.
	case p.Status >= 300 && expect.HasSum:
		p.Why = fmt.Sprintf("answered %d, a redirect to %q, instead of %s", p.Status, location, expect.Key)
	case expect.HasSum && !p.Matches:
		p.Why = fmt.Sprintf("served %s instead of the release's %s, %s", p.content(expect, b), expect.Key, expect.sum())
	}
}

// judgeGone says whether a removed object is still served, or something that cannot be in its place.
func (p *Page) judgeGone(expect Expectation, b body) {
	p.Compared = len(expect.Before) > 0 || expect.Instead != nil
	switch {
	case p.Status < 300 && slices.ContainsFunc(expect.Before, b.is):
		p.Why = fmt.Sprintf("still served %s, which the release removed (%s)", expect.Key, p.decoded())
	case expect.Instead == nil && p.Status < 500, p.madeByFunction() && p.Status < 500:
		p.Matches = p.Compared
	default:
		p.Matches = slices.ContainsFunc(expect.Instead, func(a Answer) bool {
			return a.Status == p.Status && (!a.HasSum || b.is(a.Sum))
		})
	}
	if p.Why == "" && !p.Matches && (expect.Instead != nil || p.Status >= 500) {
		p.Why = fmt.Sprintf("answered %d, %s, although the release removed %s", p.Status, p.decoded(), expect.Key)
		if len(expect.Instead) > 0 {
			p.Why += "; " + alternatives(expect.Instead) + " would be right"
		}
	}
}

// alternatives lists answers, each once.
func alternatives(answers []Answer) string {
	var texts []string
	for _, a := range answers {
		text := fmt.Sprint(a.Status)
		if a.HasSum {
			text += " with " + a.Sum.String()
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, " or ")
}

// date says whether the answer is older than it may be: oldest is the greatest age of one that was
// made after the invalidation.
func (p *Page) date(oldest time.Duration, purged bool) {
	p.Old = time.Duration(p.Age)*time.Second > oldest
	said := fmt.Sprintf("an answer %d s old, from before the invalidation was created", p.Age)
	switch {
	case p.Old && p.Why != "":
		p.Why += ", " + said
	case p.Old && purged:
		p.Why = "served " + said
	}
}

// madeByFunction reports whether a function at the edge answered by itself. Source: developer guide,
// standard logs, x-edge-result-type; X-Cache says the same.
func (p *Page) madeByFunction() bool {
	made, _, _ := strings.Cut(p.XCache, " ")
	return (made == "FunctionGeneratedResponse" || made == "LambdaGeneratedResponse") && p.Status != http.StatusOK
}

// Asks reports whether a function at the edge asks viewers for a password, so that nobody without one gets more.
func (p *Page) Asks() bool { return p.Status == http.StatusUnauthorized && p.madeByFunction() }

// content tells what was served in place of the release.
func (p *Page) content(expect Expectation, b body) string {
	switch {
	case slices.ContainsFunc(expect.Before, b.is):
		return "what an earlier release had there, " + p.decoded().String()
	case b.long:
		return fmt.Sprintf("more than %d bytes", b.limit)
	case b.raw == b.decoded && b.coding != "identity":
		return fmt.Sprintf("%s encoded as %q", p.decoded(), b.coding)
	}
	return p.decoded().String()
}

func (p *Page) decoded() Sum { return Sum{p.CRC32, p.Size} }

// String is for people.
func (s Sum) String() string { return fmt.Sprintf("%d bytes (crc32 %08x)", s.Size, s.CRC32) }
