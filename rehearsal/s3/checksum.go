package s3

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"

	"github.com/unstale/unstale/rehearsal/wire"
)

const checksumPrefix = "X-Amz-Checksum-"

var checksumHeaders = []string{
	checksumPrefix + "Crc32", checksumPrefix + "Crc32c", checksumPrefix + "Crc64nvme", checksumPrefix + "Sha1", checksumPrefix + "Sha256",
}

// crc64NVME is the polynomial of CRC-64/NVME, reversed.
const crc64NVME = 0x9a6c9329ac4bc9b5

func checksum(header string) hash.Hash {
	switch header {
	case checksumPrefix + "Crc32":
		return crc32.NewIEEE()
	case checksumPrefix + "Crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case checksumPrefix + "Crc64nvme":
		return crc64.New(crc64.MakeTable(crc64NVME))
	case checksumPrefix + "Sha1":
		return sha1.New()
	}
	return sha256.New()
}

// verifyChecksums compares a body with the checksums that came along, and returns them, to be
// answered to readers who ask. S3 adds a CRC-64/NVME where none came (AWS-documented).
func verifyChecksums(h http.Header, body []byte) (http.Header, error) {
	if v := h.Get("Content-Md5"); v != "" {
		sum := md5.Sum(body)
		if v != base64.StdEncoding.EncodeToString(sum[:]) {
			return nil, wire.Errorf(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	out := http.Header{}
	for _, name := range checksumHeaders {
		given := h.Get(name)
		if given == "" {
			continue
		}
		if given != encodedSum(name, body) {
			return nil, wire.Errorf(http.StatusBadRequest, "BadDigest", "The %s you specified did not match the calculated checksum.", name[len(checksumPrefix):])
		}
		out.Set(name, given)
	}
	if len(out) == 0 {
		const name = checksumPrefix + "Crc64nvme"
		out.Set(name, encodedSum(name, body))
	}
	return out, nil
}

func encodedSum(header string, body []byte) string {
	sum := checksum(header)
	sum.Write(body)
	return base64.StdEncoding.EncodeToString(sum.Sum(nil))
}

// etag is the MD5 of a body in quotes, except under SSE-KMS, where AWS answers something else that
// nobody may take for an MD5. Source: S3 API Reference, Object, ETag (AWS-documented).
func etag(body []byte, e encryption) string {
	sum := md5.New()
	sum.Write(body)
	if e.keyARN != "" {
		sum.Write([]byte(e.keyARN))
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
}
