package oracle

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// queries and encodings are what viewers add to a URL.
var (
	queries   = []string{"", "", "", "?x=1", "?y=2", "?y=2&x=1", "?x=~%C3%A9"}
	encodings = []string{"gzip, deflate, br", "gzip", "identity"}
	routes    = []string{"/zz/", "/zz/deep", "/users"} // as they are declared, when they are
	popular   = []string{"/", "/", "/users", "/zz/deep"}
	unknown   = []string{"/zz", "/zz.html", "/a/", "/a", "/about", "/live/", "/live", "/ab/", "/c", "/%C3%A9"}
)

// list finds out under which URLs anything may be asked for.
func (d *oracle) list() {
	var all []string
	for _, key := range d.keys {
		for _, path := range d.urlsOf(key) {
			all = append(all, path)
			d.ours[path] = true
		}
	}
	all = append(append(all, routes...), "/")
	if d.in.Routes == nil {
		for _, key := range append(slices.Clone(beside), d.keys...) {
			all = append(all, paths(key)[0])
		}
		all = append(all, unknown...)
	}
	slices.Sort(all)
	d.urls = slices.Compact(all)
}

// urlsOf are the URLs' paths of a key below the origin paths that the distribution has.
func (d *oracle) urlsOf(key string) (all []string) {
	for _, o := range d.distribution.Config.Origins {
		if below, found := strings.CutPrefix("/"+d.prefix+key, o.Path+"/"); found && o.Bucket() == "site" && below != "" {
			all = append(all, paths(below)...)
		}
	}
	return all
}

// visit has viewers ask: nobody, some, or for everything. Nobody knows an asset before it is there.
func (d *oracle) visit(when string) {
	t := d.world.t
	var requests []request
	switch rapid.IntRange(0, 3).Draw(t, when) {
	case 0:
	case 1:
		for _, url := range d.urls {
			requests = append(requests, request{len(requests) % 2, "GET", url, encodings[0], "en"})
		}
		fallthrough
	default:
		requests = append(requests, rapid.SliceOfN(d.viewer(), 0, 30).Draw(t, "requests")...)
	}
	for _, r := range requests {
		if d.known(r.url) {
			d.get(r)
			d.log[r] = true
		}
	}
}

// known reports whether viewers can know a URL. Where routes are declared, viewers keep to them and
// to what is there: who asks for what is gone gets the page for errors under a URL that is no route.
func (d *oracle) known(url string) bool {
	path, _, _ := strings.Cut(url, "?")
	if d.in.Routes != nil && d.ours[path] && d.now(path).err {
		return false
	}
	return !d.assetOf(url, func(key string) bool { return d.asset[key] == "" })
}

func (d *oracle) viewer() *rapid.Generator[request] {
	return rapid.Custom(func(t *rapid.T) request {
		from := d.urls
		if rapid.IntRange(0, 3).Draw(t, "popular") == 0 {
			from = popular
		}
		return request{
			pop: rapid.IntRange(0, 1).Draw(t, "pop"), method: rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD"}).Draw(t, "method"),
			url:      rapid.SampledFrom(from).Draw(t, "url") + rapid.SampledFrom(queries).Draw(t, "query"),
			encoding: rapid.SampledFrom(encodings).Draw(t, "encoding"), language: rapid.SampledFrom([]string{"en", "de"}).Draw(t, "language"),
		}
	})
}

// pass lets time pass.
func (d *oracle) pass() {
	d.clock.Advance(rapid.SampledFrom([]time.Duration{0, 0, time.Second, 3 * time.Second, 20 * time.Second, 90 * time.Second, 2 * time.Hour}).Draw(d.world.t, "time"))
}

// everything is whatever was asked for, and every URL there is at every point of presence. Whoever
// looks is a viewer too, and nobody may know what he asks for unless the day ends.
func (d *oracle) everything(last bool) []request {
	var all []request
	for r := range d.log {
		r.method = "GET" // HEAD has the same entry, and says less
		if last || d.known(r.url) {
			all = append(all, r)
		}
	}
	for i, url := range d.urls {
		if last || d.known(url) {
			all = append(all, request{0, "GET", url, encodings[i%3], "en"}, request{1, "GET", url, encodings[(i+1)%3], "en"})
		}
	}
	return all
}
