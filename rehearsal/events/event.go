package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// Event is what a service puts on its account's default bus. Source: EventBridge User Guide,
// "AWS service event metadata" (H).
type Event struct {
	ID         string         `json:"id"`
	Source     string         `json:"source"`      // "aws.codecommit"
	DetailType string         `json:"detail-type"` // "CodeCommit Repository State Change"
	Account    string         `json:"account"`
	Region     string         `json:"region"`
	Time       time.Time      `json:"time"`
	Resources  []string       `json:"resources"` // ARNs
	Detail     map[string]any `json:"detail"`
}

// tree is the event as patterns see it.
func (e Event) tree() map[string]any {
	resources := make([]any, len(e.Resources))
	for i, r := range e.Resources {
		resources[i] = r
	}
	return map[string]any{
		"id": e.ID, "source": e.Source, "detail-type": e.DetailType, "account": e.Account, "region": e.Region,
		"time": e.Time.Format(time.RFC3339), "resources": resources, "detail": e.Detail,
	}
}

// Pattern selects events by exact values: every field it names must have one of the values listed;
// for a field that is itself a list, one in common suffices. Source: EventBridge User Guide, "Event
// patterns" (H).
type Pattern struct{ fields map[string]any }

// ParsePattern reads a pattern given as a JSON object. Content filters (prefix, anything-but, exists and
// the rest, which are objects in a list of values) are not emulated and are refused.
func ParsePattern(raw []byte) (Pattern, error) {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil || len(fields) == 0 {
		return Pattern{}, invalidPattern("the pattern is not a JSON object with at least one field")
	}
	if err := checkPattern("", fields); err != nil {
		return Pattern{}, err
	}
	return Pattern{fields}, nil
}

func checkPattern(at string, fields map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := at + name
		if name == "$or" {
			return wire.NotEmulated("$or in an event pattern")
		}
		switch v := fields[name].(type) {
		case map[string]any:
			if len(v) == 0 {
				return invalidPattern("Empty objects are not allowed: " + path)
			}
			if err := checkPattern(path+".", v); err != nil {
				return err
			}
		case []any:
			if err := checkValues(path, v); err != nil {
				return err
			}
		default:
			return invalidPattern(fmt.Sprintf("%q must be an object or an array", path))
		}
	}
	return nil
}

func checkValues(path string, values []any) error {
	if len(values) == 0 {
		return invalidPattern("Empty arrays are not allowed: " + path)
	}
	for _, v := range values {
		switch v.(type) {
		case map[string]any:
			return wire.NotEmulated("content filters in an event pattern (%s)", path)
		case []any:
			return invalidPattern(fmt.Sprintf("%q holds an array in its list of values", path))
		}
	}
	return nil
}

// Matches says whether the pattern selects e.
func (p Pattern) Matches(e Event) bool { return len(p.fields) > 0 && matchFields(p.fields, e.tree()) }

func matchFields(want map[string]any, have map[string]any) bool {
	for name, w := range want {
		h, present := have[name]
		if !present {
			return false
		}
		if nested, ok := w.(map[string]any); ok {
			inner, ok := h.(map[string]any)
			if !ok || !matchFields(nested, inner) {
				return false
			}
			continue
		}
		if !matchValues(w.([]any), h) {
			return false
		}
	}
	return true
}

// matchValues compares scalars only: an object never equals a listed value.
func matchValues(want []any, have any) bool {
	candidates, ok := have.([]any)
	if !ok {
		candidates = []any{have}
	}
	for _, h := range candidates {
		switch h.(type) {
		case map[string]any, []any:
			continue
		}
		if slices.Contains(want, h) {
			return true
		}
	}
	return false
}

func invalidPattern(why string) error {
	return wire.Errorf(400, "InvalidEventPatternException", "Event pattern is not valid. Reason: %s", why)
}
