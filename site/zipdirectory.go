package site

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

// The records of a zip that are read, by signature, and the length of their fixed part. Source:
// PKWARE APPNOTE.TXT 6.3.10, sections 4.3.12 (entry), 4.3.14 to 4.3.16 (ends), 4.5.3 (zip64 extra).
const (
	entrySignature   = 0x02014b50
	endSignature     = 0x06054b50
	end64Signature   = 0x06064b50
	locatorSignature = 0x07064b50

	localSize   = 30 // the header before each file's content
	entrySize   = 46
	endSize     = 22
	end64Size   = 56
	locatorSize = 20
	maxComment  = math.MaxUint16

	zip64Extra    = 1
	flagEncrypted = 1
	methodStore   = 0
	methodDeflate = 8
)

// firstLook is how much of the end is read at first: enough unless the archive has a long comment.
const firstLook = 1 << 10

// ending is where an archive says that its directory is.
type ending struct {
	at, size int64 // bytes
	entries  int
}

// findEnd finds the end record, which only the archive's comment may follow, and checks its claims.
func findEnd(r io.ReaderAt, size int64) (ending, error) {
	for _, look := range []int64{firstLook, endSize + maxComment} {
		tail := make([]byte, min(size, look))
		if err := readAt(r, tail, size-int64(len(tail)), "it"); err != nil {
			return ending{}, err
		}
		for i := len(tail) - endSize; i >= 0; i-- {
			rest := tail[i:]
			if le32(rest) == endSignature && int(le16(rest[20:])) == len(rest)-endSize {
				return readEnd(r, rest, size-int64(len(rest)))
			}
		}
	}
	return ending{}, damaged("it is no zip, or truncated: the record that ends every zip is missing")
}

// readEnd reads the end record at a position, and its zip64 form where there is one.
func readEnd(r io.ReaderAt, record []byte, at int64) (ending, error) {
	if le16(record[4:]) != le16(record[6:]) {
		return ending{}, damaged("it is one of several parts")
	}
	entries, size, offset := uint64(le16(record[10:])), uint64(le32(record[12:])), uint64(le32(record[16:]))
	if entries == math.MaxUint16 || size == math.MaxUint32 || offset == math.MaxUint32 {
		record64, at64, err := findEnd64(r, at)
		if err != nil {
			return ending{}, err
		}
		if record64 != nil {
			at = at64
			entries, size, offset = le64(record64[32:]), le64(record64[40:]), le64(record64[48:])
		}
	}
	switch {
	case entries > maxEntries || size > maxDirectory:
		return ending{}, damaged("its directory claims %d entries and %d bytes, more than the %d and %d that are read",
			entries, size, maxEntries, maxDirectory)
	case size > uint64(at) || offset > uint64(at)-size:
		return ending{}, damaged("its directory claims to lie beyond its end; it is truncated or damaged")
	case entries*entrySize > size:
		return ending{}, damaged("its directory of %d bytes cannot hold the %d entries that it claims", size, entries)
	}
	// What stands before the archive, such as a program that unpacks it, shifts all its offsets.
	found := ending{at: at - int64(size), size: int64(size), entries: int(entries)}
	if int64(offset) != found.at && size > 0 {
		return found, refuseSecond(r, int64(offset))
	}
	return found, nil
}

// refuseSecond refuses a directory that also lies where the end record says, unshifted. Some read the
// one (Go's library) and some the other (Python's, Java's), so nobody knows which would be deployed.
func refuseSecond(r io.ReaderAt, at int64) error {
	signature := make([]byte, 4)
	if err := readAt(r, signature, at, "its directory"); err != nil {
		return err
	}
	if le32(signature) == entrySignature {
		return damaged("it has two directories, and which one counts depends on who reads it")
	}
	return nil
}

// findEnd64 reads the zip64 end record that the locator before the end record at a position names;
// nil when there is no locator, which means that the plain record's values are true.
func findEnd64(r io.ReaderAt, at int64) ([]byte, int64, error) {
	if at < locatorSize {
		return nil, 0, nil
	}
	locator := make([]byte, locatorSize)
	if err := readAt(r, locator, at-locatorSize, "its zip64 locator"); err != nil {
		return nil, 0, err
	}
	if le32(locator) != locatorSignature {
		return nil, 0, nil
	}
	at64 := le64(locator[8:])
	if at < locatorSize+end64Size || at64 > uint64(at-locatorSize-end64Size) {
		return nil, 0, damaged("its zip64 end record claims to lie beyond its end; it is truncated or damaged")
	}
	record := make([]byte, end64Size)
	if err := readAt(r, record, int64(at64), "its zip64 end record"); err != nil {
		return nil, 0, err
	}
	if le32(record) != end64Signature {
		return nil, 0, damaged("its zip64 end record is missing where its locator says it is")
	}
	return record, int64(at64), nil
}

// entry is one file of the directory.
type entry struct {
	name          []byte
	flags, method uint16
	crc           uint32
	packed, size  uint64 // bytes in the archive and as a file
}

// room is how many bytes of the archive the file needs at least.
func (e entry) room() uint64 { return localSize + uint64(len(e.name)) + min(e.packed, math.MaxInt64) }

// parseEntry reads the first entry of a directory and returns what follows it.
func parseEntry(b []byte) (entry, []byte, error) {
	if len(b) < entrySize || le32(b) != entrySignature {
		return entry{}, nil, damaged("its directory is damaged: an entry does not begin where it should")
	}
	e := entry{
		flags: le16(b[8:]), method: le16(b[10:]), crc: le32(b[16:]),
		packed: uint64(le32(b[20:])), size: uint64(le32(b[24:])),
	}
	n, x, c := int(le16(b[28:])), int(le16(b[30:])), int(le16(b[32:]))
	if len(b) < entrySize+n+x+c {
		return entry{}, nil, damaged("its directory is damaged: an entry is longer than the rest")
	}
	e.name = b[entrySize : entrySize+n]
	if err := e.zip64(b[entrySize+n : entrySize+n+x]); err != nil {
		return entry{}, nil, err
	}
	return e, b[entrySize+n+x+c:], nil
}

// zip64 takes the sizes that did not fit out of the extra fields.
func (e *entry) zip64(extra []byte) error {
	needs := []*uint64{}
	for _, field := range []*uint64{&e.size, &e.packed} { // in the order in which they are written
		if *field == math.MaxUint32 {
			needs = append(needs, field)
		}
	}
	for len(needs) > 0 && len(extra) >= 4 {
		tag, n := le16(extra), int(le16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			break
		}
		if tag == zip64Extra {
			if n < 8*len(needs) {
				return damaged("its directory is damaged: the zip64 sizes of %q are missing", bytes.ToValidUTF8(e.name, []byte("?")))
			}
			for i, field := range needs {
				*field = le64(extra[8*i:])
			}
			return nil
		}
		extra = extra[n:]
	}
	return nil // a file of exactly 4 GiB - 1 needs no zip64
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
