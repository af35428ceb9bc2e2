package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/examples/spa"
	"github.com/unstale/unstale/examples/static"
	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal"
)

type rehearseFlags struct {
	route, site, lambdas string
	mistake              string
	json, serve, verbose bool
}

func newRehearse() *cobra.Command {
	var f rehearseFlags
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Play a release across two accounts on this machine, with IAM enforced",
		Long: `Play a release across two accounts on this machine, with IAM enforced.

A site is pushed with git to the pipeline account, built by its buildspec, deployed into the delivery
account's bucket and purged from the edge by the real Lambda functions. What viewers get is shown
before, between and after. Nothing leaves this machine, except what the site's build itself fetches.

With --break NAME one common mistake is made, and the story ends with where it failed, why, and the
statement that repairs it; the exit code is then 1.

The exit code is 0 only if the pipeline succeeded and every point of presence serves the new release.
Ctrl-C leaves nothing behind, and the code is then 130; where --serve stays until then, it is 0.`,
		Example: `  unstale rehearse                       # the smallest site, needs no Node
  unstale rehearse --route relay         # through a function of the other one
  unstale rehearse --site spa            # a React single-page app, built by npm
  unstale rehearse --json | jq .viewer   # one document at the end, nothing else
  unstale rehearse --break trust         # one mistake, and what repairs it
  unstale rehearse --serve               # and stay up for the AWS CLI and git`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{withTry(fmt.Errorf("rehearse takes no argument, but got %q", args[0]), "unstale rehearse --help")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.json && f.serve {
				return usage{withTry(errors.New("--json and --serve exclude each other: one ends with a document, the other goes on"), "unstale rehearse --json, or unstale rehearse --serve")}
			}
			if f.mistake != "" && f.serve {
				return usage{withTry(errors.New("--break and --serve exclude each other: one ends with an explanation, the other goes on"), "one of them")}
			}
			if f.mistake == "help" {
				return listMistakes(cmd.OutOrStdout())
			}
			return rehearse(cmd.Context(), f, cmd.Flags().Changed("route"), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.route, "route", story.DefaultRoute, "how the border is crossed: "+strings.Join(story.Routes(), ", "))
	flags.StringVar(&f.site, "site", "static", "what to deliver: static, spa, or a directory with RELEASE and buildspec.yml whose page says data-release=\"...\"")
	flags.StringVar(&f.lambdas, "lambdas", "", "directory with the Lambda zips (default: beside this program, or where make lambdas puts them)")
	flags.StringVar(&f.mistake, "break", "", "make one common mistake, and have it explained; help lists them")
	flags.BoolVar(&f.json, "json", false, "print one JSON document instead of the story")
	flags.BoolVar(&f.serve, "serve", false, "keep both accounts up after the first release; buildspecs run with your rights")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show what builds print (on stderr)")
	return cmd
}

func rehearse(ctx context.Context, f rehearseFlags, routeGiven bool, stdout, stderr io.Writer) (err error) {
	if !slices.Contains(story.Routes(), f.route) {
		return usage{withTry(noSuch("route", f.route, story.Routes()), "--route with one of %s", strings.Join(story.Routes(), ", "))}
	}
	var mistake mistakes.Mistake
	if f.mistake != "" {
		if mistake, f.route, err = chooseMistake(f.mistake, f.route, routeGiven); err != nil {
			return err
		}
	}
	source, err := siteSource(f.site)
	if err != nil {
		return err
	}
	o := story.Options{Route: f.route, Source: source}
	if o.Lambdas, err = lambdaDirectory(f.lambdas); err != nil {
		return err
	}
	if cache, err := os.UserCacheDir(); err == nil { // without one, builds fetch anew
		o.Cache = filepath.Join(cache, "unstale", "npm")
	}
	if f.verbose {
		o.Build = stderr
	}
	var n story.Narrator
	if !f.json {
		if nobodyReads(stdout) {
			_, _ = fmt.Fprintln(stderr, "unstale: stdout is closed, so the story is told to nobody; the exit code still says how it ended")
		}
		n = story.Screen{
			Out: stdout, Color: colored(stdout, os.Getenv), Width: widthOf(stdout), Brief: f.mistake != "", Builds: f.verbose,
		}.Narrator()
		n.Title(f.route)
		o.Command = n.Command
		o.Observe = func(w *rehearsal.World) {
			w.Journal().OnEvent(n.Event)
			w.Journal().OnCall(n.Call)
		}
	}
	// What ends because of a signal is no news.
	defer context.AfterFunc(ctx, n.Silence)()
	err = play(ctx, f, mistake, o, n, stdout)
	if cause := (interrupted{}); errors.As(context.Cause(ctx), &cause) && err != nil {
		return cause
	}
	return errors.Join(err, n.Err())
}

// play tells the story that the flags ask for.
func play(ctx context.Context, f rehearseFlags, mistake mistakes.Mistake, o story.Options, n story.Narrator, stdout io.Writer) (err error) {
	if f.mistake != "" {
		return rehearseMistake(ctx, mistake, o, n, f.json, stdout)
	}
	stage, err := story.Set(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if f.serve {
		return serve(ctx, f, stage, n, stdout)
	}
	report, err := stage.Run(ctx, n)
	switch {
	case ctx.Err() != nil: // half a report is none
	case f.json:
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = errors.Join(err, enc.Encode(report))
	case err == nil:
		n.End(report)
	}
	return err
}

// nobodyReads says whether stdout was closed when the program began. Go's runtime then puts the null device
// in its place, to be read and written; a shell's >/dev/null is to be written only. Source: runtime,
// checkfds.
func nobodyReads(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(info, null) {
		return false
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFL, 0)
	return errno == 0 && flags&syscall.O_ACCMODE == syscall.O_RDWR
}

// siteSource finds the repository of the site to deliver, and what its release needs of this machine.
func siteSource(name string) (fs.FS, error) {
	var source fs.FS
	switch name {
	case "static":
		source = static.Files
	case "spa":
		source = spa.Files
	default:
		var err error
		if source, err = directory(name); err != nil {
			return nil, usage{withTry(fmt.Errorf("use %s as the site: %w", name, err), "unstale rehearse --site static, or a directory with RELEASE and buildspec.yml")}
		}
	}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, withTry(errors.New("push the site: git is not installed"), "install git: releases begin with a git push")
	}
	if _, err := fs.Stat(source, "package.json"); err == nil {
		for _, program := range []string{"node", "npm"} {
			if _, err := exec.LookPath(program); err != nil {
				return nil, withTry(fmt.Errorf("build the site %s: %s is not installed", name, program), "install Node 18 or newer, or unstale rehearse --site static")
			}
		}
	}
	return source, nil
}

// directory is a site's repository on this machine.
func directory(name string) (fs.FS, error) {
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such directory")
	case err != nil:
		return nil, errors.Unwrap(err)
	case !info.IsDir():
		return nil, errors.New("it is a file, not a directory")
	}
	source := os.DirFS(name)
	for _, file := range []string{"RELEASE", "buildspec.yml"} {
		if _, err := fs.Stat(source, file); err != nil {
			return nil, fmt.Errorf("it has no file %s", file)
		}
	}
	return source, nil
}

// lambdaDirectory finds the Lambda zips: where the flag says, beside the program as in a release archive,
// or where make puts them. Beside the program comes first: they fit it, and what lies in some working
// directory may be anybody's.
func lambdaDirectory(given string) (string, error) {
	candidates := []string{given}
	if given == "" {
		candidates = nil
		if self, err := os.Executable(); err == nil {
			if linked, err := filepath.EvalSymlinks(self); err == nil {
				self = linked
			}
			dir := filepath.Dir(self)
			candidates = append(candidates, filepath.Join(dir, "lambda"), filepath.Join(dir, "..", "dist", "lambda"))
		}
		candidates = append(candidates, filepath.Join("dist", "lambda"))
	}
	for _, dir := range candidates {
		if matches, err := filepath.Glob(filepath.Join(dir, "pipeline-job_*.zip")); err == nil && len(matches) > 0 {
			return dir, nil
		}
	}
	return "", withTry(fmt.Errorf("find the Lambda zips: none in %q", candidates), "make lambdas, or --lambdas DIR")
}
