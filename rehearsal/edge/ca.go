package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// authority is the rehearsal's own certificate authority. Its key never leaves the process; its
// certificate is a file for those who are to trust it.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	dir  string // 0700
	file string // PEM, 0600

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by host
}

// lifetime is of all certificates: longer than any rehearsal, too short to be worth stealing.
const lifetime = 7 * 24 * time.Hour

func newAuthority(parent string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the rehearsal's certificate authority: %w", err)
	}
	template := certificate("unstale rehearsal CA")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the rehearsal's certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the rehearsal's certificate authority: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "unstale-edge-") // 0700
	if err != nil {
		return nil, fmt.Errorf("make a directory for the certificate authority: %w", err)
	}
	a := &authority{key: key, cert: cert, dir: dir, file: filepath.Join(dir, "ca.pem"), leaves: map[string]*tls.Certificate{}}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		_ = a.close()
		return nil, fmt.Errorf("write the certificate authority: %w", err)
	}
	return a, nil
}

func certificate(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(time.Now().UnixNano()) // rand.Reader never fails
	}
	// Wall time: what verifies these are real programs.
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
	}
}

// leaf is the certificate of a host, made when it is first asked for.
func (a *authority) leaf(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", host, err)
	}
	template := certificate(host)
	template.DNSNames = []string{host}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", host, err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
	a.leaves[host] = c
	return c, nil
}

func (a *authority) spki() string {
	sum := sha256.Sum256(a.cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (a *authority) close() error {
	if err := os.RemoveAll(a.dir); err != nil {
		return fmt.Errorf("remove the certificate authority: %w", err)
	}
	return nil
}
