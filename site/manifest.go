package site

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Manifest keeps a snapshot for the releases to come. It is bound to a distribution, so that one put
// in another's place is noticed.
type Manifest struct {
	Distribution string // the distribution's ID
	Release      string // for people; may be empty
	Verified     bool   // viewers were seen to get it; otherwise it is pending
	Snapshot     Snapshot
}

// The format: magic, version, a deflated payload, and the SHA-256 of all that. The payload is the
// header's fields, the Cache-Control values that occur, and per object the key (as the length shared
// with the key before it, and the rest), flags, size and fingerprint. Numbers are unsigned varints.
const (
	manifestMagic   = "unstale manifest\n"
	manifestVersion = 1

	flagVerified = 1 // of the header

	// Flags of an object.
	flagETag    = 1 // the fingerprint is an ETag, as text
	flagHexETag = 2 // the fingerprint is an ETag of 32 lower-case hex digits, as 16 bytes
	flagCache   = 4 // Cache-Control is known; its number in the table follows

	// Bounds of what is read, against manifests made to exhaust memory: the checksum keeps out
	// damage, not malice.
	maxField      = 1 << 16
	maxObjects    = 16_000_000
	maxPayload    = 1 << 30 // bytes, inflated
	maxKeyBytes   = 1 << 30 // of all keys
	minObject     = 6       // bytes of the shortest object
	digestLength  = 16      // of an MD5
	checksumBytes = sha256.Size
)

// ForeignError says that a manifest is another distribution's.
type ForeignError struct{ Distribution, Want string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("read manifest: it is of distribution %s, not of %s", e.Distribution, e.Want)
}

// VersionError says that a manifest was written by a newer unstale.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("read manifest: it has format %d, and this unstale knows %d at most; update unstale", e.Version, manifestVersion)
}

// DamagedError says that something is no manifest, or no longer one.
type DamagedError struct{ Reason string }

func (e *DamagedError) Error() string { return "read manifest: " + e.Reason }

// Encode writes the manifest: about 10 bytes an object and what is new in its key, compressed. The
// same manifest always gives the same bytes.
func (m Manifest) Encode() []byte {
	out := bytes.NewBuffer([]byte(manifestMagic))
	out.WriteByte(manifestVersion)
	deflate, _ := flate.NewWriter(out, flate.BestSpeed) // the level is valid
	w := &manifestWriter{}
	w.header(m)
	caches := w.caches(m.Snapshot)
	last := ""
	for i := range m.Snapshot {
		w.object(&m.Snapshot[i], last, caches)
		last = m.Snapshot[i].Key
		if len(w.buf) >= 64<<10 {
			_, _ = deflate.Write(w.buf) // writing to a bytes.Buffer does not fail
			w.buf = w.buf[:0]
		}
	}
	_, _ = deflate.Write(w.buf)
	_ = deflate.Close()
	sum := sha256.Sum256(out.Bytes())
	out.Write(sum[:])
	return out.Bytes()
}

type manifestWriter struct{ buf []byte }

func (w *manifestWriter) number(n uint64) { w.buf = binary.AppendUvarint(w.buf, n) }

func (w *manifestWriter) text(s string) {
	w.number(uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *manifestWriter) header(m Manifest) {
	w.text(m.Distribution)
	w.text(m.Release)
	flags := byte(0)
	if m.Verified {
		flags = flagVerified
	}
	w.buf = append(w.buf, flags)
	w.number(uint64(len(m.Snapshot)))
}

// caches writes the table of Cache-Control values, in order of appearance.
func (w *manifestWriter) caches(s Snapshot) map[string]int {
	numbers := map[string]int{}
	var values []string
	for i := range s {
		if o := &s[i]; o.CacheKnown {
			if _, found := numbers[o.CacheControl]; !found {
				numbers[o.CacheControl] = len(values)
				values = append(values, o.CacheControl)
			}
		}
	}
	w.number(uint64(len(values)))
	for _, value := range values {
		w.text(value)
	}
	return numbers
}

func (w *manifestWriter) object(o *Object, last string, caches map[string]int) {
	shared := sharedPrefix(last, o.Key)
	w.number(uint64(shared))
	w.text(o.Key[shared:])
	flags := byte(0)
	digest, isHex := hexDigest(o.ETag)
	switch {
	case isHex:
		flags |= flagHexETag
	case o.ETag != "":
		flags |= flagETag
	}
	if o.CacheKnown {
		flags |= flagCache
	}
	w.buf = append(w.buf, flags)
	w.number(uint64(o.Size))
	switch {
	case isHex:
		w.buf = append(w.buf, digest...)
	case o.ETag != "":
		w.text(o.ETag)
	default:
		w.buf = binary.LittleEndian.AppendUint32(w.buf, o.CRC32)
	}
	if o.CacheKnown {
		w.number(uint64(caches[o.CacheControl]))
	}
}

func hexDigest(etag string) ([]byte, bool) {
	digest, err := hex.DecodeString(etag)
	return digest, err == nil && len(digest) == digestLength && hex.EncodeToString(digest) == etag
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Decode reads a manifest that must be of the given distribution; "" takes any. The error is a
// *ForeignError, a *VersionError or a *DamagedError; after each of them nothing is known of what
// caches hold.
func Decode(b []byte, distribution string) (Manifest, error) {
	head := len(manifestMagic) + 1
	if len(b) < head || string(b[:len(manifestMagic)]) != manifestMagic {
		return Manifest{}, &DamagedError{"it is no manifest of unstale"}
	}
	if version := int(b[head-1]); version != manifestVersion {
		if version > manifestVersion {
			return Manifest{}, &VersionError{version}
		}
		return Manifest{}, &DamagedError{fmt.Sprintf("there is no format %d", version)}
	}
	if len(b) < head+checksumBytes {
		return Manifest{}, &DamagedError{"it ends early"}
	}
	body := b[:len(b)-checksumBytes]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return Manifest{}, &DamagedError{"its checksum is wrong; it is damaged or ends early"}
	}
	m, err := readManifest(flate.NewReader(bytes.NewReader(body[head:])))
	if err != nil {
		return Manifest{}, &DamagedError{err.Error()}
	}
	if distribution != "" && m.Distribution != distribution {
		return Manifest{}, &ForeignError{Distribution: m.Distribution, Want: distribution}
	}
	return m, nil
}
