package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/unstale/unstale/internal/gateway/assume"
	"github.com/unstale/unstale/internal/gateway/routes"
	"github.com/unstale/unstale/internal/job"
	"github.com/unstale/unstale/internal/lambdaconfig"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/viewer"
)

// The variables for a function that does not run in the pipeline's account.
const (
	callbackRole   = "UNSTALE_CALLBACK_ROLE"
	callbackRegion = "UNSTALE_CALLBACK_REGION"
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
	answerer, answererErr := newAnswerer(getenv, cfg)
	schedule := purge.Schedule{Median: median}
	state, stateErr := stateFrom(getenv("UNSTALE_STATE"), cfg)
	ways := routes.New(cfg)
	lambdaconfig.Connect(context.Background(), cfg, hosts(getenv, targets)...)
	return job.New(job.Config{
		Targets: targets,
		Gateway: func(t target.Target, release string) (purge.Gateway, error) { return ways.Gateway(t, release) },
		Artifacts: func(c job.Credentials) job.Artifacts {
			own := cfg.Copy()
			own.Credentials = c.Provider()
			return store.New(own)
		},
		Viewer:   viewer.New(viewer.Config{Step: schedule.Step(1), Within: 3 * median / 2}),
		State:    state,
		Metrics:  os.Stdout,
		Answerer: answerer,
		Function: getenv("AWS_LAMBDA_FUNCTION_NAME"),
		Log:      log,
		Secrets:  lambdaconfig.Secrets(getenv),
		Schedule: schedule,
		Broken:   errors.Join(targetsErr, medianErr, stateErr, answererErr),
	}), nil
}

// newAnswerer makes what answers jobs: the function itself, or a role of the pipeline's account where
// one is named. With an error it is still the best that can be had, so that jobs are told.
func newAnswerer(getenv func(string) string, cfg aws.Config) (job.Answerer, error) {
	role, region := getenv(callbackRole), getenv(callbackRegion)
	if role == "" {
		if region != "" {
			return job.NewAnswerer(cfg, ""), fmt.Errorf("read %s: it is set without %s", callbackRegion, callbackRole)
		}
		return job.NewAnswerer(cfg, ""), nil
	}
	if _, err := target.ParseRole(role); err != nil {
		return job.NewAnswerer(cfg, ""), fmt.Errorf("read %s: %w", callbackRole, err)
	}
	answering := cfg.Copy()
	answering.Credentials = assume.Credentials(cfg, assume.Role{ARN: role, Session: getenv("AWS_LAMBDA_FUNCTION_NAME")})
	if region != "" {
		answering.Region = region
	}
	return job.NewAnswerer(answering, role), nil
}

// hosts are the servers that every job talks to.
func hosts(getenv func(string) string, targets map[string]target.Target) []string {
	region := getenv("AWS_REGION")
	names := []string{"codepipeline." + cmp.Or(getenv(callbackRegion), region) + ".amazonaws.com"}
	if getenv(callbackRole) != "" {
		names = append(names, "sts."+region+".amazonaws.com")
	}
	for _, t := range targets {
		switch t.Route {
		case target.Relay:
			if f, err := target.ParseFunction(t.Function); err == nil {
				names = append(names, "lambda."+f.Region+".amazonaws.com")
			}
		case target.Assume:
			names = append(names, "sts."+region+".amazonaws.com", "cloudfront.amazonaws.com")
		default:
			names = append(names, "cloudfront.amazonaws.com")
		}
	}
	return names
}

// stateFrom opens the state bucket; nil where none is named.
func stateFrom(location string, cfg aws.Config) (release.State, error) {
	if location == "" {
		return nil, nil
	}
	state, err := store.NewState(cfg, location)
	if err != nil {
		return nil, fmt.Errorf("read UNSTALE_STATE: %w", err)
	}
	return state, nil
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
