package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/unstale/unstale/bench/coldstart"
)

// What the functions are given. The job has neither parameters nor an artifact, like the article's.
const (
	jobEvent = `{"CodePipeline.job": {"id": "11111111-1111-4111-8111-111111111111", "accountId": "111111111111", "data": {` +
		`"actionConfiguration": {"configuration": {"FunctionName": "bench", "UserParameters": ""}}, ` +
		`"inputArtifacts": [], "outputArtifacts": [], "artifactCredentials": {}}}}`
	createEvent = `{"version": 1, "operation": "create", "items": ["/*"], "reference": "unstale-1-abc"}`
)

// pair is one of our functions and the article's beside it.
type pair struct {
	function, script string // names of ours, and of the article's in bench/node/dist
	calls            []string
	env              []string
	event            string
}

func pairs() []pair {
	return []pair{
		{
			"pipeline-job", "relay.cjs",
			[]string{coldstart.InvokeDistribution, coldstart.InvokeInProgress, coldstart.InvokeCreate, coldstart.PutJobSuccessResult},
			[]string{"TARGET_LAMBDA_ARN=arn:aws:lambda:us-east-1:222222222222:function:invalidator:live"},
			jobEvent,
		},
		{
			"invalidator", "invalidate.cjs",
			[]string{coldstart.CreateInvalidation},
			[]string{"DISTRIBUTION_ID=" + coldstart.Distribution},
			createEvent,
		},
	}
}

// coldStarts measures both functions beside the article's.
func coldStarts(ctx context.Context, o options) ([]row, error) {
	if err := bundle(ctx); err != nil {
		return nil, err
	}
	roots, err := publicRoots(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	all := pairs()
	functions, sizes, err := prepare(all, o, dir)
	if err != nil {
		return nil, err
	}
	samples, err := coldstart.Measure(ctx, functions, roots, o.runs)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, p := range all {
		rows = append(rows, compare(p, samples[2*i], samples[2*i+1], sizes[2*i], sizes[2*i+1])...)
	}
	return rows, nil
}

// prepare makes what is measured, for each pair ours and then Node's, and gives the sizes of the zips.
func prepare(all []pair, o options, dir string) ([]coldstart.Function, []int64, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, nil, err
	}
	dist, err := filepath.Abs(filepath.Join(nodeDir, "dist"))
	if err != nil {
		return nil, nil, err
	}
	var functions []coldstart.Function
	var sizes []int64
	for _, p := range all {
		bootstrap, size, err := unpack(o.lambdas, p.function, dir)
		if err != nil {
			return nil, nil, err
		}
		script, err := zipped(filepath.Join(dist, p.script))
		if err != nil {
			return nil, nil, err
		}
		functions = append(functions, coldstart.Function{
			Name: p.function, Command: []string{bootstrap}, Env: p.env, Event: p.event, Calls: p.calls,
		}, coldstart.Function{
			Name: p.script, Command: []string{node, filepath.Join(dist, "runtime.cjs")},
			Env: append([]string{"_HANDLER=./" + p.script}, p.env...), Event: p.event, Calls: p.calls,
		})
		sizes = append(sizes, size, script)
	}
	return functions, sizes, nil
}

// compare makes the rows of one pair.
func compare(p pair, ours, node []coldstart.Sample, ourZip, nodeZip int64) []row {
	duration := func(what string, of func(coldstart.Sample) time.Duration) row {
		a, b := coldstart.Median(ours, of), coldstart.Median(node, of)
		return row{
			what: p.function + ": " + what, ratio: ratio(b, a),
			peer: fmt.Sprintf("%.0f ms", milliseconds(b)), ours: fmt.Sprintf("%.1f ms", milliseconds(a)),
		}
	}
	size := func(what string, a, b int64) row {
		return row{
			what: p.function + ": " + what, ratio: ratio(b, a),
			peer: fmt.Sprintf("%.1f MiB", mebibytes(b)), ours: fmt.Sprintf("%.1f MiB", mebibytes(a)),
		}
	}
	first := duration("spawn to AWS's first answer over TLS", func(s coldstart.Sample) time.Duration { return s.First })
	took := milliseconds(coldstart.Median(ours, func(s coldstart.Sample) time.Duration { return s.First }))
	first.targets = []target{under("under 12 ms", took, 12), times(first.ratio, 10)}
	answered := duration(fmt.Sprintf("spawn to its own answer, calls: %d", len(p.calls)), func(s coldstart.Sample) time.Duration { return s.Answered })
	answered.targets = []target{times(answered.ratio, 10)}
	peak := func(s coldstart.Sample) int64 { return s.Peak }
	memory := size("peak memory", coldstart.Median(ours, peak), coldstart.Median(node, peak))
	memory.targets = []target{under("under 14 MiB", mebibytes(coldstart.Median(ours, peak)), 14)}
	return []row{
		first, answered,
		duration("event to its own answer", func(s coldstart.Sample) time.Duration { return s.Event }),
		duration("processor time", func(s coldstart.Sample) time.Duration { return s.CPU }),
		memory,
		size("zip", ourZip, nodeZip),
	}
}
