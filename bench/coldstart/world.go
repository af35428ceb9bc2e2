package coldstart

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Files of trusted roots: the public ones with the stand-in's, and the stand-in's alone.
const (
	bundleName = "ca-bundle.crt"
	ownName    = "own.crt"
)

// world is what every process under measurement meets.
type world struct {
	dir   string // holds the files of roots
	aws   *aws
	https *httptest.Server
}

// newWorld puts AWS up behind a certificate of an authority of its own. roots are the public
// authorities that a function trusts besides, PEM: parsing those is a part of every cold start, on
// Lambda as here, so a stand-in that only had its own would flatter everybody.
func newWorld(roots []byte) (*world, error) {
	authority, certificate, err := certificates()
	if err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	dir, err := os.MkdirTemp("", "coldstart-")
	if err != nil {
		return nil, err
	}
	bundleErr := os.WriteFile(filepath.Join(dir, bundleName), slices.Concat(roots, authority), 0o600)
	ownErr := os.WriteFile(filepath.Join(dir, ownName), authority, 0o600)
	if err := errors.Join(bundleErr, ownErr); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	w := &world{dir: dir, aws: &aws{}}
	w.https = httptest.NewUnstartedServer(w.aws)
	w.https.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	w.https.Config.ErrorLog = log.New(io.Discard, "", 0) // processes are killed with their connections open
	w.https.StartTLS()
	return w, nil
}

func (w *world) close() {
	w.https.Close()
	_ = os.RemoveAll(w.dir)
}

// env is what Lambda sets for every function, and where the roots are. For Go the file stands in place
// of the system's; Node has the public roots built in and needs the stand-in's only.
func (w *world) env(api string) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_VERSION=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		// By name, because AWS is reached by name too.
		"AWS_ENDPOINT_URL=" + strings.Replace(w.https.URL, "127.0.0.1", "localhost", 1),
		"SSL_CERT_FILE=" + filepath.Join(w.dir, bundleName),
		"NODE_EXTRA_CA_CERTS=" + filepath.Join(w.dir, ownName),
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "TZ=:UTC",
	}
}

// certificates makes an authority (PEM) and a server's certificate for this machine, chained as
// Amazon's are: root, intermediate, leaf, with ECDSA keys.
func certificates() (authority []byte, server tls.Certificate, err error) {
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
		}
	}
	keys := make([]*ecdsa.PrivateKey, 3)
	for i := range keys {
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, tls.Certificate{}, err
		}
	}
	root, middle, leaf := template(1, "Bench Root"), template(2, "Bench Intermediate"), template(3, "localhost")
	leaf.IsCA, leaf.KeyUsage = false, x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.IPAddresses, leaf.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	rootDER, err1 := x509.CreateCertificate(rand.Reader, root, root, keys[0].Public(), keys[0])
	middleDER, err2 := x509.CreateCertificate(rand.Reader, middle, root, keys[1].Public(), keys[0])
	leafDER, err3 := x509.CreateCertificate(rand.Reader, leaf, middle, keys[2].Public(), keys[1])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, tls.Certificate{}, err
	}
	authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	return authority, tls.Certificate{Certificate: [][]byte{leafDER, middleDER}, PrivateKey: keys[2]}, nil
}
