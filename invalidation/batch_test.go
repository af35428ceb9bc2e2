package invalidation_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
)

type items = []invalidation.Item

func TestNewBatchNormalizes(t *testing.T) {
	tests := []struct {
		name     string
		in, want items
	}{
		{"sorted bytewise", items{"/b", "/a", "/B", "#t"}, items{"#t", "/B", "/a", "/b"}},
		{"duplicates", items{"/a", "/a", "#T", "#t", "/a*", "/a*"}, items{"#t", "/a*"}},
		{"covered", items{"/a/b", "/a/*", "/a", "/a/b/*", "/b"}, items{"/a", "/a/*", "/b"}},
		{"the directory itself", items{"/a", "/a*"}, items{"/a*"}},
		{"everything, but no tag", items{"/x", "/*", "#t", "/y*"}, items{"#t", "/*"}},
		{"wildcards side by side", items{"/ab*", "/ac", "/ab!", "/a!*", "/a!z"}, items{"/a!*", "/ab*", "/ac"}},
	}
	for _, tt := range tests {
		given := slices.Clone(tt.in)
		batch, err := invalidation.NewBatch("job", "E1", tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, batch.Items); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if !slices.Equal(given, tt.in) {
			t.Errorf("%s: the argument was changed to %q", tt.name, tt.in)
		}
	}
}

func TestNewBatchRefuses(t *testing.T) {
	files, wildcards := items{}, items{}
	for i := range 3001 {
		files = append(files, invalidation.Item(fmt.Sprintf("/f%d", i)))
	}
	for i := range 16 {
		wildcards = append(wildcards, invalidation.Item(fmt.Sprintf("/d%02d/*", i)))
	}
	tests := []struct {
		name, attempt, distribution string
		items                       items
		want                        string
	}{
		{"attempt", "", "E1", items{"/a"}, "the attempt has no name"},
		{"distribution", "job", "", items{"/a"}, "the distribution has no ID"},
		{"nothing", "job", "E1", nil, "there are no items"},
		{"files", "job", "E1", files, "3001 files, more than the 3000"},
		{"wildcards", "job", "E1", wildcards, "16 wildcards, more than the 15"},
	}
	for _, tt := range tests {
		_, err := invalidation.NewBatch(tt.attempt, tt.distribution, tt.items)
		var refused *invalidation.BatchError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) || refused.Try == "" {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	var broken *invalidation.ItemError
	if _, err := invalidation.NewBatch("job", "E1", items{"/a", "b"}); !errors.As(err, &broken) || broken.Item != "b" {
		t.Errorf("bad item: %v", err)
	}
	for _, fits := range []items{files[:3000], wildcards[:15], append(slices.Clone(files[:3000]), wildcards[:15]...)} {
		if _, err := invalidation.NewBatch("job", "E1", fits); err != nil {
			t.Errorf("%d items: %v", len(fits), err)
		}
	}
}

// The values are a wire contract: a job in flight across a deployment carries them. A change of the
// scheme changes the prefix.
func TestReferenceGolden(t *testing.T) {
	tests := []struct {
		attempt, distribution string
		items                 items
		want                  string
	}{
		{
			"11111111-2222-3333-4444-555555555555", "E2EXAMPLE",
			items{"/*"},
			"unstale-1-974e29168b856948d14ca76785172555213e2844d3533d4e041b0ef1e4f1dfb1",
		},
		{
			"run", "E1",
			items{"/index.html", "/", "#product"},
			"unstale-1-cb8a33b23d6c5dc82b9ad808b999236a0bd2ebba17b3399f1fcc7702e18c3766",
		},
	}
	for _, tt := range tests {
		if got := invalidation.Reference(tt.attempt, tt.distribution, tt.items); got != tt.want {
			t.Errorf("Reference(%s, %s, %q) = %s", tt.attempt, tt.distribution, tt.items, got)
		}
	}
}

func TestReferenceTellsPartsApart(t *testing.T) {
	seen := map[string]string{}
	for _, parts := range []struct {
		attempt, distribution string
		items                 items
	}{
		{"ab", "c", items{"/d"}},
		{"a", "bc", items{"/d"}},
		{"abc", "", items{"/d"}},
		{"ab", "c/d", items{}},
		{"ab", "c", items{"/d", "/e"}},
		{"ab", "c", items{"/d/e"}},
		{"ab", "c", items{"/d/e", ""}},
	} {
		ref := invalidation.Reference(parts.attempt, parts.distribution, parts.items)
		if other, twice := seen[ref]; twice {
			t.Errorf("%v and %v have one reference", parts, other)
		}
		seen[ref] = fmt.Sprint(parts)
	}
}

func TestBatchProperties(t *testing.T) {
	item := rapid.Custom(func(t *rapid.T) invalidation.Item {
		s := rapid.StringMatching(`/[ab/]{0,6}`).Draw(t, "path")
		return invalidation.Item(s + rapid.SampledFrom([]string{"", "", "*"}).Draw(t, "end"))
	})
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.SliceOfN(item, 1, 12).Draw(t, "items")
		attempt := rapid.String().Filter(func(s string) bool { return s != "" }).Draw(t, "attempt")
		batch, err := invalidation.NewBatch(attempt, "E1", given)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := slices.Clone(given)
		rand.New(rand.NewPCG(1, uint64(len(given)))).Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		if again, _ := invalidation.NewBatch(attempt, "E1", shuffled); !cmp.Equal(batch, again) {
			t.Fatalf("order matters: %v, %v", batch, again)
		}
		if err := invalidation.CheckReference(batch.Reference); err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(batch.Items) {
			t.Fatalf("not sorted: %q", batch.Items)
		}
		for _, g := range given { // nothing is lost: each one is there, or a wildcard purges all it does
			purged := slices.ContainsFunc(batch.Items, func(k invalidation.Item) bool {
				return k == g || k.Wildcard() && k.Covers(strings.TrimSuffix(string(g), "*"))
			})
			if !purged {
				t.Fatalf("%q is lost from %q", g, batch.Items)
			}
		}
		for i, a := range batch.Items { // nothing is paid twice
			for j, b := range batch.Items {
				if i != j && a.Covers(strings.TrimSuffix(string(b), "*")) {
					t.Fatalf("%q covers %q", a, b)
				}
			}
		}
	})
}

