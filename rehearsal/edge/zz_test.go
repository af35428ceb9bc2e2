package edge

import (
	"os/exec"
	"strings"
	"testing"
)

func TestZZCurl(t *testing.T) {
	w := listen(t, nil)
	w.bucket.put("index.html", strings.Repeat("<html><body>one</body></html>", 100))
	p := w.edge.POPs()[0]
	for _, args := range [][]string{
		{"curl", "-sv", "--compressed", "-o", "/dev/null", "-x", p.ProxyURL(), "--cacert", w.edge.CAFile(), "https://" + domain + "/deep"},
		{"curl", "-s", "-i", "-x", p.ProxyURL(), "http://" + domain + "/deep"},
		{"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=" + p.ProxyURL(), "--ignore-certificate-errors-spki-list=" + w.edge.CASPKI(), "--user-data-dir=" + t.TempDir(), "--dump-dom", "https://" + domain + "/"},
	} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if len(out) > 2500 {
			out = out[:2500]
		}
		t.Logf("%s: %v\n%s", args[0], err, out)
	}
}
