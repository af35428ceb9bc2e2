// Package coldstart measures what a function costs before it is warm: each run is a new process that
// fetches one event, calls AWS for it and answers. AWS is a stand-in on this machine, spoken to over
// TLS. Runs of the functions to compare alternate, so that whatever else the machine does meets all
// of them alike.
package coldstart

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Function is a function to measure.
type Function struct {
	Name    string
	Command []string // the program and its arguments
	Env     []string // NAME=value, besides what Lambda sets
	Event   string   // JSON
	Calls   []string // what it has to ask AWS for, in order; a run that does anything else is an error
}

// Sample is what one cold start cost.
type Sample struct {
	First    time.Duration // from spawning the process to AWS's first answer over TLS
	Answered time.Duration // from spawning the process to the function's own answer
	Event    time.Duration // from handing it the event to its answer: what a start made ahead leaves to wait for
	CPU      time.Duration // processor time until it was ended, just after its answer
	Peak     int64         // most memory it had, in bytes; 0 where the system does not tell
}

// Measure starts every function runs times, in turn, and gives their samples in the order of functions.
// A first round warms the file cache and is not counted.
func Measure(ctx context.Context, functions []Function, roots []byte, runs int) ([][]Sample, error) {
	world, err := newWorld(roots)
	if err != nil {
		return nil, err
	}
	defer world.close()
	samples := make([][]Sample, len(functions))
	for round := range runs + 1 {
		for i, f := range functions {
			sample, err := world.start(ctx, f)
			if err != nil {
				return nil, fmt.Errorf("start %s: %w", f.Name, err)
			}
			if round > 0 {
				samples[i] = append(samples[i], sample)
			}
		}
	}
	return samples, nil
}

// Median is the middle of what samples cost, the greater of two middles.
func Median[T time.Duration | int64](samples []Sample, of func(Sample) T) T {
	if len(samples) == 0 {
		return 0
	}
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
