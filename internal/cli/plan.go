package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/internal/report"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

type planFlags struct {
	site, config, distribution   string
	previous, policies, rewrites []string
	tags, routes                 []string
	bucket, prefix               string
	preset, budget               string
	used                         int
	deletes, json                bool
	html, manifest               string
}

func newPlan() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Work out what a release makes stale, and the least to invalidate; offline",
		Long: `Work out what a release makes stale in the caches of a distribution, and the least to invalidate.

It calls nobody. A site is a directory, a zip, or a manifest that --manifest wrote earlier. --previous
is what caches may hold: the last release that was verified, and each that was deployed since. A
manifest given as --previous that is missing, damaged or of another distribution means that nothing is
known: then everything is purged, with a warning.

--distribution-config is what "aws cloudfront get-distribution-config" or "get-distribution" prints;
"-" reads it from stdin. Cache policies that are not AWS's own are in files of their own.

The presets: balanced spares what did not change, within the paths that are free; gentlest spares it
whatever that costs; cheapest pays as little as can be.

The exit code is 0 when there is a plan, 2 when the input or the name of a file to write is wrong, and 1
when no plan is possible.`,
		Example: `  unstale plan --site build/ --previous last.zip \
    --distribution-config config.json
  aws cloudfront get-distribution --id E1EXAMPLE \
    | unstale plan --site build/ --previous last.zip --distribution-config -
  unstale plan --site build/ --previous last.zip \
    --distribution-config config.json --html plan.html
  unstale plan --site build/ --previous last.zip \
    --distribution-config config.json --json | jq -r '.items[].item'
  # with a manifest to compare with next time
  unstale plan --site build/ --previous last.manifest \
    --distribution-config config.json --manifest next.manifest`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{withTry(fmt.Errorf("plan takes no argument, but got %q", args[0]), "unstale plan --site %s, or unstale plan --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("routes") {
				f.routes = nil // any path may be a route
			}
			p := planner{planFlags: f, stdin: untilDone{cmd.Context(), cmd.InOrStdin()}, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			return p.run()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.site, "site", "", "the release: a directory, a zip or a manifest (required)")
	flags.StringArrayVar(&f.previous, "previous", nil, "what caches may hold, oldest first: a directory, a zip or a manifest (repeatable)")
	flags.StringVar(&f.config, "distribution-config", "", "file with the distribution's configuration; without it everything is purged")
	flags.StringVar(&f.distribution, "distribution", "", "the distribution's ID, where the configuration does not tell it; manifests of others are refused")
	flags.StringArrayVar(&f.policies, "cache-policy", nil, `file that "aws cloudfront get-cache-policy" printed (repeatable)`)
	flags.StringArrayVar(&f.rewrites, "rewrite", nil, "what a function does to URIs, NAME=none, index, html or spa; NAME * is any other (repeatable)")
	flags.StringSliceVar(&f.routes, "routes", nil, `paths under which a single-page app is asked for, such as "/about,/users/*" (default: any)`)
	flags.BoolVar(&f.deletes, "deletes", false, "the deploy deletes the keys that the release lacks")
	flags.StringVar(&f.bucket, "bucket", "", "the bucket that the release lies in (default: every bucket of the distribution)")
	flags.StringVar(&f.prefix, "prefix", "", "what stands before the release's keys in the bucket")
	flags.StringSliceVar(&f.tags, "tag", nil, "cache tag to purge besides (repeatable)")
	flags.StringVar(&f.preset, "preset", string(plan.Balanced), "what to prefer: cheapest, balanced or gentlest")
	flags.StringVar(&f.budget, "budget", "", `the most to spend: items of this plan such as "40", or dollars a month such as "$5"`)
	flags.IntVar(&f.used, "used", 0, "paths that the account invalidated this month, of which 1,000 are free")
	flags.BoolVar(&f.json, "json", false, "print one JSON document: docs/schemas/plan.schema.json")
	flags.StringVar(&f.html, "html", "", "write a report with a treemap of the site into this file")
	flags.StringVar(&f.manifest, "manifest", "", "write what the bucket then holds into this file, for --previous of the next release")
	return cmd
}

