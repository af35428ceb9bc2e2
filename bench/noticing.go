package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/unstale/unstale/bench/lateness"
)

// noticing has package lateness compare the ways of waiting. They run in a test because only a test
// can enter a bubble of virtual time.
func noticing(ctx context.Context, o options) ([]row, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "results.json")
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-run=TestNoticing", "./bench/lateness",
		"-draws="+strconv.Itoa(o.draws), "-results="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var results []lateness.Result
	if err := json.Unmarshal(text, &results); err != nil {
		return nil, err
	}
	return lateRows(results)
}

// lateRows compares every way of waiting with ours at the same median.
func lateRows(results []lateness.Result) ([]row, error) {
	ours := map[time.Duration]lateness.Result{}
	for _, r := range results {
		if r.Watcher == lateness.Ours {
			ours[r.Median] = r
		}
	}
	var rows []row
	for _, r := range results {
		if r.Watcher == lateness.Ours {
			continue
		}
		our, found := ours[r.Median]
		if !found {
			return nil, fmt.Errorf("compare %s at a median of %s: ours is missing", r.Watcher, r.Median)
		}
		line := row{
			what: fmt.Sprintf("noticing completion, median %s: %s", r.Median, r.Watcher),
			peer: late(r), ours: late(our), ratio: ratio(r.Late, our.Late),
		}
		if r.Median == usual {
			line.targets = []target{under("under 1.3 s", our.Late.Seconds(), 1.3), under("at most 5 looks", our.Looks, 5)}
		}
		rows = append(rows, line)
	}
	return rows, nil
}

// usual is the median that the targets are for.
const usual = 10 * time.Second

func late(r lateness.Result) string {
	return fmt.Sprintf("%.1f s late, %.1f looks", r.Late.Seconds(), r.Looks)
}
