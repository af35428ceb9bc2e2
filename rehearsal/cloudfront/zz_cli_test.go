package cloudfront_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

func TestZZCLI(t *testing.T) {
	w := newWorld(t, cloudfront.Options{Delays: cloudfront.Fixed(time.Second)})
	id := w.site(nil).Ref
	root, _ := w.directory.Root(deliveryAccount)
	run := func(args ...string) {
		c := exec.Command("aws", append([]string{"cloudfront"}, args...)...)
		c.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+w.url, "AWS_ACCESS_KEY_ID="+root.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+root.SecretAccessKey, "AWS_REGION=eu-west-1", "AWS_PAGER=")
		out, err := c.CombinedOutput()
		t.Logf("%v: %v\n%s", args, err, out)
	}
	run("get-distribution-config", "--id", id)
	run("list-distributions", "--query", "DistributionList.Items[].[Id,ETag,DomainName]")
	run("create-invalidation", "--distribution-id", id, "--paths", "/*", "/a b")
	run("create-invalidation", "--distribution-id", id, "--paths", "/*")
	w.clock.Advance(time.Second)
	w.wait("InvalidationCompleted")
	run("list-invalidations", "--distribution-id", id, "--max-items", "1")
	run("get-distribution", "--id", "EX")
	run("list-functions")
}
