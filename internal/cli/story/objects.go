package story

import (
	"context"
	"crypto/md5" // S3 names contents by it
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Object is what viewers of one point of presence got of one object of the site: when release 1 was
// cached, and after release 2.
type Object struct {
	URL    string  `json:"url"`
	Key    string  `json:"key"` // in the site's bucket
	POP    string  `json:"pop"`
	Change string  `json:"change"` // by release 2: one of the words below
	Before *Served `json:"before,omitempty"`
	After  *Served `json:"after,omitempty"`
}

// What a release does to an object.
const (
	Unchanged = "unchanged"
	Changed   = "changed"
	Added     = "added"
)

// Served is one answer.
type Served struct {
	Status  int    `json:"status"`
	XCache  string `json:"xCache"`
	Age     int    `json:"age"`     // seconds; 0 when the answer has none
	MD5     string `json:"md5"`     // of the content
	Release string `json:"release"` // whose bytes these are: "1", "2", "1 and 2", or "" for neither's
}

// mostObjects bounds how many of a site's objects viewers look at. The demo's sites have fewer.
const mostObjects = 200

// site is the objects of a site and what viewers got of them.
type site struct {
	bucket        string // "" when it is not known: then nothing is looked at
	first, second map[string]string
	objects       []Object
}

// warm has viewers of every point of presence look at the site of release 1 twice: the second time
// it is cached.
func (s *Stage) warm(ctx context.Context) (site, error) {
	t := site{bucket: s.Outputs["SiteBucketName"]}
	if t.bucket == "" {
		return t, nil
	}
	var err error
	if t.first, err = s.listing(ctx, siteAccount(s.options.Route), t.bucket); err != nil {
		return t, err
	}
	keys := slices.Sorted(maps.Keys(t.first))
	if step := (len(keys) + mostObjects - 1) / mostObjects; step > 1 {
		for i := range mostObjects {
			keys[i] = keys[min(i*step, len(keys)-1)]
		}
		keys = slices.Compact(keys[:mostObjects])
	}
	if _, ok := t.first[root]; ok {
		t.add(s, entry, root)
	}
	for _, key := range keys {
		t.add(s, (&url.URL{Path: "/" + key}).EscapedPath(), key)
	}
	for range 2 {
		err := s.lookAll(ctx, t.objects, func(o *Object, v View) { o.Before = t.served(o.Key, v) })
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// root is what the distribution answers "/" with.
const root = "index.html"

func (t *site) add(s *Stage, path, key string) {
	for _, pop := range s.World.POPs() {
		t.objects = append(t.objects, Object{URL: "https://" + s.Outputs["DistributionDomain"] + path, Key: key, POP: pop.Name, Change: Unchanged})
	}
}

// again has the same viewers look once more, after release 2. What they got of the entry page they have
// looked at already.
func (s *Stage) again(ctx context.Context, t *site, seen []View) error {
	if t.bucket == "" {
		return nil
	}
	var err error
	if t.second, err = s.listing(ctx, siteAccount(s.options.Route), t.bucket); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(t.second)) {
		if _, old := t.first[key]; !old {
			t.add(s, (&url.URL{Path: "/" + key}).EscapedPath(), key)
		}
	}
	for i := range t.objects {
		switch o := &t.objects[i]; {
		case t.first[o.Key] == "":
			o.Change = Added
		case t.first[o.Key] != t.second[o.Key]:
			o.Change = Changed
		}
		if o := &t.objects[i]; o.Before != nil {
			o.Before.Release = t.release(o.Key, o.Before.MD5)
		}
	}
	for i := range t.objects {
		o := &t.objects[i]
		if j := slices.IndexFunc(seen, func(v View) bool { return v.URL == o.URL && v.POP == o.POP }); j >= 0 {
			o.After = t.served(o.Key, seen[j])
		}
	}
	return s.lookAll(ctx, t.objects, func(o *Object, v View) {
		if o.After == nil {
			o.After = t.served(o.Key, v)
		}
	})
}

func (t *site) served(key string, v View) *Served {
	return &Served{Status: v.Status, XCache: v.XCache, Age: v.Age, MD5: v.sum, Release: t.release(key, v.sum)}
}

// list is the objects, never nil: so JSON has a list.
func (t *site) list() []Object { return append([]Object{}, t.objects...) }

// release is whose bytes an answer has.
func (t *site) release(key, sum string) string {
	one, two := t.first[key] == sum, t.second[key] == sum
	switch {
	case one && two:
		return "1 and 2"
	case one:
		return "1"
	case two:
		return "2"
	}
	return ""
}

// lookAll fetches objects, at all points of presence at the same time.
func (s *Stage) lookAll(ctx context.Context, objects []Object, got func(*Object, View)) error {
	eyes, err := s.eyes()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, e := range eyes {
		g.Go(func() error {
			defer e.client.CloseIdleConnections()
			for i := range objects {
				if objects[i].POP != e.pop {
					continue
				}
				v, err := e.look(ctx, objects[i].URL)
				if err != nil {
					return err
				}
				got(&objects[i], v)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("look at the site: %w", err)
	}
	return nil
}

// siteAccount is the account that has a route's site.
func siteAccount(route string) string {
	_, b := AccountsOf(route)
	return b
}

// sumOf is S3's ETag of a content.
func sumOf(body []byte) string {
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:])
}