// planner makes one plan. It keeps the warnings, which are also notes of the plan.
type planner struct {
	planFlags
	stdin          io.Reader
	stdout, stderr io.Writer
	warnings       []string
}

// warn says on stderr and in the notes what the plan is worse for.
func (p *planner) warn(text string) {
	p.warnings = append(p.warnings, text)
	_, _ = fmt.Fprintf(p.stderr, "unstale: warning: %s\n", text) // where stderr is closed there is nobody to tell
}

func (p *planner) run() error {
	start := time.Now()
	in, release, err := p.input()
	if err != nil {
		return err
	}
	made, err := plan.Build(in)
	if err != nil {
		return explainBuild(err, in.Distribution.ID)
	}
	document, tree := report.New(in, made, release, p.warnings, time.Since(start).Round(time.Millisecond))
	if p.html != "" {
		page, err := report.HTML(document, tree)
		if err != nil {
			return err
		}
		if err := writeFile(p.html, page); err != nil {
			return err
		}
	}
	if p.manifest != "" {
		kept := site.Manifest{Distribution: in.Distribution.ID, Release: release, Snapshot: kept(in)}
		if err := writeFile(p.manifest, kept.Encode()); err != nil {
			return err
		}
	}
	if !p.json {
		return writePlan(p.stdout, document, newPrinter(p.stdout))
	}
	enc := json.NewEncoder(p.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	return nil
}

// kept is what the bucket holds after the deploy.
func kept(in plan.Input) site.Snapshot {
	if in.Deletes {
		return in.Release
	}
	var beneath site.Snapshot
	for _, known := range in.Known {
		beneath = site.Overlay(beneath, known)
	}
	return site.Overlay(beneath, in.Release)
}

// writeFile leaves no part of a file behind that was not there before.
func writeFile(name string, content []byte) error {
	return writing(name, func() error { return os.WriteFile(name, content, 0o666) })
}

// writing explains why a file could not be written.
func writing(name string, write func() error) error {
	_, before := os.Lstat(name)
	if err := write(); err != nil {
		if errors.Is(before, fs.ErrNotExist) {
			_ = os.Remove(name) // why it could not be written says more
		}
		err = fmt.Errorf("write %s: %w", name, bare(err))
		for _, wrong := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.EISDIR, syscall.ENOTDIR, syscall.EROFS, syscall.ENAMETOOLONG} {
			if errors.Is(err, wrong) {
				return usage{withTry(err, "a file in a directory that exists and that you may write to")}
			}
		}
		return err
	}
	return nil
}

// bare is an error of the file system without the operation and the path, which the message has.
func bare(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// explainBuild tells what to do about a plan that cannot be, of a distribution that may have no ID.
func explainBuild(err error, id string) error {
	var impossible *plan.Infeasible
	var tagsOff *plan.TagsOff
	var unread *plan.BucketUnread
	told := err
	if id == "" {
		told = errors.New(strings.Replace(err.Error(), "plan distribution : ", "plan the release: ", 1))
	}
	switch {
	case errors.As(err, &unread):
		return usage{withTry(told, "--bucket with the one that the release is deployed to, or without --bucket")}
	case errors.As(err, &impossible):
		return withTry(told, "a larger --budget, or none")
	case errors.As(err, &tagsOff):
		return usage{withTry(told, "without --tag, or set a CacheTagConfig on the distribution and give its new configuration")}
	}
	return usage{withTry(told, "unstale plan --help")}
}

// cacheTags are the tags as items. Their "#" may be left out, since shells take it for a comment.
func (f *planFlags) cacheTags() []invalidation.Item {
	var items []invalidation.Item
	for _, tag := range f.tags {
		items = append(items, invalidation.Item("#"+strings.TrimPrefix(tag, "#")))
	}
	return items
}
