package oracle

import (
	"hash/crc32"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/site"
)

// names are keys that share prefixes, serve as index documents and error pages, or hold what is hard
// to spell; the assets are named by content.
var names = append([]string{
	"index.html", "a", "a/index.html", "a/b.html", "a/b.js", "a/b~c", "a b", "a+b", "ab/é.html", "ab/è.html", "ab*c", "ab/x[1].js",
	"ab/x(2)'.js", "c/1.html", "c/2.html", "c/3.html", "c/", "about.html", "c%41", "c?d", "a/live/1.html", "ä|b", "a#b&c=d", "A/b.html",
}, assets...)

// assets have names by which bundlers tell contents apart.
var assets = []string{"assets/app-3f2a9c1b.js", "assets/app-4e1b8d2c.js", "a/style.D3ADbe3f.css"}

// beside are keys of the release's bucket that are not the release's.
var beside = []string{"beside.html", "live.html", "lives/index.html", "a/other.html", "live/b.html"}

// history is what happened to the release's bucket.
type history struct {
	t       *rapid.T
	prefix  string // of the release in its bucket
	keys    []string
	deletes bool
	control bool // whether planners know the Cache-Control

	served  map[string]file            // what the bucket serves of the release
	asset   map[string]string          // contents of the assets that were there once
	first   map[string]file            // what each key had first
	removed map[string]bool            // keys that some release lacked
	had     map[string]map[string]bool // contents that each key had
	release site.Snapshot              // the last one alone
}

func newHistory(t *rapid.T) *history {
	h := &history{t: t, served: map[string]file{}, asset: map[string]string{}, first: map[string]file{}, removed: map[string]bool{}, had: map[string]map[string]bool{}}
	h.prefix = rapid.SampledFrom(prefixes).Draw(t, "prefix")
	h.keys = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 14, rapid.ID[string]).Draw(t, "names")
	if !slices.Contains(h.keys, "index.html") && rapid.IntRange(0, 3).Draw(t, "index") > 0 {
		h.keys = append(h.keys, "index.html")
	}
	h.keys = append(h.keys, rapid.SliceOfN(rapid.SampledFrom(assets), 0, 2).Draw(t, "assets")...)
	odd := rapid.StringMatching(`[ab][ab/ ~+é%]{0,5}[ab]`)
	h.keys = append(h.keys, rapid.SliceOfN(odd, 0, 3).Draw(t, "odd names")...)
	slices.Sort(h.keys)
	h.keys = slices.Compact(h.keys)
	h.deletes, h.control = rapid.Bool().Draw(t, "deletes"), rapid.IntRange(0, 3).Draw(t, "headers known") > 0
	return h
}

// next draws a release from what was there, and deploys it.
func (h *history) next(to *bucket) {
	release := map[string]file{}
	for _, key := range h.keys {
		old, had := h.served[key]
		switch n := rapid.IntRange(0, 9).Draw(h.t, "change"); {
		case n < 4 && had:
			release[key] = old
		case n < 5 && had:
			release[key] = file{old.content, rapid.SampledFrom(controls).Draw(h.t, "other Cache-Control"), old.tag}
		case n < 6 && h.asset[key] == "" && h.first[key].content != "": // a rollback
			release[key] = file{h.first[key].content, rapid.SampledFrom(controls).Draw(h.t, "new Cache-Control"), ""}
		case n < 8:
			release[key] = h.file(key)
		case had:
			h.removed[key] = true
		}
	}
	if !h.deletes {
		for key, f := range h.served {
			if _, replaced := release[key]; !replaced {
				to.objects[h.prefix+key] = f
			}
		}
	}
	h.release = h.snapshot(release)
	if h.deletes {
		for key := range h.served {
			delete(to.objects, h.prefix+key)
		}
		clear(h.served)
	}
	for key, f := range release {
		h.served[key], to.objects[h.prefix+key] = f, f
		if h.had[key] == nil {
			h.had[key] = map[string]bool{}
		}
		h.had[key][f.content] = true
		if _, known := h.first[key]; !known {
			h.first[key] = f
		}
		if slices.Contains(assets, key) {
			h.asset[key] = f.content
		}
	}
}

// controls are the Cache-Control headers of objects; "" is none.
var controls = []string{
	"", "", "no-cache", "no-store", "max-age=0", "max-age=2", "max-age=90", "max-age=31536000, immutable", "max-age=9, s-maxage=7200", "private, max-age=60",
}

// file draws what is under a key. Few assets get other content under the same name, and those that
// were gone for a while, never: planners take their names at their word.
func (h *history) file(key string) file {
	version := rapid.IntRange(0, 3).Draw(h.t, "version")
	if slices.Contains(assets, key) && version < 3 {
		version = 0
	}
	f := file{content: strconv.Itoa(version) + " of " + key}
	if version == 2 {
		f.content += strings.Repeat(" and more", 120) // enough to be compressed
	}
	if h.removed[key] && h.asset[key] != "" {
		f.content = h.asset[key]
	}
	f.control = rapid.SampledFrom(controls).Draw(h.t, "Cache-Control")
	if rapid.IntRange(0, 4).Draw(h.t, "tagged") == 4 {
		f.tag = "red, blue"
	}
	return f
}

// snapshot is what a planner knows of files.
func (h *history) snapshot(files map[string]file) site.Snapshot {
	s := site.Snapshot{}
	listed := rapid.IntRange(0, 14).Draw(h.t, "fingerprints") == 14
	for _, key := range slices.Sorted(maps.Keys(files)) {
		f := files[key]
		o := site.Object{Key: key, Size: int64(len(f.content))}
		if listed {
			o.ETag = f.etag()
		} else {
			o.CRC32 = crc32.ChecksumIEEE([]byte(f.content))
		}
		if h.control {
			o.CacheKnown, o.CacheControl = true, f.control
		}
		s = append(s, o)
	}
	return s
}

// paths are the URLs' paths by which viewers may ask for a key, below an origin path: as browsers
// write them, and as those do who encode more.
func paths(key string) []string {
	browser := "/" + strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(key)
	all := []string{browser}
	for _, more := range [][2]string{{"+", "%2B"}, {"~", "%7E"}} {
		if strings.Contains(browser, more[0]) {
			all = append(all, strings.ReplaceAll(browser, more[0], more[1]))
		}
	}
	return all
}

// pathOf is a URL's path as CloudFront compares it with patterns.
func pathOf(raw string) string {
	u, err := url.Parse("https://viewer" + raw)
	if err != nil {
		panic(err) // paths writes what can be parsed
	}
	return u.EscapedPath()
}

// encoded is a URL's path as items have it.
func encoded(raw string) string { return invalidation.EncodePath(pathOf(raw)) }
