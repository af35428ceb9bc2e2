package lambdaconfig

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// bundles are where Linux systems keep the authorities they trust, Amazon Linux first; the first that
// is there counts. crypto/x509 has the same list.
var bundles = []string{
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/ssl/cert.pem",
}

// roots are the authorities that this machine trusts, with only those parsed that a server names.
// Left to itself crypto/x509 parses all of them before the first connection, and on Amazon Linux more
// than once, because the directories it reads besides hold the same bundle again: that alone costs
// more than everything else in a cold start, and two mebibytes.
type roots struct {
	ders func() ([][]byte, error) // read once, when first wanted
}

// newRoots honours SSL_CERT_FILE and SSL_CERT_DIR as crypto/x509 does, except that directories are
// read only when they are named.
func newRoots(getenv func(string) string) *roots {
	files := bundles
	if file := getenv("SSL_CERT_FILE"); file != "" {
		files = []string{file}
	}
	return &roots{sync.OnceValues(func() ([][]byte, error) { return read(files, filepath.SplitList(getenv("SSL_CERT_DIR"))) })}
}

// read takes the certificates out of the first file that can be read and out of all in dirs.
func read(files, dirs []string) ([][]byte, error) {
	var ders [][]byte
	var missing []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			ders = certificates(ders, text)
			break
		}
		missing = append(missing, err)
	}
	for _, dir := range dirs {
		entries, _ := os.ReadDir(dir) // crypto/x509 passes over directories and files it cannot read, too
		for _, entry := range entries {
			text, _ := os.ReadFile(filepath.Join(dir, entry.Name()))
			ders = certificates(ders, text)
		}
	}
	if len(ders) == 0 {
		return nil, errors.Join(append(missing, errors.New("read trusted authorities: there are none"))...)
	}
	return ders, nil
}

// certificates appends the certificates of a PEM text.
func certificates(ders [][]byte, text []byte) [][]byte {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return ders
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
}

// verify judges the server that a connection leads to, as crypto/tls does: its certificate is for
// host, is valid now, and leads to a trusted root. A root can end a chain only if the chain names it
// as an issuer, byte for byte, so leaving the others out changes no answer.
func (r *roots) verify(host string, state tls.ConnectionState) error {
	ders, err := r.ders()
	if err != nil {
		return err
	}
	if len(state.PeerCertificates) == 0 || host == "" {
		return errors.New("verify server: it has no certificate or no name")
	}
	trusted, between := x509.NewCertPool(), x509.NewCertPool()
	for _, der := range ders {
		if !named(der, state.PeerCertificates) {
			continue
		}
		if root, err := x509.ParseCertificate(der); err == nil {
			trusted.AddCert(root)
		}
	}
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err = state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: trusted, Intermediates: between})
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// named reports whether a certificate has, somewhere, the name of an issuer in the chain.
func named(der []byte, chain []*x509.Certificate) bool {
	for _, c := range chain {
		if bytes.Contains(der, c.RawIssuer) {
			return true
		}
	}
	return false
}
