package cli

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unstale/unstale/internal/cli/mistakes"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/templates"
)

// Root is the tree of commands, for what is made out of it: manual pages, completions, and tests of
// documents. Main runs one of its own.
func Root() *cobra.Command { return newRoot() }

// chooses gives what a shell may put at the cursor. Nothing here fails or calls anybody: a shell that is
// completing has nowhere to show an error, and nobody waits for AWS between two keystrokes.
type chooses func(cmd *cobra.Command) []string

// complete tells shells what the flags and arguments of the commands take. A command that says so itself
// keeps its word.
func complete(root *cobra.Command) {
	flags := map[string]chooses{
		"route":            routeNames,
		"group":            groupNames,
		"preset":           fixed(string(plan.Balanced), string(plan.Cheapest), string(plan.Gentlest)),
		"on-failure":       fixed("continue", "stop"),
		"break":            mistaken,
		"profile":          profileNames,
		"pipeline-profile": profileNames,
		"delivery-profile": profileNames,
	}
	for _, cmd := range root.Commands() {
		for name, choices := range flags {
			if _, said := cmd.GetFlagCompletionFunc(name); said || cmd.Flags().Lookup(name) == nil {
				continue
			}
			_ = cmd.RegisterFlagCompletionFunc(name, offer(choices)) // it fails for a flag that is none, or has one
		}
		if cmd.ValidArgsFunction != nil || len(cmd.ValidArgs) > 0 {
			continue
		}
		switch {
		case cmd.Flags().Lookup("group") != nil:
			cmd.ValidArgsFunction = offer(targetNames)
		case cmd.Flags().Lookup("config") != nil:
			cmd.ValidArgsFunction = first(offer(targetNames))
		default:
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
}

// offer leaves out what stands on the line already.
func offer(choices chooses) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		var left []string
		for _, c := range choices(cmd) {
			if strings.HasPrefix(c, start) && !slices.Contains(args, c) {
				left = append(left, c)
			}
		}
		return left, cobra.ShellCompDirectiveNoFileComp
	}
}

// first offers one argument only.
func first(completion cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completion(cmd, args, start)
	}
}

func fixed(choices ...string) chooses { return func(*cobra.Command) []string { return choices } }

// routeNames are those of a rehearsal and of the doctor, which are all there are.
func routeNames(*cobra.Command) []string { return templates.Routes() }

func mistaken(*cobra.Command) []string {
	names := []string{"help"}
	for _, m := range mistakes.All() {
		names = append(names, m.Name)
	}
	return names
}

// targetsFile is the file that the command would read, or nil.
func targetsFile(cmd *cobra.Command) *targetfile.File {
	given := ""
	if f := cmd.Flags().Lookup("config"); f != nil {
		given = f.Value.String()
	}
	path, err := targetfile.Locate(given, os.LookupEnv, ".")
	if err != nil {
		return nil
	}
	file, err := targetfile.Read(path, os.LookupEnv)
	if err != nil {
		return nil
	}
	return file
}

// targetNames are the targets that the command line can reach.
func targetNames(cmd *cobra.Command) []string {
	file := targetsFile(cmd)
	if file == nil {
		return nil
	}
	var names []string
	for _, t := range file.Targets {
		if t.Route != target.Direct && t.Route != target.States {
			names = append(names, t.Name)
		}
	}
	return names
}

func groupNames(cmd *cobra.Command) []string {
	file := targetsFile(cmd)
	if file == nil {
		return nil
	}
	return file.Groups()
}

// profileNames are the profiles of the AWS shared configuration. Source: AWS SDKs and Tools Reference Guide,
// "Shared config and credentials files": [profile NAME] in one, [NAME] in the other.
func profileNames(*cobra.Command) []string {
	home, _ := os.UserHomeDir() // without one there are no profiles
	var names []string
	for variable, file := range map[string]string{"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"} {
		path := os.Getenv(variable)
		if path == "" {
			path = filepath.Join(home, ".aws", file)
		}
		names = append(names, sections(path)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sections are the profiles that a shared file has. What is no regular file is not waited for.
func sections(path string) []string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // it was only read
	var names []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		section, _, ok := strings.Cut(strings.TrimSpace(lines.Text()), "]")
		section, open := strings.CutPrefix(section, "[")
		kind, name, two := strings.Cut(section, " ")
		switch {
		case !ok || !open:
		case !two:
			names = append(names, section)
		case kind == "profile":
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
