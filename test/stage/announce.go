package stage

import (
	"bytes"
	"encoding/json"
	"slices"
)

// WithoutAnnounce takes the action before the deploy out of a template's pipeline, for stories of the one after it.
func WithoutAnnounce(text []byte) []byte {
	if !bytes.Contains(text, []byte(`"Name": "Announce"`)) {
		return text
	}
	var template map[string]any
	if err := json.Unmarshal(text, &template); err != nil {
		panic(err)
	}
	properties := template["Resources"].(map[string]any)["Pipeline"].(map[string]any)["Properties"].(map[string]any)
	for _, s := range properties["Stages"].([]any) {
		s := s.(map[string]any)
		s["Actions"] = slices.DeleteFunc(s["Actions"].([]any), func(a any) bool { return a.(map[string]any)["Name"] == "Announce" })
	}
	text, err := json.Marshal(template)
	if err != nil {
		panic(err)
	}
	return text
}
