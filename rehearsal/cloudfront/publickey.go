package cloudfront

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha1"   // what signers hash with unless they say otherwise
	_ "crypto/sha256" // what they may say
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// PublicKey is what CloudFront verifies viewers' signatures with. One that was handed out never
// changes, and of one ID only the comment ever does, so that key groups may hold what a key was.
type PublicKey struct {
	ID, ETag        string // "K...", what viewers give as Key-Pair-Id
	Account         string
	Name            string
	CallerReference string
	EncodedKey      string // PEM
	Comment         string
	Created         time.Time
	key             crypto.PublicKey // *rsa.PublicKey of 2048 bits, or *ecdsa.PublicKey on P-256
}

// Verify reports whether signature is that of signed, hashed by hash: PKCS #1 v1.5 for RSA, ASN.1 for
// ECDSA, as `openssl dgst -sign` writes both. Source: Developer Guide, "Code examples for creating a
// signature for a signed URL" (H for RSA; M for ECDSA, whose encoding the guide leaves to openssl).
func (k *PublicKey) Verify(hash crypto.Hash, signed, signature []byte) bool {
	h := hash.New()
	h.Write(signed)
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, h.Sum(nil), signature)
	}
	return false
}

// CreatePublicKey makes a public key in the caller's account. Name, CallerReference, EncodedKey and
// Comment are read from k. None of the actions on public keys and key groups has a resource level
// (H: Service Authorization Reference).
func (s *Service) CreatePublicKey(_ context.Context, caller accounts.Caller, k PublicKey) (*PublicKey, error) {
	if err := s.authorize(caller, "CreatePublicKey", "*"); err != nil {
		return nil, err
	}
	if k.Name == "" || k.CallerReference == "" || len(k.Comment) > maxComment {
		return nil, invalid("A public key has a name, a caller reference and a comment of at most %d characters.", maxComment)
	}
	var err error
	if k.key, err = parseKey(k.EncodedKey); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.keys {
		// Which of them AWS compares is not documented (L).
		if other.Account == caller.Account && (other.Name == k.Name || other.CallerReference == k.CallerReference) {
			return nil, wire.Errorf(409, "PublicKeyAlreadyExists", "The specified public key already exists.")
		}
	}
	k.ID, k.ETag, k.Account, k.Created = random.ID("K", 13), random.ID("E", 13), caller.Account, s.clock.Now()
	s.keys[k.ID] = &k
	return &k, nil
}

// maxComment is in characters. Source: API reference, PublicKeyConfig and KeyGroupConfig (H).
const maxComment = 128

// parseKey reads a key of the kinds that CloudFront verifies with: "RSA 2048 or ECDSA 256" (H: API
// reference, PublicKeyConfig). The text of the refusal speaks of RSA whatever the key is (M).
func parseKey(encoded string) (crypto.PublicKey, error) {
	refused := wire.Errorf(400, "InvalidArgument", "Your request contains empty/invalid/out of limits RSA Encoded Key")
	block, rest := pem.Decode([]byte(encoded))
	// Only what `openssl rsa -pubout` writes (L: PKCS #1's "RSA PUBLIC KEY" is said to pass at times).
	if block == nil || block.Type != "PUBLIC KEY" || !strings.HasPrefix(strings.TrimSpace(encoded), "-----BEGIN") ||
		strings.TrimSpace(string(rest)) != "" {
		return nil, refused
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, refused
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() == 2048 {
			return k, nil
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, refused
}

// UpdatePublicKey changes the comment of one, which is all that AWS changes (H: API reference).
func (s *Service) UpdatePublicKey(_ context.Context, caller accounts.Caller, id string, k PublicKey) error {
	old, err := s.publicKey(caller, "UpdatePublicKey", id)
	switch {
	case err != nil:
		return err
	case k.Name != old.Name || k.CallerReference != old.CallerReference || k.EncodedKey != old.EncodedKey:
		return wire.Errorf(400, "CannotChangeImmutablePublicKeyFields", "You can't change the value of a public key.")
	case len(k.Comment) > maxComment:
		return invalid("The comment has more than %d characters.", maxComment)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := *old
	changed.Comment, changed.ETag = k.Comment, random.ID("E", 13)
	s.keys[id] = &changed
	return nil
}

// GetPublicKey reads one.
func (s *Service) GetPublicKey(_ context.Context, caller accounts.Caller, id string) (*PublicKey, error) {
	return s.publicKey(caller, "GetPublicKey", id)
}

// DeletePublicKey removes one that no key group has.
func (s *Service) DeletePublicKey(_ context.Context, caller accounts.Caller, id string) error {
	if _, err := s.publicKey(caller, "DeletePublicKey", id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if g.key(id) != nil {
			return wire.Errorf(409, "PublicKeyInUse", "The specified public key is in use.")
		}
	}
	delete(s.keys, id)
	return nil
}

// publicKey decides action and finds a key of the caller's account.
func (s *Service) publicKey(caller accounts.Caller, action, id string) (*PublicKey, error) {
	if err := s.authorize(caller, action, "*"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[id]
	if k == nil || k.Account != caller.Account {
		return nil, wire.Errorf(404, "NoSuchPublicKey", "The specified public key doesn't exist.")
	}
	return k, nil
}
