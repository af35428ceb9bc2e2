package cli

import (
	"testing"
)

func TestChooseMistakeSuggests(t *testing.T) {
	tests := []struct{ name, want string }{
		{"external", `there is no mistake "external"; did you mean external-id?`},
		{"turst", `there is no mistake "turst"; did you mean trust?`},
		{"nonsense", `there is no mistake "nonsense"`},
	}
	for _, tt := range tests {
		_, _, err := chooseMistake(tt.name, "assume", false)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
