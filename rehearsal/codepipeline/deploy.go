package codepipeline

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/unstale/unstale/rehearsal/codepipeline/artifact"
	"github.com/unstale/unstale/rehearsal/wire"
)

// deployAction puts an artifact into a bucket, as a whole or file by file. It never deletes. Source:
// User Guide, "Amazon S3 deploy action reference" (H; no option to delete: H by absence).
type deployAction struct{ *Service }

// Check takes the options that the rehearsal carries out. The ACL and key options are refused rather
// than ignored.
func (deployAction) Check(a Action) error {
	if err := counts(a, 1, 1, 0, 0); err != nil {
		return err
	}
	if err := configKeys(a, []string{"BucketName", "Extract"}, "ObjectKey", "CacheControl"); err != nil {
		return err
	}
	switch a.Configuration["Extract"] {
	case "true":
		return nil
	case "false":
		if a.Configuration["ObjectKey"] == "" {
			return badAction("Action configuration for action '%s' is missing required configuration 'ObjectKey'", a.Name)
		}
		return nil
	}
	return badAction("Extract of action '%s' must be true or false", a.Name)
}

func (s deployAction) Run(ctx context.Context, run *Run) (Outcome, error) {
	raw, err := s.Store.Fetch(ctx, run.Caller, run.Input(0))
	if err != nil {
		return Outcome{}, fmt.Errorf("read the input artifact: %w", err)
	}
	object := artifact.Object{
		Location:     artifact.Location{Bucket: run.Configuration["BucketName"], Key: run.Configuration["ObjectKey"]},
		CacheControl: run.Configuration["CacheControl"],
	}
	if run.Configuration["Extract"] == "false" {
		object.Body, object.ContentType = raw, contentType(object.Key)
		return Outcome{}, s.Store.Keep(ctx, run.Caller, object)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return Outcome{}, &Failure{Code: "ConfigurationError", Message: "The input artifact is not a zip file: " + err.Error()}
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if !fs.ValidPath(f.Name) {
			return Outcome{}, &Failure{Code: "ConfigurationError", Message: "The input artifact holds a file named " + f.Name}
		}
		if err := ctx.Err(); err != nil {
			return Outcome{}, err
		}
		if object.Body, err = unzip(f); err != nil {
			return Outcome{}, err
		}
		o := object
		o.Key, o.ContentType = path.Join(object.Key, f.Name), contentType(f.Name)
		if err := s.Store.Keep(ctx, run.Caller, o); err != nil {
			return Outcome{}, fmt.Errorf("put %s into %s: %w", o.Key, o.Bucket, err)
		}
	}
	return Outcome{Summary: "Deployment Succeeded"}, nil
}

// maxEntry bounds what one file of an artifact unpacks to.
const maxEntry = 1 << 30

func unzip(f *zip.File) ([]byte, error) {
	if f.UncompressedSize64 > maxEntry {
		return nil, wire.NotEmulated("files of %d bytes in an artifact (%s)", f.UncompressedSize64, f.Name)
	}
	in, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", f.Name, err)
	}
	defer in.Close()
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", f.Name, err)
	}
	return body, nil
}

// contentType is by extension, from a fixed table: the types this machine knows would differ between
// machines. The action sets a type per file; its own table is not documented (L).
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html"
	case ".js", ".mjs":
		return "application/javascript"
	case ".css":
		return "text/css"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".ico":
		return "image/x-icon"
	case ".txt":
		return "text/plain"
	case ".xml":
		return "application/xml"
	case ".pdf":
		return "application/pdf"
	case ".woff":
		return "font/woff"
	case ".woff2":
		return "font/woff2"
	case ".ttf":
		return "font/ttf"
	case ".wasm":
		return "application/wasm"
	case ".zip":
		return "application/zip"
	}
	return "application/octet-stream"
}
