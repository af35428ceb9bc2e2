// Package releases holds what planning is measured with: a site of a million keys that is the same on
// every machine, nine releases of it, and what people purge for a release when they have no plan.
package releases

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/unstale/unstale/site"
)

// What the site is made of.
const (
	Keys = 1_000_000

	locales      = "ar de en es fr it ja ko nl pl pt zh"
	localePages  = 50_446 // of each locale, all in one directory, as shops and wikis have them
	cPages       = 12_656 // of those, the ones that begin with "c"
	docVersions  = 20
	docChapters  = 25
	docPages     = 200 // of each chapter
	firstYear    = 2015
	lastYear     = 2024
	monthPosts   = 500
	imageFolders = 256
)

// Site is the site before the release: a million keys, each a string of its own, as in a snapshot that
// was read. 605,352 are pages of 12 locales, 100,000 are documentation in 20 versions, 60,000 are blog
// posts, four lie at the top, and the rest are images.
func Site() site.Snapshot {
	s := make(site.Snapshot, 0, Keys)
	add := func(format string, args ...any) {
		n := uint32(len(s))
		s = append(s, site.Object{Key: fmt.Sprintf(format, args...), CRC32: n * 2654435761, Size: int64(n)%20_000 + 500})
	}
	for _, key := range []string{"404.html", "index.html", "robots.txt", "sitemap.xml"} {
		add("%s", key)
	}
	for locale := range strings.FieldsSeq(locales) {
		for i := range localePages {
			add("%s/%s-%05d.html", locale, product(i), i)
		}
	}
	for i := range docVersions * docChapters * docPages {
		chapter := i / docPages
		add("docs/v%02d/chapter-%02d/page-%03d.html", chapter/docChapters, chapter%docChapters, i%docPages)
	}
	for i := range (lastYear - firstYear + 1) * 12 * monthPosts {
		month := i / monthPosts
		add("blog/%d/%02d/post-%03d.html", firstYear+month/12, month%12+1, i%monthPosts)
	}
	for i := range Keys - len(s) {
		add("assets/img/%02x/%06d.webp", i%imageFolders, i)
	}
	slices.SortFunc(s, func(a, b site.Object) int { return cmp.Compare(a.Key, b.Key) })
	return s
}

// product is what a locale's page is about: a quarter of the range begins with "c".
func product(i int) string {
	if i < cPages {
		return [...]string{"cable", "camera", "chair"}[i%3]
	}
	others := [...]string{
		"armchair", "bag", "desk", "easel", "fan", "grill", "hammock", "iron", "jar", "kettle", "lamp", "mixer", "notebook",
		"oven", "pan", "quilt", "rug", "shelf", "table", "umbrella", "vase", "watch", "xylophone", "yarn", "zip",
	}
	return others[i%len(others)]
}

// Release is one way to change the site.
type Release struct {
	Name    string
	Changed func(key string) bool // tells the keys that get other content
	Some    int                   // if not 0, only so many of those, anywhere
}

// All are the nine releases that are measured.
func All() []Release {
	in := func(prefix string) func(string) bool {
		return func(key string) bool { return strings.HasPrefix(key, prefix) }
	}
	page := func(key string) bool { return strings.HasSuffix(key, ".html") && strings.Contains(key, "/") }
	return []Release{
		{"10 pages anywhere", page, 10},
		{"13 pages: a product in 12 locales, and its post in the blog", func(key string) bool {
			return strings.HasSuffix(key, "/lamp-13035.html") || key == "blog/2024/12/post-007.html"
		}, 0},
		{"1,000 pages anywhere", page, 1000},
		{"100,000 pages anywhere", page, 100_000},
		{"one locale", in("de/"), 0},
		{"all pages under /xx/c* in 12 locales", func(key string) bool { return len(key) > 3 && key[2:4] == "/c" }, 0},
		{"one version of the documentation", in("docs/v19/"), 0},
		{"a month of the blog, and 23 images", func(key string) bool {
			return strings.HasPrefix(key, "blog/2024/12/") || strings.HasSuffix(key, "7777.webp")
		}, 0},
		{"every page", func(key string) bool { return strings.HasSuffix(key, ".html") }, 0},
	}
}

// Of makes the snapshot that the release deploys in place of another, in which keys are strings of
// their own, and tells the keys that changed, in order.
func (r Release) Of(before site.Snapshot) (after site.Snapshot, changed []string) {
	after = slices.Clone(before)
	var candidates []int
	for i := range after {
		after[i].Key = strings.Clone(after[i].Key)
		if r.Changed(after[i].Key) {
			candidates = append(candidates, i)
		}
	}
	if r.Some > 0 {
		random := rand.New(rand.NewPCG(1, 2))
		random.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
		candidates = candidates[:r.Some]
		slices.Sort(candidates)
	}
	for _, i := range candidates {
		after[i].CRC32++
		changed = append(changed, after[i].Key)
	}
	return after, changed
}
