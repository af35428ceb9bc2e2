package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/job"
	"github.com/unstale/unstale/internal/lambdaconfig"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/viewer"
)

// newHandler wires the function. It fails only where no job could be answered either; other mistakes
// in the environment are told to every job.
func newHandler(getenv func(string) string, log *slog.Logger) (*job.Handler, error) {
	cfg, err := lambdaconfig.Load(getenv)
	if err != nil {
		return nil, err
	}
	targets, targetsErr := target.FromEnvironment(getenv)
	median, medianErr := medianFrom(getenv("UNSTALE_MEDIAN"))
	schedule := purge.Schedule{Median: median}
	return job.New(job.Config{
		Targets: targets,
		Gateway: func(t target.Target) (purge.Gateway, error) { return gateway.ForTarget(cfg, t) },
		Artifacts: func(c job.Credentials) job.Artifacts {
			own := cfg.Copy()
			own.Credentials = c.Provider()
			return store.New(own)
		},
		Viewer:   viewer.New(viewer.Config{Step: schedule.Step(1), Within: 3 * median / 2}),
		Answerer: job.NewAnswerer(cfg),
		Function: getenv("AWS_LAMBDA_FUNCTION_NAME"),
		Log:      log,
		Schedule: schedule,
		Broken:   errors.Join(targetsErr, medianErr),
	}), nil
}

func medianFrom(s string) (time.Duration, error) {
	if s == "" {
		return purge.DefaultMedian, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return purge.DefaultMedian, fmt.Errorf(`read UNSTALE_MEDIAN: %q is not a duration, such as "10s"`, s)
	}
	return d, nil
}
