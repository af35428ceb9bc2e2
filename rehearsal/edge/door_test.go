package edge

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/cloudfront"
)

func listen(t *testing.T, change func(*cloudfront.Config)) *world {
	t.Helper()
	w := newWorld(t, change, Options{Dir: t.TempDir()})
	if err := w.edge.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.edge.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// browser trusts the authority's file and uses p as its proxy, by HTTP/2 where it can.
func (w *world) browser(p *POP) *http.Client {
	w.t.Helper()
	pem, err := os.ReadFile(w.edge.CAFile())
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		w.t.Fatal("no certificate in the authority's file")
	}
	proxy, err := url.Parse(p.ProxyURL())
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{
		Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestThroughTheProxy(t *testing.T) {
	w := listen(t, nil)
	w.bucket.put("index.html", strings.Repeat("one", 1000))
	for _, p := range w.edge.POPs() {
		c := w.browser(p)
		for i, host := range []string{domain, domain, "www.example.com"} {
			resp, err := c.Get("https://" + host + "/")
			if err != nil {
				t.Fatal(err)
			}
			got := w.read(resp)
			w.expect(host, got, 200, []string{"Miss", "Hit", "Hit"}[i], strings.Repeat("one", 1000))
			if got.header.Get("X-Amz-Cf-Pop") != p.Name() || resp.ProtoMajor != 2 {
				t.Errorf("%s %s", got.header.Get("X-Amz-Cf-Pop"), resp.Proto)
			}
		}
		resp, err := c.Get("http://" + domain + "/deep")
		if err != nil {
			t.Fatal(err)
		}
		if got := w.read(resp); got.status != 301 || got.header.Get("Location") != "https://"+domain+"/deep" {
			t.Errorf("%+v", got)
		}
		resp, err = c.Get("http://elsewhere.example/")
		if err != nil {
			t.Fatal(err)
		}
		if got := w.read(resp); got.status != 403 {
			t.Errorf("%+v", got)
		}
		if _, err := c.Get("https://elsewhere.example/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("a tunnel to elsewhere: %v", err)
		}
	}
}

func TestDirect(t *testing.T) {
	w := listen(t, func(c *cloudfront.Config) { c.Default.ViewerProtocolPolicy = "allow-all" })
	w.bucket.put("index.html", "one")
	p := w.edge.POPs()[0]
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+p.Addr()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = domain
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	w.expect("by Host", w.read(resp), 200, "Miss", "one")
	if resp, err = http.Get("http://" + p.Addr() + "/"); err != nil {
		t.Fatal(err)
	}
	if got := w.read(resp); got.status != 403 || !strings.Contains(got.body, `no distribution at "127.0.0.1"`) {
		t.Errorf("%+v", got)
	}
	for _, host := range []string{domain, "www.example.com"} {
		got := w.overTLS(p, domain, host)
		if want := map[bool]string{true: "200", false: "421"}[host == domain]; !strings.Contains(got, " "+want+" ") {
			t.Errorf("a handshake for %s, a request for %s: %s", domain, host, got)
		}
	}
	if got := w.overTLS(p, "elsewhere.example", domain); !strings.Contains(got, "tls") {
		t.Errorf("a handshake for a stranger: %s", got)
	}
}

// overTLS makes a handshake for one host and asks for another, and gives the status line or error.
func (w *world) overTLS(p *POP, sni, host string) string {
	w.t.Helper()
	c, err := tls.Dial("tcp", p.Addr(), &tls.Config{ServerName: sni, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line
}

func TestCloseLeavesNothing(t *testing.T) {
	w := newWorld(t, nil, Options{Dir: t.TempDir()})
	if err := w.edge.Listen(); err != nil {
		t.Fatal(err)
	}
	file, addr := w.edge.CAFile(), w.edge.POPs()[0].Addr()
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || w.edge.CASPKI() == "" {
		t.Errorf("%v, %v", info, err)
	}
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := w.edge.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the authority is still there: %v", err)
	}
	if _, err := io.ReadAll(silent); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a silent viewer: %v", err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// What stands between a port and its answers sees whose request it is, and may answer itself.
func TestIntercept(t *testing.T) {
	w := newWorld(t, nil, Options{Dir: t.TempDir(), Intercept: func(pop string, out http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/meddled" {
			http.Error(out, pop, http.StatusTeapot)
			return
		}
		next.ServeHTTP(out, r)
	}})
	if err := w.edge.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.edge.Close() })
	w.bucket.put("index.html", "one")
	c := w.browser(w.edge.POPs()[1])
	for path, want := range map[string]int{"/meddled": http.StatusTeapot, "/": http.StatusOK} {
		resp, err := c.Get("https://" + domain + path)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.read(resp); got.status != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
