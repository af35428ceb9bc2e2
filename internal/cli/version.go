package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is",
		Long:    `Say which version this is, of which commit, and what it was built with and for. It is what --version says.`,
		Example: "  unstale version",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage{withTry(fmt.Errorf("version takes no argument, but got %q", args[0]), "unstale version")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s version %s\n", cmd.Root().Name(), version()); err != nil {
				return fmt.Errorf("print the version: %w", err)
			}
			return nil
		},
	}
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

// shortRevision is as long as git's own short names usually are.
const shortRevision = 12

// versionOf is one line: the module's version, or "devel"; the commit, its day, and whether files were
// changed since; and what it was built with and for. Source: package runtime/debug, BuildSetting.
func versionOf(info *debug.BuildInfo) string {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" || set["vcs.modified"] == "true" {
		v = "devel"
	}
	var commit []string
	if revision := set["vcs.revision"]; revision != "" {
		commit = append(commit, revision[:min(len(revision), shortRevision)])
		if day, _, ok := strings.Cut(set["vcs.time"], "T"); ok {
			commit = append(commit, day)
		}
		if set["vcs.modified"] == "true" {
			commit = append(commit, "modified")
		}
	} else if v == "devel" {
		commit = append(commit, "commit not recorded")
	}
	if len(commit) > 0 {
		v += " (" + strings.Join(commit, ", ") + ")"
	}
	return fmt.Sprintf("%s %s %s/%s", v, info.GoVersion, cmp.Or(set["GOOS"], runtime.GOOS), cmp.Or(set["GOARCH"], runtime.GOARCH))
}