func TestReceivedBatch(t *testing.T) {
	made, err := invalidation.NewBatch("job", "E1", items{"/b", "/a"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := invalidation.ReceivedBatch(made.Reference, "E1", made.Items)
	if err != nil || !cmp.Equal(made, got) {
		t.Errorf("ReceivedBatch = %v, %v", got, err)
	}
	for _, reference := range []string{"", "a b", "a\n", "é", strings.Repeat("r", 129)} {
		var refused *invalidation.BatchError
		if _, err := invalidation.ReceivedBatch(reference, "E1", made.Items); !errors.As(err, &refused) {
			t.Errorf("reference %q: %v", reference, err)
		}
	}
	if _, err := invalidation.ReceivedBatch("r", "", made.Items); err == nil {
		t.Error("no distribution: no error")
	}
}

func TestStatus(t *testing.T) {
	for status, want := range map[invalidation.Status]bool{
		invalidation.Completed: true, invalidation.InProgress: false, "": false, "completed": false, "Failed": false,
	} {
		if status.Done() != want {
			t.Errorf("%q done: %v", status, !want)
		}
	}
}

func TestCost(t *testing.T) {
	tests := []struct {
		n, used int
		want    string
	}{
		{3, 0, "$0.00"},
		{1000, 0, "$0.00"},
		{1003, 0, "$0.015"},
		{3, 999, "$0.01"},
		{3, 5000, "$0.015"},
		{200, 1000, "$1.00"},
		{0, 5000, "$0.00"},
		{-1, -1, "$0.00"},
		{300_000, 1000, "$1500.00"},
	}
	for _, tt := range tests {
		if got := invalidation.Cost(tt.n, tt.used).String(); got != tt.want {
			t.Errorf("Cost(%d, %d) = %s, want %s", tt.n, tt.used, got, tt.want)
		}
	}
	for money, want := range map[invalidation.Money]string{-1_500_000: "-$1.50", 1: "$0.000001", -1: "-$0.000001"} {
		if money.String() != want {
			t.Errorf("%d micro-dollars are %s, want %s", int64(money), money, want)
		}
	}
}
