package s3

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// maxPage is the most entries a list answers at once (AWS-documented).
const maxPage = 1000

// List is a request to list a bucket.
type List struct {
	Bucket, Prefix, Delimiter string
	After                     string // keys behind this one only
	Max                       int    // 0: 1,000
	// sent are the condition keys of the parameters that an HTTP request really had.
	sent map[string][]string
}

// Page is a part of a bucket's keys, in bytewise order.
type Page struct {
	Objects   []Object // without bodies
	Prefixes  []string // common prefixes, where a delimiter was given
	Truncated bool
	Last      string // what to continue behind: the last key or common prefix of the page
}

// ListObjects lists all objects under a prefix.
func (s *Service) ListObjects(ctx context.Context, caller accounts.Caller, bucket, prefix string) ([]Object, error) {
	var out []Object
	in := List{Bucket: bucket, Prefix: prefix}
	for {
		page, err := s.List(ctx, caller, in)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Objects...)
		if !page.Truncated {
			return out, nil
		}
		in.After = page.Last
	}
}

// List lists one page of a bucket.
func (s *Service) List(_ context.Context, caller accounts.Caller, in List) (Page, error) {
	b, err := s.bucket(in.Bucket)
	if err != nil {
		return Page{}, err
	}
	if err := s.allow(question{caller: caller, action: "ListBucket", bucket: b, context: in.conditionKeys()}); err != nil {
		return Page{}, err
	}
	s.mu.Lock()
	walk := walker{prefix: in.Prefix, delimiter: in.Delimiter, after: in.After, left: in.limit()}
	var found []*version
	for _, key := range walk.start(b.objects.keys) {
		v := b.objects.latest(key)
		if v.marker || walk.skips(key) {
			continue
		}
		if walk.full() {
			break
		}
		if !walk.folds(key) {
			found = append(found, v)
		}
	}
	s.mu.Unlock()
	out := Page{Prefixes: walk.prefixes, Truncated: walk.truncated, Last: walk.last}
	for _, v := range found {
		out.Objects = append(out.Objects, s.describe(b, v))
	}
	return out, nil
}

func (in List) limit() int {
	if in.Max <= 0 || in.Max > maxPage {
		return maxPage
	}
	return in.Max
}

// conditionKeys are those of s3:ListBucket. They are present only where the request has the
// parameter (AWS-documented: Service Authorization Reference), which Null conditions can tell.
func (in List) conditionKeys() map[string][]string {
	if in.sent != nil {
		return in.sent
	}
	out := map[string][]string{}
	if in.Prefix != "" {
		out["s3:prefix"] = []string{in.Prefix}
	}
	if in.Delimiter != "" {
		out["s3:delimiter"] = []string{in.Delimiter}
	}
	if in.Max > 0 {
		out["s3:max-keys"] = []string{strconv.Itoa(in.Max)}
	}
	return out
}

// walker goes over sorted keys once, folding those under a common prefix, until a page is full.
type walker struct {
	prefix, delimiter, after string
	left                     int

	prefixes  []string
	last      string
	truncated bool
}

// start is the keys from the first one that may be on the page.
func (w *walker) start(keys []string) []string {
	i, _ := slices.BinarySearch(keys, max(w.prefix, w.after))
	return keys[i:]
}

// skips says whether a key is not on this page: under another prefix, on an earlier page, or folded
// into a common prefix that was answered already.
func (w *walker) skips(key string) bool {
	if !strings.HasPrefix(key, w.prefix) || w.after != "" && key <= w.after {
		return true
	}
	common, ok := w.common(key)
	return ok && (common == w.last || w.after != "" && common <= w.after)
}

// full says whether key, which is not skipped, comes after the end of the page.
func (w *walker) full() bool {
	w.truncated = w.left == 0
	w.left--
	return w.truncated
}

// folds puts key on the page, as part of a common prefix when it has one.
func (w *walker) folds(key string) bool {
	common, ok := w.common(key)
	if !ok {
		w.last = key
		return false
	}
	w.prefixes = append(w.prefixes, common)
	w.last = common
	return true
}

func (w *walker) common(key string) (string, bool) {
	if w.delimiter == "" {
		return "", false
	}
	rest := key[len(w.prefix):]
	i := strings.Index(rest, w.delimiter)
	if i < 0 {
		return "", false
	}
	return w.prefix + rest[:i+len(w.delimiter)], true
}

// VersionEntry is one version or delete marker in a listing of versions.
type VersionEntry struct {
	Object
	Latest, Marker bool
	Modified       string // as S3 writes times
}

// Versions lists every version and delete marker under a prefix, newest first per key. It is not
// paged: a rehearsal's buckets are small.
func (s *Service) Versions(_ context.Context, caller accounts.Caller, bucket, prefix string) ([]VersionEntry, error) {
	b, err := s.bucket(bucket)
	if err != nil {
		return nil, err
	}
	if err := s.allow(question{caller: caller, action: "ListBucketVersions", bucket: b, context: List{Prefix: prefix}.conditionKeys()}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []VersionEntry
	for _, key := range b.objects.keys {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for i, v := range b.objects.versions[key] {
			out = append(out, VersionEntry{
				Object: Object{Bucket: b.name, Key: key, VersionID: v.id, Size: int64(len(v.body)), ETag: v.etag},
				Latest: i == 0, Marker: v.marker, Modified: stamp(v.modified),
			})
		}
	}
	return out, nil
}
