package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Parameters lists the names of the parameters that a template declares, sorted.
func Parameters(body []byte) ([]string, error) {
	var t struct {
		Parameters map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &t); err != nil {
		return nil, fmt.Errorf("read the template's parameters: %w", err)
	}
	return slices.Sorted(maps.Keys(t.Parameters)), nil
}
