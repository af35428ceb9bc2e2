package lambdaconfig_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/lambdaconfig"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// issue makes a certificate, signed by a or, when that is nil, by itself.
func issue(t *testing.T, a *authority, template *x509.Certificate) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), true
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = template.NotAfter.Add(-2 * time.Hour)
	by := &authority{certificate: template, key: key}
	if a != nil {
		by = a
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{made, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func root(t *testing.T, name string) *authority {
	return issue(t, nil, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
}

// leaf is a server's certificate for localhost.
func leaf() *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// server is an HTTPS server with a chain of certificates, and how many connections it got.
func server(t *testing.T, chain ...*authority) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	certificate := tls.Certificate{PrivateKey: chain[0].key}
	for _, c := range chain {
		certificate.Certificate = append(certificate.Certificate, c.certificate.Raw)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refusals are what is tested
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, &connections
}

// trusting is a function's configuration that trusts these authorities and calls this endpoint.
func trusting(t *testing.T, endpoint string, trusted ...*authority) aws.Config {
	t.Helper()
	var text []byte
	for _, a := range trusted {
		text = append(text, "a comment\n"...)
		text = append(text, a.pem...)
	}
	file := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := function()
	env["SSL_CERT_FILE"], env["AWS_ENDPOINT_URL"] = file, endpoint
	cfg, err := load(env)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func get(t *testing.T, cfg aws.Config, url string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := cfg.HTTPClient.Do(r)
	if err == nil {
		err = response.Body.Close()
	}
	return err
}

// Leaving out the authorities that a server does not name lets nothing through that crypto/tls would
// refuse. The table is checked against crypto/tls itself.
func TestServersAreVerified(t *testing.T) {
	good, other, namesake := root(t, "Good"), root(t, "Other"), root(t, "Good")
	middle := issue(t, good, &x509.Certificate{Subject: pkix.Name{CommonName: "Middle"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign})
	powerless := issue(t, good, &x509.Certificate{Subject: pkix.Name{CommonName: "Powerless"}})
	elsewhere, expired, client := leaf(), leaf(), leaf()
	elsewhere.DNSNames, elsewhere.IPAddresses = []string{"example.com"}, nil
	expired.NotAfter = time.Now().Add(-time.Minute)
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for name, tt := range map[string]struct {
		chain   []*authority
		trusted []*authority
		ok      bool
	}{
		"by a root":                    {[]*authority{issue(t, good, leaf())}, []*authority{other, good}, true},
		"through an intermediate":      {[]*authority{issue(t, middle, leaf()), middle}, []*authority{other, good}, true},
		"with the root in the chain":   {[]*authority{issue(t, middle, leaf()), middle, good}, []*authority{good}, true},
		"a trusted intermediate":       {[]*authority{issue(t, middle, leaf()), middle}, []*authority{middle}, true},
		"intermediate not sent":        {[]*authority{issue(t, middle, leaf())}, []*authority{good}, false},
		"unknown authority":            {[]*authority{issue(t, good, leaf())}, []*authority{other}, false},
		"authority of the same name":   {[]*authority{issue(t, good, leaf())}, []*authority{namesake}, false},
		"own root in the chain":        {[]*authority{issue(t, good, leaf()), good}, []*authority{other}, false},
		"self-signed":                  {[]*authority{issue(t, nil, leaf())}, []*authority{good}, false},
		"another host":                 {[]*authority{issue(t, good, elsewhere)}, []*authority{good}, false},
		"expired":                      {[]*authority{issue(t, good, expired)}, []*authority{good}, false},
		"a client's":                   {[]*authority{issue(t, good, client)}, []*authority{good}, false},
		"by one who may not":           {[]*authority{issue(t, powerless, leaf()), powerless}, []*authority{good}, false},
		"both of a name, one the true": {[]*authority{issue(t, good, leaf())}, []*authority{namesake, good}, true},
	} {
		s, _ := server(t, tt.chain...)
		pool := x509.NewCertPool()
		for _, a := range tt.trusted {
			pool.AddCert(a.certificate)
		}
		for _, host := range []string{"127.0.0.1", "localhost"} {
			url := strings.Replace(s.URL, "127.0.0.1", host, 1)
			err := get(t, trusting(t, url, tt.trusted...), url)
			if tt.ok != (err == nil) || err != nil && !errors.As(err, new(*tls.CertificateVerificationError)) {
				t.Errorf("%s at %s: %v", name, host, err)
			}
		}
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{RootCAs: pool})
		if tt.ok != (err == nil) {
			t.Errorf("%s: crypto/tls says %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestTrustIsReadFromFilesAndDirectories(t *testing.T) {
	good := root(t, "Good")
	s, _ := server(t, issue(t, good, leaf()))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "good.crt"), good.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := function()
	env["AWS_ENDPOINT_URL"], env["SSL_CERT_FILE"], env["SSL_CERT_DIR"] = s.URL, filepath.Join(dir, "nothing"), dir
	cfg, err := load(env)
	if err != nil {
		t.Fatal(err)
	}
	if err := get(t, cfg, s.URL); err != nil {
		t.Error(err)
	}
	delete(env, "SSL_CERT_DIR")
	if cfg, err = load(env); err != nil {
		t.Fatal(err)
	}
	if err := get(t, cfg, s.URL); err == nil || !strings.Contains(err.Error(), "there are none") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without any: %v", err)
	}
}

func TestConnectionOpenedAheadIsUsedOnce(t *testing.T) {
	good := root(t, "Good")
	s, connections := server(t, issue(t, good, leaf()))
	cfg := trusting(t, s.URL, good)
	lambdaconfig.Connect(t.Context(), cfg, "lambda.us-east-1.amazonaws.com", "codepipeline.us-east-1.amazonaws.com")
	if n := connections.Load(); n != 1 {
		t.Fatalf("%d connections to the one endpoint", n)
	}
	for range 3 {
		if err := get(t, cfg, s.URL); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections after the calls", n)
	}
	s.CloseClientConnections()
	if err := get(t, cfg, s.URL); err != nil || connections.Load() != 2 {
		t.Errorf("after it was closed: %v, %d connections", err, connections.Load())
	}
}

// What cannot be connected to ahead is left to the call that needs it.
func TestConnectIsNoCondition(t *testing.T) {
	good := root(t, "Good")
	s, connections := server(t, issue(t, good, leaf()))
	untrusting := trusting(t, s.URL, root(t, "Other"))
	lambdaconfig.Connect(t.Context(), untrusting)
	if err := get(t, untrusting, s.URL); err == nil {
		t.Error("an unverified connection was kept")
	}
	before := connections.Load()
	plain := trusting(t, strings.Replace(s.URL, "https", "http", 1), good)
	lambdaconfig.Connect(t.Context(), plain, "cloudfront.amazonaws.com")
	lambdaconfig.Connect(t.Context(), aws.Config{BaseEndpoint: &s.URL})
	if n := connections.Load(); n != before {
		t.Errorf("%d connections", n-before)
	}
	gone := trusting(t, "https://127.0.0.1:1", good)
	lambdaconfig.Connect(t.Context(), gone, "cloudfront.amazonaws.com")
	if err := get(t, gone, "https://127.0.0.1:1"); err == nil {
		t.Error("nobody is there")
	}
}

// Redirects are AWS's errors, for the SDK to read.
func TestRedirectsAreNotFollowed(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusMovedPermanently))
	defer s.Close()
	if err := get(t, trusting(t, s.URL, root(t, "Good")), s.URL); err != nil {
		t.Error(err)
	}
}
