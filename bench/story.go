package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// played is what is read of `unstale rehearse --json`.
type played struct {
	Seconds  float64 `json:"seconds"`
	Pipeline struct {
		Status string `json:"status"`
	} `json:"pipeline"`
	Calls []struct {
		Time   time.Time `json:"time"`
		Action string    `json:"action"`
	} `json:"calls"`
}

// start is how long it took until both accounts stood and the first push could be made. Nothing has
// moved the rehearsal's clock until then.
func (p played) start() (time.Duration, error) {
	for _, call := range p.Calls {
		if call.Action == "codecommit:GitPush" {
			return call.Time.Sub(p.Calls[0].Time), nil
		}
	}
	return 0, errors.New("read the story: nobody pushed")
}

// stories plays the smallest site's story a few times.
func stories(ctx context.Context, o options) ([]row, error) {
	var starts, whole []time.Duration
	for range o.stories {
		out, err := exec.CommandContext(ctx, o.unstale, "rehearse", "--json", "--lambdas", o.lambdas).Output()
		if err != nil {
			return nil, fmt.Errorf("play a story: %w", err)
		}
		var p played
		if err := json.Unmarshal(out, &p); err != nil {
			return nil, fmt.Errorf("read the story: %w", err)
		}
		start, err := p.start()
		if err != nil {
			return nil, err
		}
		starts = append(starts, start)
		whole = append(whole, time.Duration(p.Seconds*float64(time.Second)))
	}
	if len(whole) == 0 {
		return nil, nil
	}
	slices.Sort(starts)
	slices.Sort(whole)
	return []row{
		{what: "rehearsal: both accounts up", ours: fmt.Sprintf("%.1f s", starts[len(starts)/2].Seconds())},
		{what: "rehearsal: the story, two releases of the smallest site", ours: fmt.Sprintf("%.1f s", whole[len(whole)/2].Seconds())},
	}, nil
}
