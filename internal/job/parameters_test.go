package job

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/invalidation"
)

func TestParseParameters(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Parameters
	}{
		{"", Parameters{Wait: 10 * time.Minute}},
		{" \n", Parameters{Wait: 10 * time.Minute}},
		{"{}", Parameters{Wait: 10 * time.Minute}},
		{`{"verify": []}`, Parameters{Wait: 10 * time.Minute, Verify: []string{}}},
		{`{"announce": true, "release": "r"}`, Parameters{Wait: 10 * time.Minute, Release: "r", Announce: true}},
		{`{"announce": false, "items": ["/a"]}`, Parameters{Wait: 10 * time.Minute, Items: []invalidation.Item{"/a"}}},
		{`{"wait": "90s", "release": "4a1c-77"}`, Parameters{Wait: 90 * time.Second, Release: "4a1c-77"}},
		{
			`{"targets": ["shop", "blog"], "items": ["/index.html", "/docs/*", "#Product"], "wait": "23h", "verify": ["/about", "/a%20b?x=1"], "release": ""}`,
			Parameters{
				Targets: []string{"shop", "blog"}, Items: []invalidation.Item{"/index.html", "/docs/*", "#product"},
				Wait: 23 * time.Hour, Verify: []string{"/about", "/a%20b?x=1"},
			},
		},
	} {
		got, err := ParseParameters(tt.text)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.text, err, diff)
		}
	}
}

func TestParseParametersRefuses(t *testing.T) {
	for _, tt := range []struct{ text, says string }{
		{"/*", "not a JSON object"},
		{"[]", "not a JSON object"},
		{"null", "not a JSON object"},
		{`"/*"`, "not a JSON object"},
		{"{", "not a JSON object"},
		{`{"wait": "1m"`, "not a JSON object"},
		{`{"wait": }`, "not a JSON object"},
		{`{"wait": "1m"} {}`, "something follows"},
		{`{"wait": "1m"}]`, "something follows"},
		{`{"path": "/*"}`, `there is no field "path"; fields are targets, items, wait, verify, release`},
		{`{"Items": ["/*"]}`, `there is no field "Items"`},
		{`{"wait": "1m", "wait": "2m"}`, `field "wait" occurs twice`},
		{`{"targets": []}`, "targets is empty"},
		{`{"targets": "shop"}`, "targets is not a list of texts"},
		{`{"targets": null}`, "targets is not a list of texts"},
		{`{"targets": ["a", null]}`, "targets is not a list of texts"},
		{`{"targets": [1]}`, "targets is not a list of texts"},
		{`{"targets": ["a", "a"]}`, `targets has "a" twice`},
		{`{"items": []}`, "items is empty"},
		{`{"items": ["index.html"]}`, "items: parse item"},
		{`{"items": ["/a*b"]}`, "items: parse item"},
		{`{"wait": 600}`, "wait is not a text"},
		{`{"wait": null}`, "wait is not a text"},
		{`{"wait": "10"}`, "not a duration"},
		{`{"wait": "0s"}`, "not between"},
		{`{"wait": "-1m"}`, "not between"},
		{`{"wait": "24h"}`, "not between"},
		{`{"verify": ["about"]}`, `does not begin with "/"`},
		{`{"verify": ["https://x/"]}`, `does not begin with "/"`},
		{`{"verify": ["/a b"]}`, "percent-encodes"},
		{`{"verify": ["/é"]}`, "percent-encodes"},
		{`{"verify": ["/a*"]}`, "not the path of one page"},
		{`{"verify": ["/a#b"]}`, "not the path of one page"},
		{`{"verify": ["/` + strings.Repeat("a", 500) + `"]}`, "more than 500"},
		{`{"verify": ["/0","/1","/2","/3","/4","/5","/6","/7","/8","/9","/10","/11","/12","/13","/14","/15","/16","/17","/18","/19","/20"]}`, "21 paths"},
		{`{"release": 7}`, "release is not a text"},
		{`{"announce": "yes"}`, "announce is not true or false"},
		{`{"announce": null}`, "announce is not true or false"},
		{`{"announce": true}`, "announce needs release"},
		{`{"announce": true, "items": ["/*"]}`, "leave out items and verify"},
		{`{"announce": true, "verify": ["/"]}`, "leave out items and verify"},
		{`{"release": "a\nb"}`, "printable"},
		{`{"release": "` + strings.Repeat("r", 201) + `"}`, "printable"},
		{`{"release": "` + strings.Repeat("r", 1000) + `"}`, "more than 1000"},
	} {
		got, err := ParseParameters(tt.text)
		var bad *ParameterError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "read UserParameters: ") {
			t.Errorf("%s: %v; want %q", tt.text, err, tt.says)
		}
		if diff := cmp.Diff(Parameters{}, got); diff != "" {
			t.Errorf("%s: parameters besides an error: %s", tt.text, diff)
		}
	}
}

// Whatever a pipeline's author writes is either understood within the limits or refused with words.
func FuzzParseParameters(f *testing.F) {
	f.Add("")
	f.Add(`{"targets": ["shop"], "items": ["/*", "#tag"], "wait": "10m", "verify": ["/a?b"], "release": "r"}`)
	f.Add(`{"wait": "1m", "wait": "2m"}`)
	f.Add("{\"items\": [\"/\xff\"]}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseParameters(text)
		if err != nil {
			if !errors.As(err, new(*ParameterError)) {
				t.Fatalf("%T", err)
			}
			return
		}
		if p.Wait <= 0 || p.Wait > maxWait || len(p.Verify) > maxVerify || len(p.Release) > maxRelease {
			t.Fatalf("%+v", p)
		}
		for _, item := range p.Items {
			if again, err := invalidation.ParseItem(string(item)); err != nil || again != item {
				t.Fatalf("item %q: %v", item, err)
			}
		}
		for _, path := range p.Verify {
			if path[0] != '/' {
				t.Fatalf("path %q", path)
			}
		}
	})
}
