package release

import (
	"encoding/json"
	"time"

	"github.com/unstale/unstale/internal/purge"
)

// Namespace is where CloudWatch files the metrics.
const Namespace = "unstale"

// metric is one metric of a run with its unit.
type metric struct {
	Name, Unit string
	value      float64
}

// Metrics is one line in CloudWatch's embedded metric format: printed by a function, it becomes metrics
// without any permission or call. Source: Amazon CloudWatch user guide, "Embedded metric format".
func (r *Run) Metrics(v purge.Verdict) ([]byte, error) {
	planned := v.Plan
	if planned.Items == nil && r.earlier != nil {
		planned = *r.earlier
	}
	failed := 1.0
	if v.OK() {
		failed = 0
	}
	metrics := []metric{
		{"Failed", "Count", failed},
		{"Items", "Count", float64(len(planned.Items))},
		{"Stale", "Count", float64(planned.Stale)},
		{"Collateral", "Count", float64(planned.Collateral)},
		{"PriceDollars", "None", dollars(planned.Price)},
		{"Seconds", "Seconds", r.Now().Sub(r.Started).Seconds()},
	}
	if v.Took > 0 {
		metrics = append(metrics, metric{"CompletionSeconds", "Seconds", v.Took.Seconds()})
	}
	line := map[string]any{
		"_aws": map[string]any{
			"Timestamp": r.Now().UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": Namespace, "Dimensions": [][]string{{"Target"}}, "Metrics": metrics,
			}},
		},
		"Target": r.Target.Name, "Distribution": v.Progress.Distribution, "Release": r.Name,
		"time": r.Now().UTC().Format(time.RFC3339Nano),
	}
	for _, m := range metrics {
		line[m.Name] = m.value
	}
	return json.Marshal(line)
}
