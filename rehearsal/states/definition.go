package states

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// definition is a machine in the Amazon States Language.
type definition struct {
	Comment        string
	StartAt        string
	TimeoutSeconds int
	States         map[string]json.RawMessage

	steps map[string]step
}

// step is one state.
type step interface {
	kind() string
	// compile refuses what the state cannot mean.
	compile() error
	// targets are the states that may come next, with where the definition says so.
	targets() map[string]string
	// do carries the state out. An empty next ends the execution.
	do(r *run, input any) (output any, next string, err error)
}

// head is what every state has.
type head struct{ Type, Comment string }

func (h head) kind() string { return h.Type }

// maxDefinition is the size of a definition. Source: Developer Guide, "Quotas" (H).
const maxDefinition = 1 << 20

// parse reads a definition. What Step Functions would refuse is an InvalidDefinition; what the
// rehearsal does not know says so.
func parse(text string) (*definition, error) {
	if len(text) > maxDefinition {
		return nil, invalidDefinition("the definition has %d bytes, %d are allowed", len(text), maxDefinition)
	}
	d := &definition{steps: map[string]step{}}
	if err := strict([]byte(text), d, "a state machine"); err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(d.States) {
		s, err := parseState(name, d.States[name])
		if err != nil {
			return nil, err
		}
		d.steps[name] = s
	}
	return d, d.check()
}

func parseState(name string, raw json.RawMessage) (step, error) {
	var h struct{ Type string }
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, invalidDefinition("state %s: %v", name, err)
	}
	kinds := map[string]step{
		"Choice": &choiceState{}, "Pass": &passState{}, "Task": &taskState{}, "Wait": &waitState{}, "Succeed": &succeedState{}, "Fail": &failState{},
	}
	s := kinds[h.Type]
	if s == nil {
		return nil, wire.NotEmulated("the type %q of state %s", h.Type, name)
	}
	if err := strict(raw, s, fmt.Sprintf("state %s, a %s", name, h.Type)); err != nil {
		return nil, err
	}
	if err := s.compile(); err != nil {
		return nil, at("state "+name, err)
	}
	return s, nil
}

// strict reads JSON into v; a field that v does not have is refused.
func strict(raw []byte, v any, what string) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	err := dec.Decode(v)
	var known *wire.Error
	switch {
	case err == nil && !dec.More():
		return nil
	case err == nil:
		return invalidDefinition("%s is followed by something else", what)
	case errors.As(err, &known):
		return at(what, known)
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(text, "unknown field "); ok {
		return wire.NotEmulated("the field %s of %s", name, what)
	}
	return invalidDefinition("%s: %s", what, text)
}

// at says where in a definition an error is.
func at(where string, err error) error {
	e := *wire.AsError(err)
	e.Message += " (" + where + ")"
	return &e
}

func invalidDefinition(format string, args ...any) error {
	return wire.Errorf(400, "InvalidDefinition", "Invalid State Machine Definition: '"+format+"'", args...)
}

// check refuses targets that are missing and states that nothing leads to, as Step Functions does (H).
func (d *definition) check() error {
	if d.steps[d.StartAt] == nil {
		return invalidDefinition("MISSING_TRANSITION_TARGET: Missing 'StartAt' target: %s", d.StartAt)
	}
	if d.TimeoutSeconds < 0 {
		return invalidDefinition("TimeoutSeconds is %d", d.TimeoutSeconds)
	}
	reached, todo := map[string]bool{d.StartAt: true}, []string{d.StartAt}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		for target, where := range d.steps[name].targets() {
			if d.steps[target] == nil {
				return invalidDefinition("MISSING_TRANSITION_TARGET: Missing '%s' target: %s at /States/%s", where, target, name)
			}
			if !reached[target] {
				reached[target] = true
				todo = append(todo, target)
			}
		}
	}
	for _, name := range sortedKeys(d.steps) {
		if !reached[name] {
			return invalidDefinition("MISSING_TRANSITION: State %q is not reachable", name)
		}
	}
	return nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
