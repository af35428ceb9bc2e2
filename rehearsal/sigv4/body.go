package sigv4

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	// The chunked forms. Source: Amazon S3 API Reference, "Signature calculations: transferring payload
	// in multiple chunks" and "... including trailing headers".
	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// MaxBody is the largest request body taken, in bytes.
const MaxBody = 1 << 30

// NeedsBody says that the signature covers a hash the request does not carry in a header, so that
// the body has to be read before Verify. It returns the signature with the hash filled in.
func (s Signature) NeedsBody(body []byte) Signature {
	if s.payload == "" {
		s.payload = hexHash(body)
	}
	return s
}

// Payload is a request's body as it was before it was sent.
type Payload struct {
	Body []byte
	// Trailer holds the headers that came behind a chunked body, such as x-amz-checksum-crc32.
	Trailer http.Header
}

// Payload returns what is inside raw, once it is shown to be what was signed: by its hash, or by
// each chunk's signature.
func (s Signature) Payload(raw []byte, secret string) (Payload, error) {
	switch s.payload {
	case unsignedPayload:
		return Payload{Body: raw}, nil
	case streamingSigned, streamingSignedTrailer, streamingUnsignedTrailer:
		out, err := s.chunks(raw, secret)
		if err == nil && s.decoded >= 0 && s.decoded != int64(len(out.Body)) {
			err = wire.Errorf(http.StatusBadRequest, "IncompleteBody",
				"You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header")
		}
		return out, err
	}
	if hexHash(raw) != s.payload {
		return Payload{}, wire.Errorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch",
			"The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return Payload{Body: raw}, nil
}

// chunks undoes aws-chunked encoding: "hex-size[;chunk-signature=...]\r\n data \r\n ... 0 \r\n trailers".
func (s Signature) chunks(raw []byte, secret string) (Payload, error) {
	in := bufio.NewReader(bytes.NewReader(raw))
	previous := s.Signature
	var out bytes.Buffer
	for {
		data, extension, err := nextChunk(in, len(raw))
		if err != nil {
			return Payload{}, err
		}
		if s.payload != streamingUnsignedTrailer {
			if previous, err = s.verifyChunk(data, extension, previous, secret); err != nil {
				return Payload{}, err
			}
		}
		if len(data) > 0 {
			out.Write(data)
			continue
		}
		trailer, err := s.trailer(in, previous, secret)
		return Payload{Body: out.Bytes(), Trailer: trailer}, err
	}
}

// nextChunk reads one chunk of at most limit bytes and the line break behind it, which the last,
// empty one has not: there the trailers follow.
func nextChunk(in *bufio.Reader, limit int) (data []byte, extension string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, "", badChunk("ends early")
	}
	size, extension, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";")
	n, err := strconv.ParseUint(size, 16, 31)
	if err != nil || n > uint64(limit) {
		return nil, "", badChunk("has the size " + strconv.Quote(size))
	}
	if n == 0 {
		return nil, extension, nil
	}
	data = make([]byte, n+2)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, "", badChunk("ends early")
	}
	if string(data[n:]) != "\r\n" {
		return nil, "", badChunk("is longer than its size")
	}
	return data[:n], extension, nil
}

func (s Signature) verifyChunk(data []byte, extension, previous, secret string) (string, error) {
	got := strings.TrimPrefix(extension, "chunk-signature=")
	text := strings.Join([]string{
		"AWS4-HMAC-SHA256-PAYLOAD", s.Time.Format(timeFormat), s.scopeString(), previous, hexHash(nil), hexHash(data),
	}, "\n")
	want := hex.EncodeToString(mac(s.key(secret), text))
	if !hmac.Equal([]byte(want), []byte(got)) {
		return "", wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "A chunk's signature does not match.")
	}
	return got, nil
}

const trailerSignature = "X-Amz-Trailer-Signature"

// trailer reads the headers behind the last chunk. In the signed form they end with a signature of
// their own, over "name:value\n" of each, chained to the last chunk's.
func (s Signature) trailer(in *bufio.Reader, previous, secret string) (http.Header, error) {
	out := http.Header{}
	var signed strings.Builder
	for {
		line, err := in.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break // the end, with or without the empty line
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, badChunk("has the trailer " + strconv.Quote(line))
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if http.CanonicalHeaderKey(name) != trailerSignature {
			signed.WriteString(name + ":" + value + "\n")
		}
		out.Set(name, value)
		if err != nil {
			break
		}
	}
	if s.payload == streamingSignedTrailer {
		text := strings.Join([]string{
			"AWS4-HMAC-SHA256-TRAILER", s.Time.Format(timeFormat), s.scopeString(), previous, hexHash([]byte(signed.String())),
		}, "\n")
		want := hex.EncodeToString(mac(s.key(secret), text))
		if !hmac.Equal([]byte(want), []byte(out.Get(trailerSignature))) {
			return nil, wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "The trailer's signature does not match.")
		}
	}
	out.Del(trailerSignature)
	return out, nil
}

func badChunk(why string) error {
	return wire.Errorf(http.StatusBadRequest, "IncompleteBody", "A chunk of the aws-chunked body %s.", why)
}
