// Command bench measures what the project promises in figures, beside what people use today: the cold
// start of the two functions, how late a completion is noticed, and how long the rehearsal takes. It
// prints one Markdown table. Everything is measured in this one run, alternating, so the ratios say
// more than the figures: those are of the machine as busy as it was.
//
// It is run by make bench, from the root of the repository, which builds what it needs: the zips of
// the functions and the command line. The handlers for Node are installed and bundled here.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
)

type options struct {
	runs, draws, stories int
	strict               bool
	lambdas, unstale     string
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 31, "cold starts of each function")
	flag.IntVar(&o.draws, "draws", 10000, "completion times for each way of waiting")
	flag.IntVar(&o.stories, "stories", 5, "stories played on the rehearsal")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a target is missed by more than a fifth")
	flag.StringVar(&o.lambdas, "lambdas", "dist/lambda", "directory with the zips of the functions")
	flag.StringVar(&o.unstale, "unstale", "bin/unstale", "the command line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	var rows []row
	for _, part := range []struct {
		name    string
		measure func(context.Context, options) ([]row, error)
	}{
		{"cold starts", coldStarts},
		{"noticing completion", noticing},
		{"rehearsal", stories},
	} {
		fmt.Fprintln(os.Stderr, "measuring", part.name)
		more, err := part.measure(ctx, o)
		if err != nil {
			return fmt.Errorf("measure %s: %w", part.name, err)
		}
		rows = append(rows, more...)
	}
	node, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return fmt.Errorf("ask node for its version: %w", err)
	}
	fmt.Printf("`make bench` on %s/%s, %d processors, %s, Node %s: medians of %d alternating cold starts, means of %d completions.\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), strings.TrimSpace(string(node)), o.runs, o.draws)
	if err := write(os.Stdout, rows); err != nil {
		return err
	}
	for _, r := range rows {
		for _, t := range r.targets {
			if o.strict && t.bad() {
				return fmt.Errorf("check targets: %s: %s is missed by more than a fifth", r.what, t.text)
			}
		}
	}
	return nil
}
