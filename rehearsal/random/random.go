// Package random makes the identifiers that AWS gives out by chance.
package random

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
)

// UUID is a random UUID (version 4) in lower case, e.g. a request's ID.
func UUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails since Go 1.24
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ID is a prefix and n upper-case letters and digits, e.g. AROA and 17 of a role.
func ID(prefix string, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return prefix + base32.StdEncoding.EncodeToString(b)[:n]
}
