package viewer

import (
	"slices"
	"strings"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// Sum is the fingerprint of a content: the IEEE CRC-32 that archives hold, and the length in bytes.
type Sum struct {
	CRC32 uint32
	Size  int64
}

// Expectation is what a page has to be.
type Expectation struct {
	Path   string // URL path, percent-encoded, beginning with "/"; a query may follow
	Key    string // the release's object it is about; "" when there is none
	HasSum bool   // CRC32 and Size are known; otherwise only the age is judged
	CRC32  uint32 // IEEE, of the content after content codings
	Size   int64  // bytes, likewise
	// MayFail is for a page nobody promised (the "/" of a distribution without a root object, a key
	// whose URL a function may take for a directory): an answer of 4xx is judged by its age like any
	// other.
	MayFail bool
	// Gone is for an object that the release removed: the page must not serve it any more, that is
	// nothing of Before. Instead, where it is set, is all that may be there.
	Gone    bool
	Instead []Answer
	// Before are contents that caches may hold of the page from earlier releases.
	Before []Sum
}

// Answer is an answer in place of a removed object.
type Answer struct {
	Status int  // HTTP status
	HasSum bool // Sum is known; otherwise any content will do
	Sum    Sum
}

// sum is the content that the page has to have.
func (e *Expectation) sum() Sum { return Sum{e.CRC32, e.Size} }

// hold makes the expectation one of an object's content, where its fingerprint can be compared.
func (e *Expectation) hold(o site.Object) {
	e.Key = o.Key
	if o.Kind() == site.CRC32Size {
		e.HasSum, e.CRC32, e.Size = true, o.CRC32, o.Size
	}
}

// most is how many changed URLs are looked at, besides those that are looked at anyway.
const most = 100

// Expect makes the expectations of a release: of the distribution's entry points, of the paths
// somebody wants verified, and of URLs that serve what changed since the known releases, each path
// once. Of more than 100 changed URLs 100 are chosen by a hash of the release's name and the URL, so
// that each release looks at others, and the same one always at the same. Without known releases,
// what changed is not known either.
//
// "/" and paths that are no key of the release (routes of a single-page app) have to serve the root
// object, or the page that the distribution has for errors. A path like "/docs/" for which the
// release holds "docs/index.html" might serve either, so only its age is judged.
func Expect(in plan.Input, verify []string, release string) []Expectation {
	x := expecter{in: in, addresses: in.Addresses()}
	var all []Expectation
	at := map[string]int{}
	for _, path := range append(in.Distribution.EntryPoints(), verify...) {
		if _, twice := at[path]; twice {
			continue
		}
		expect := x.promised(path)
		expect.MayFail = expect.MayFail || path == "/" && in.Distribution.DefaultRootObject == "" && !slices.Contains(verify, path)
		at[path] = len(all)
		all = append(all, expect)
	}
	if in.Release == nil || len(in.Known) == 0 {
		return all
	}
	s := sample{release: release}
	for row := range site.Join(in.Release, in.Known...) {
		served, addresses := x.addresses.Changed(row)
		for _, address := range addresses {
			if i, promised := at[address.Path]; promised {
				all[i].Before = before(row)
			} else if s.wants(address.Path) {
				s.add(x.changed(address, served, row))
			}
		}
	}
	return append(all, s.chosen()...)
}

// expecter knows what is where.
type expecter struct {
	in        plan.Input
	addresses *plan.Addresses
}

// promised is the expectation of a path that has to be there.
func (x *expecter) promised(path string) Expectation {
	expect := Expectation{Path: path}
	key, served := x.addresses.Key(path)
	if !served {
		return expect
	}
	has := x.lookup(key)
	if !has.may {
		for _, other := range []string{strings.TrimSuffix(key, "/") + "/index.html", key + ".html"} {
			if x.lookup(other).may && key != "" {
				return expect
			}
		}
		has = x.fallback()
	}
	if has.sure {
		expect.hold(has.object)
	}
	expect.MayFail = has.may && !has.sure
	return expect
}

// left is what the bucket has under a key.
type left struct {
	object site.Object
	may    bool // it may have something
	sure   bool // it surely has the object
}

// lookup finds the release's object, or what earlier ones left where deploys do not delete. Which of them was
// deployed last, or at all, is not known.
func (x *expecter) lookup(key string) left {
	object, found := x.in.Release.Lookup(key)
	has := left{object, found, found}
	if found || x.in.Deletes || x.in.Release == nil {
		return has
	}
	for i, known := range x.in.Known {
		object, found := known.Lookup(key)
		has.may = has.may || found
		has.sure = found && (i == 0 || has.sure && object.Same(has.object))
		has.object = object
	}
	return has
}

// fallback finds what routes serve: the page of the errors, and without one the root object, which a
// function may serve.
func (x *expecter) fallback() left {
	var keys []string
	for _, e := range x.in.Distribution.Errors {
		if e.PagePath == "" || e.Code != 403 && e.Code != 404 {
			continue
		}
		key, served := x.addresses.Key(e.PagePath)
		if !served {
			return left{}
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 && x.in.Distribution.DefaultRootObject != "" {
		if key, served := x.addresses.Key("/"); served {
			keys = append(keys, key)
		}
	}
	if len(keys) != 1 { // which of them depends on what S3 answers
		return left{}
	}
	return x.lookup(keys[0])
}

// changed is the expectation of a URL that serves what changed.
func (x *expecter) changed(at plan.Address, served *site.Object, row site.Row) Expectation {
	expect := Expectation{Path: at.Path, Key: at.Key, MayFail: at.Doubt, Before: before(row)}
	switch {
	case served == nil:
		x.gone(&expect, at.Doubt)
	case row.New == nil && slices.ContainsFunc(row.Old, func(o *site.Object) bool { return o == nil || !o.Same(*served) }):
		expect.MayFail = true // what the bucket has there depends on a deploy that may not have been
	case !at.Doubt:
		expect.hold(*served)
	}
	return expect
}

// gone fills in what may be served in place of a removed object. A page that serves the very content
// that was removed proves nothing, so that content is not held against it.
func (x *expecter) gone(expect *Expectation, doubt bool) {
	expect.Gone = true
	answers, certain := x.addresses.Instead(expect.Path)
	for _, a := range answers {
		answer := Answer{Status: a.Status}
		if a.Key != "" {
			has := x.lookup(a.Key)
			certain = certain && has.sure // else the page's own error may be served
			if answer.HasSum = has.sure && has.object.Kind() == site.CRC32Size; answer.HasSum {
				answer.Sum = Sum{has.object.CRC32, has.object.Size}
				expect.Before = slices.DeleteFunc(expect.Before, func(s Sum) bool { return s == answer.Sum })
			}
		}
		expect.Instead = append(expect.Instead, answer)
	}
	if doubt || !certain {
		expect.Instead = nil
	}
}

// before are the contents that earlier releases had under a key, as far as they can be compared.
func before(row site.Row) (sums []Sum) {
	for _, old := range row.Old {
		if old == nil || old.Kind() != site.CRC32Size {
			continue
		}
		if sum := (Sum{old.CRC32, old.Size}); !slices.Contains(sums, sum) {
			sums = append(sums, sum)
		}
	}
	return sums
}
