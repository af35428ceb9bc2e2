// Package static is the source of the smallest site: pages and a buildspec that needs no tool chain.
package static

import "embed"

// Files is the site's source.
//
//go:embed RELEASE buildspec.yml build.sh public
var Files embed.FS
