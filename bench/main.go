// Command bench measures what the project promises in figures, beside what people use today: the cold
// start of the two functions, how late a completion is noticed, what planning costs and what its plans
// purge, what reading a release costs, and how long the rehearsal takes. It prints one Markdown table. Everything is measured in this one run, alternating, so the ratios say
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
	runs, draws, plans, stories int
	strict                      bool
	only                        string
	lambdas, unstale            string
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 31, "cold starts of each function")
	flag.IntVar(&o.draws, "draws", 10000, "completion times for each way of waiting")
	flag.IntVar(&o.plans, "plans", 5, "plans of each release, and readings of the artifact")
	flag.IntVar(&o.stories, "stories", 5, "stories played on the rehearsal")
	flag.BoolVar(&o.strict, "strict", false, "exit with 1 when a target is missed by more than a fifth")
	flag.StringVar(&o.only, "only", "", `measure only this, such as "planning"`)
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

// part is something that is measured.
type part struct {
	name    string
	measure func(context.Context, options) ([]row, error)
}

// parts are what is to be measured.
func (o options) parts() ([]part, error) {
	all := []part{
		{"cold starts", coldStarts},
		{"noticing completion", noticing},
		{"planning", planning},
		{"artifact", artifact},
		{"rehearsal", stories},
	}
	var names []string
	for _, p := range all {
		if o.only == p.name {
			return []part{p}, nil
		}
		names = append(names, p.name)
	}
	if o.only != "" {
		return nil, fmt.Errorf("find %q: what is measured is %s", o.only, strings.Join(names, ", "))
	}
	return all, nil
}

func run(ctx context.Context, o options) error {
	parts, err := o.parts()
	if err != nil {
		return err
	}
	var rows []row
	for _, part := range parts {
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
	fmt.Printf("`make bench` on %s/%s, %d processors, %s, Node %s: medians of %d alternating cold starts, means of %d completions, the fastest of %d plans and readings.\n\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), strings.TrimSpace(string(node)), o.runs, o.draws, o.plans)
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
