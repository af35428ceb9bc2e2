package s3_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	rs3 "github.com/unstale/unstale/rehearsal/s3"
)

// TestListingIsAPartition: whatever the page size, a listing gives every key under the prefix once,
// by itself or inside one common prefix, in bytewise order.
func TestListingIsAPartition(t *testing.T) {
	w := newWorld(t)
	root := w.Root(accountA).Caller
	w.bucket(accountA, "site-a")
	var stored []string
	rapid.Check(t, func(rt *rapid.T) {
		for _, key := range rapid.SliceOfN(rapid.StringMatching(`[ab/]{1,5}`), 0, 4).Draw(rt, "more keys") {
			w.put(accountA, "site-a", key, "v")
			if !slices.Contains(stored, key) {
				stored = append(stored, key)
			}
		}
		slices.Sort(stored)
		in := rs3.List{
			Bucket: "site-a", Prefix: rapid.SampledFrom([]string{"", "a", "a/", "b/a"}).Draw(rt, "prefix"),
			Delimiter: rapid.SampledFrom([]string{"", "/", "ab"}).Draw(rt, "delimiter"), Max: rapid.IntRange(1, 5).Draw(rt, "max"),
		}
		var keys, prefixes []string
		for {
			page, err := w.s3.List(t.Context(), root, in)
			if err != nil {
				rt.Fatal(err)
			}
			if n := len(page.Objects) + len(page.Prefixes); n > in.Max || page.Truncated && n < in.Max {
				rt.Fatalf("a page of %d, asked for %d, truncated %v", n, in.Max, page.Truncated)
			}
			for _, o := range page.Objects {
				keys = append(keys, o.Key)
			}
			prefixes = append(prefixes, page.Prefixes...)
			if !page.Truncated {
				break
			}
			in.After = page.Last
		}
		wantKeys, wantPrefixes := naive(stored, in.Prefix, in.Delimiter)
		if diff := cmp.Diff(wantKeys, keys); diff != "" {
			rt.Errorf("keys: %s", diff)
		}
		if diff := cmp.Diff(wantPrefixes, prefixes); diff != "" {
			rt.Errorf("prefixes: %s", diff)
		}
	})
}

// naive is the definition of a listing.
func naive(sorted []string, prefix, delimiter string) (keys, prefixes []string) {
	for _, key := range sorted {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		if head, _, found := strings.Cut(rest, delimiter); delimiter != "" && found {
			if p := prefix + head + delimiter; !slices.Contains(prefixes, p) {
				prefixes = append(prefixes, p)
			}
			continue
		}
		keys = append(keys, key)
	}
	return keys, prefixes
}

func TestListingOverTheWire(t *testing.T) {
	w := newWorld(t)
	w.bucket(accountA, "site-a")
	for _, key := range []string{"a/1", "a/2", "b c", "d+e", "z/1"} {
		w.put(accountA, "site-a", key, "v")
	}
	c, ctx := w.client(w.Root(accountA)), t.Context()
	var got []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: aws.String("site-a"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1), FetchOwner: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, aws.ToString(o.Key))
			if o.Owner == nil || aws.ToInt64(o.Size) != 1 || o.LastModified == nil || o.StorageClass != types.ObjectStorageClassStandard {
				t.Errorf("entry %+v", o)
			}
		}
		for _, p := range page.CommonPrefixes {
			got = append(got, aws.ToString(p.Prefix))
		}
	}
	if diff := cmp.Diff([]string{"a/", "b c", "d+e", "z/"}, got); diff != "" {
		t.Error(diff)
	}
	old, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: aws.String("site-a"), Marker: aws.String("a/2"), EncodingType: types.EncodingTypeUrl, MaxKeys: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	if len(old.Contents) != 2 || aws.ToString(old.Contents[0].Key) != "b%20c" || aws.ToString(old.Contents[1].Key) != "d%2Be" || !aws.ToBool(old.IsTruncated) {
		t.Errorf("first form %+v", old)
	}
	none, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("site-a"), MaxKeys: aws.Int32(0)})
	wantCode(t, err, "")
	if len(none.Contents) != 0 || aws.ToBool(none.IsTruncated) {
		t.Errorf("asked for none, got %+v", none)
	}
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("site-a"), ContinuationToken: aws.String("?")})
	wantCode(t, err, "InvalidArgument")
}
