package plan

import (
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

// Address is a URL under which a distribution serves a key.
type Address struct {
	Path string // begins with "/", percent-encoded as browsers ask for it, without a query string
	Key  string // of the release, as site.Object has it
	// Doubt says that the URL need not serve the key: a function, a bucket's website or the other
	// origins of a group may answer something else.
	Doubt bool
}

// Instead is how an origin's error reaches viewers.
type Instead struct {
	Status int    // HTTP status that viewers get
	Key    string // of the release, whose content they get with it; "" when that is not known
}

// Addresses knows which URLs serve which keys. It is not for several goroutines.
type Addresses struct{ s *survey }

// Addresses is made of the distribution, and of how the release lies behind it: Deletes, Bucket and
// Prefix. Without Origins a URL's path is taken for its key.
func (in Input) Addresses() *Addresses { return &Addresses{newSurvey(&in)} }

// Places are the paths at which the distribution's origins have a key of the release, encoded as
// invalidation.EncodeKey writes them: none where no origin serves it. Aliases and what functions make of
// URIs are left to Changed.
func (a *Addresses) Places(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(a.s.d.Origins) == 0 {
			yield(invalidation.EncodeKey(key))
			return
		}
		for i := range a.s.mounts {
			if name, found := a.s.name(&a.s.mounts[i], key); found && !yield(invalidation.EncodeKey(name)) {
				return
			}
		}
	}
}

// Changed says where viewers have to meet a change, and what: nil where they must not find the old
// object any more. There are no addresses where nothing changed for them: no behavior serves the key,
// the deploy left it in the bucket, or a plan leaves what is gone in the caches because its name is
// made from its content.
func (a *Addresses) Changed(row site.Row) (served *site.Object, at []Address) {
	row, what, _ := a.s.deployed(row)
	if what == site.Unchanged || what == site.Removed && hashed(row.Key) {
		return row.New, nil
	}
	add := func(v *view, spelled spelling, doubt bool) {
		// S3 reads a "+" in a URL as a blank, so the key is reached by "%2B".
		path := "/" + strings.ReplaceAll(spelled.asked, "+", "%2B")
		if !slices.ContainsFunc(at, func(known Address) bool { return known.Path == path }) {
			at = append(at, Address{path, row.Key, doubt || len(v.Origins) > 1})
		}
	}
	for i := range a.s.mounts {
		name, found := a.s.name(&a.s.mounts[i], row.Key)
		if !found {
			continue
		}
		spelled := a.s.speller.spell(name)
		if v := a.s.view(spelled.asked); v.ours[i] {
			// What rewrites takes names without an extension for directories or routes.
			add(v, spelled, v.moves() && !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], "."))
		}
		a.s.others(i, name, spelled.path, func(v *view, alias spelling, as role) {
			add(v, alias, as == indexURL && a.s.mounts[i].website && !strings.HasSuffix(alias.asked, "/"))
		})
	}
	return row.New, at
}

// Key is the key that a URL's path asks for; served is false where it asks for nothing that could be
// in the release. For "/" it is that of the default root object, "" without one.
func (a *Addresses) Key(path string) (key string, served bool) {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "?")
	name, err := url.PathUnescape(path)
	if err != nil {
		name = path
	}
	if name == "" {
		name = a.s.d.DefaultRootObject
	}
	if len(a.s.d.Origins) == 0 {
		return name, true
	}
	v := a.s.view(path)
	for i, m := range a.s.mounts {
		if rest, below := strings.CutPrefix(name, m.add); below && v.ours[i] {
			return m.cut + rest, true
		}
	}
	return "", false
}

// Instead lists what viewers may get at a path under which the bucket has nothing: S3 says 403 or 404,
// depending on whether the distribution may list it. certain is false where a function, a bucket's
// website or another origin may answer something else. A page that is not in the bucket is not served:
// its own error is.
func (a *Addresses) Instead(path string) (answers []Instead, certain bool) {
	certain = true
	for _, code := range []int{403, 404} {
		answer := Instead{Status: code}
		for _, e := range a.s.d.Errors {
			if e.Code == code && e.PagePath != "" {
				key, served := a.Key(e.PagePath)
				answer.Key, certain = key, certain && served // another origin may have the page, or not
				if e.ResponseCode != 0 {
					answer.Status = e.ResponseCode
				}
			}
		}
		answers = append(answers, answer)
	}
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "?")
	v := a.s.view(path)
	certain = certain && len(v.Origins) == 1 && !v.moves() && !v.blind && slices.Contains(v.ours, true)
	for i, m := range a.s.mounts {
		certain = certain && !(v.ours[i] && m.website)
	}
	return answers, certain
}
