// Command pages writes what a release archive has of the command line besides the program: manual pages
// and shell completions. They are made from the commands themselves, so that they cannot say anything else.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/unstale/unstale/internal/cli"
)

func main() {
	version := flag.String("version", "", "version that the manual pages name")
	date := flag.String("date", os.Getenv("SOURCE_DATE_EPOCH"), "when that version was made, in seconds of Unix time")
	flag.Parse()
	if err := run(flag.Arg(0), *version, *date); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func run(dir, version, date string) error {
	if dir == "" {
		return errors.New("write the pages: no directory is given")
	}
	// Today's date would make the same version give other bytes tomorrow.
	seconds, err := strconv.ParseInt(date, 10, 64)
	if err != nil {
		return fmt.Errorf("read the version's -date: %w", err)
	}
	made := time.Unix(seconds, 0).UTC()
	root := cli.Root()
	root.InitDefaultCompletionCmd() // which cobra else adds when it runs
	if err := manual(root, filepath.Join(dir, "man", "man1"), &doc.GenManHeader{
		Section: "1", Manual: "unstale manual", Source: "unstale " + version, Date: &made,
	}); err != nil {
		return err
	}
	return completions(root, filepath.Join(dir, "completions"))
}

func manual(root *cobra.Command, dir string, header *doc.GenManHeader) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	root.DisableAutoGenTag = true // it has the date of the day
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	return nil
}

// completions writes each script under the name by which its shell finds it.
func completions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the completions: %w", err)
	}
	for file, write := range map[string]func(string) error{
		"unstale.bash": func(f string) error { return root.GenBashCompletionFileV2(f, true) },
		"_unstale":     root.GenZshCompletionFile,
		"unstale.fish": func(f string) error { return root.GenFishCompletionFile(f, true) },
	} {
		if err := write(filepath.Join(dir, file)); err != nil {
			return fmt.Errorf("write the completions: %w", err)
		}
	}
	return nil
}
