package site

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
)

// manifestReader reads a payload. The first thing that is wrong stays in err, and everything read
// after it is zero.
type manifestReader struct {
	rest   []byte
	err    error
	names  arena
	caches []string
}

// readManifest reads the payload of a manifest, which must end where its objects do.
func readManifest(payload io.Reader) (Manifest, error) {
	r := &manifestReader{}
	r.rest, r.err = io.ReadAll(io.LimitReader(payload, maxPayload))
	m := Manifest{Distribution: r.text(maxField), Release: r.text(maxField)}
	switch flags := r.byte(); flags {
	case 0, flagVerified:
		m.Verified = flags == flagVerified
	default:
		r.fail("its flags %#x are not known", flags)
	}
	count := r.number(maxObjects)
	for range r.number(count) {
		r.caches = append(r.caches, r.text(maxField))
		if r.err != nil {
			return Manifest{}, r.err
		}
	}
	m.Snapshot = make(Snapshot, 0, min(count, uint64(len(r.rest)/minObject))) // the count may be a lie
	last, length := "", 0
	for range count {
		o := r.object(last)
		if r.err == nil && len(m.Snapshot) > 0 && o.Key <= last {
			r.fail("%q and %q are not in order", last, o.Key)
		}
		if length += len(o.Key); length > maxKeyBytes {
			r.fail("its keys have more than %d bytes", maxKeyBytes)
		}
		if r.err != nil {
			return Manifest{}, r.err
		}
		last = o.Key
		m.Snapshot = append(m.Snapshot, o)
	}
	if len(r.rest) > 0 {
		r.fail("there is more behind its last object")
	}
	return m, r.err
}

func (r *manifestReader) object(last string) Object {
	shared := int(r.number(uint64(len(last))))
	tail := r.bytes(maxKey)
	if r.err != nil {
		return Object{}
	}
	o := Object{Key: r.names.join(last[:shared], tail)}
	if reason := notKey(o.Key); reason != "" {
		r.fail("entry %q %s", o.Key, reason)
	}
	flags := r.byte()
	if flags&^(flagETag|flagHexETag|flagCache) != 0 || flags&flagETag != 0 && flags&flagHexETag != 0 {
		r.fail("the flags %#x of %q are not known", flags, o.Key)
	}
	o.Size = int64(r.number(math.MaxInt64))
	switch {
	case flags&flagHexETag != 0:
		o.ETag = hex.EncodeToString(r.fixed(digestLength))
	case flags&flagETag != 0:
		if o.ETag = r.text(maxField); o.ETag == "" {
			r.fail("%q has an empty ETag", o.Key)
		}
	default:
		if crc := r.fixed(4); len(crc) == 4 {
			o.CRC32 = binary.LittleEndian.Uint32(crc)
		}
	}
	if flags&flagCache != 0 {
		if i := r.number(math.MaxInt32); i < uint64(len(r.caches)) {
			o.CacheKnown, o.CacheControl = true, r.caches[i]
		} else {
			r.fail("%q names a Cache-Control that is not there", o.Key)
		}
	}
	return o
}

func (r *manifestReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *manifestReader) byte() byte {
	b := r.fixed(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// number reads a number of at most most.
func (r *manifestReader) number(most uint64) uint64 {
	if r.err != nil {
		return 0
	}
	n, length := binary.Uvarint(r.rest)
	switch {
	case length <= 0:
		r.fail("its payload is damaged, or ends early")
	case n > most:
		r.fail("the number %d is more than %d", n, most)
	default:
		r.rest = r.rest[length:]
		return n
	}
	return 0
}

// fixed reads n bytes; nil when they are not there.
func (r *manifestReader) fixed(n int) []byte {
	if r.err == nil && len(r.rest) < n {
		r.fail("its payload is damaged, or ends early")
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *manifestReader) bytes(most uint64) []byte { return r.fixed(int(r.number(most))) }

func (r *manifestReader) text(most uint64) string { return string(r.bytes(most)) }
