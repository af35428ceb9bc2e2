// Package spa is the source of the example single-page app, as it is pushed to the pipeline.
package spa

import "embed"

// Files is the app's source: what git would hold, so neither node_modules nor dist.
//
//go:embed .gitignore .npmrc RELEASE buildspec.yml index.html package.json package-lock.json vite.config.js public src
var Files embed.FS
