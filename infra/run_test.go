package infra

import (
	"strings"
	"testing"
)

func TestFillRefusesWhatNothingSays(t *testing.T) {
	if message := refusal(func() { fill("a ${Unknown} word", map[string]string{"Known": "x"}) }); !strings.Contains(message, "${Unknown}") {
		t.Errorf("message %q does not name the placeholder", message)
	}
}

func TestFillLeavesPlainTextsAlone(t *testing.T) {
	values := map[string]string{"A": "value"}
	for text, want := range map[string]string{
		"Literal": "Literal", "${A}": "value", "#{codepipeline.PipelineExecutionId}": "#{codepipeline.PipelineExecutionId}", "": "",
	} {
		if got := fill(text, values); got != want {
			t.Errorf("fill(%q) = %q, want %q", text, got, want)
		}
	}
	if got := fill("x-${A}", values); !isToken(got) {
		t.Errorf("fill of a text with a placeholder is %q, not an Fn::Sub", got)
	}
}

func TestRoutesDefaultToAssume(t *testing.T) {
	if got := Route("").orDefault(); got != Assume || Routes()[0] != Assume {
		t.Errorf("the zero value stands for %s, the first route is %s", got, Routes()[0])
	}
	if got := Relay.orDefault(); got != Relay {
		t.Errorf("relay became %s", got)
	}
}
