package edge

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
)

// The sizes that CloudFront compresses, in bytes. Source: Developer Guide, "Serving compressed
// files" (H); its list of types is below.
const (
	minCompressed = 1000
	maxCompressed = 10_000_000
)

var compressible = func() map[string]bool {
	m := map[string]bool{}
	for _, t := range strings.Fields(`
		application/dash+xml application/eot application/font application/font-sfnt application/javascript
		application/json application/opentype application/otf application/pdf application/pkcs7-mime
		application/protobuf application/rss+xml application/truetype application/ttf
		application/vnd.apple.mpegurl application/vnd.mapbox-vector-tile application/vnd.ms-fontobject
		application/wasm application/xhtml+xml application/xml application/x-font-opentype
		application/x-font-truetype application/x-font-ttf application/x-httpd-cgi application/x-javascript
		application/x-mpegurl application/x-opentype application/x-otf application/x-perl application/x-ttf
		font/eot font/opentype font/otf font/ttf image/svg+xml text/css text/csv text/html text/javascript
		text/js text/plain text/richtext text/tab-separated-values text/xml text/x-component
		text/x-java-source text/x-script vnd.apple.mpegurl`) {
		m[t] = true
	}
	return m
}()

// compress encodes e's body for a viewer that accepts encodings; Brotli goes before gzip. The ETag
// becomes weak, since the bytes are no longer the origin's.
func compress(e *entry, encodings string) {
	kind, _, err := mime.ParseMediaType(e.header.Get("Content-Type"))
	if err != nil || !compressible[kind] || e.header.Get("Content-Encoding") != "" ||
		len(e.body) < minCompressed || len(e.body) > maxCompressed {
		return
	}
	switch e.status {
	case http.StatusOK, http.StatusForbidden, http.StatusNotFound:
	default:
		return
	}
	// Said of both forms, or else a browser's cache would mix them up.
	e.header.Add("Vary", "Accept-Encoding")
	var out bytes.Buffer
	var z io.WriteCloser
	coding, _, _ := strings.Cut(encodings, ",")
	switch coding {
	case "br":
		z = brotli.NewWriterLevel(&out, 4)
	case "gzip":
		z = gzip.NewWriter(&out)
	default:
		return
	}
	_, _ = z.Write(e.body) // a bytes.Buffer never fails
	_ = z.Close()
	e.body = out.Bytes()
	e.header.Set("Content-Encoding", coding)
	switch tag := e.header.Get("Etag"); {
	case strings.HasPrefix(tag, `"`):
		e.header.Set("Etag", "W/"+tag)
	case !strings.HasPrefix(tag, "W/"):
		e.header.Del("Etag")
	}
}
