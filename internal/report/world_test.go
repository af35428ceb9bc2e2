package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// distribution is one of a bucket, with what is put before its URLs' paths.
func distribution(t *testing.T, originPath string) plan.Distribution {
	t.Helper()
	d, err := plan.FromConfig(fmt.Appendf(nil, `{"Distribution": {"Id": "E1", "DomainName": "d1.cloudfront.net", "DistributionConfig": {
		"Enabled": true, "DefaultRootObject": "index.html",
		"Origins": {"Quantity": 1, "Items": [{"Id": "site", "DomainName": "b.s3.us-east-1.amazonaws.com", "OriginPath": %q}]},
		"DefaultCacheBehavior": {"TargetOriginId": "site", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}}}`, originPath))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// snapshot makes one of keys, which are sorted; what follows a "=" is the content.
func snapshot(keys ...string) site.Snapshot {
	s := site.Snapshot{}
	for _, text := range keys {
		key, content, _ := strings.Cut(text, "=")
		o := site.Object{Key: key, Size: int64(10 + len(content))}
		for _, c := range content {
			o.CRC32 = 31*o.CRC32 + uint32(c)
		}
		s = append(s, o)
	}
	return s
}

func build(t *testing.T, in plan.Input) plan.Plan {
	t.Helper()
	p, err := plan.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mixed is a release with something in every state: about.html and d/3 changed, new.html is new and d/*
// is purged.
func mixed(t *testing.T) plan.Input {
	return plan.Input{
		Distribution: distribution(t, ""),
		Known:        []site.Snapshot{snapshot("about.html", "d/1", "d/2", "d/3", "d/4", "gone.html", "style.css")},
		Release:      snapshot("about.html=2", "d/1=2", "d/2", "d/3=2", "d/4=2", "new.html", "style.css"),
		Budget:       plan.Budget{Unit: plan.PerPlan, Items: 2},
		Deletes:      false,
	}
}

// million is a site of a million keys in as many directories, and what a release changes there.
func million() (old, release site.Snapshot) {
	for _, locale := range strings.Fields("ar de en es fr it ja ko nl pl pt zh") {
		for letter := 'a'; letter <= 'z'; letter++ {
			for i := range 3205 {
				old = append(old, site.Object{Key: fmt.Sprintf("%s/%c%04d/page.html", locale, letter, i), CRC32: uint32(i), Size: 1000})
			}
		}
	}
	release = append(site.Snapshot{}, old...)
	for i := 7; i < len(release); i += len(release) / 12 {
		release[i].CRC32 += 1 << 20
	}
	return old, release
}
