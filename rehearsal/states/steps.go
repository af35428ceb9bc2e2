package states

import (
	"encoding/json"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// passState hands its input on, with a result put into it.
type passState struct {
	head
	Result     json.RawMessage
	Parameters payload
	ResultPath resultPath
	Next       string

	result any
}

func (s *passState) compile() (err error) {
	switch {
	case s.Result != nil && s.Parameters.written:
		return invalidDefinition("a Pass has either Result or Parameters")
	case s.Result != nil:
		s.result, err = decode(string(s.Result))
	}
	return err
}

func (s *passState) targets() map[string]string { return map[string]string{s.Next: "Next"} }

func (s *passState) do(r *run, input any) (any, string, error) {
	result := input
	var err error
	switch {
	case s.Result != nil:
		result = s.result
	case s.Parameters.written:
		if result, err = s.Parameters.eval(r.scope(input), "Parameters"); err != nil {
			return nil, "", err
		}
	}
	output, err := s.ResultPath.put(input, result)
	return output, s.Next, err
}

// waitState lets time pass.
type waitState struct {
	head
	Seconds int
	Next    string
}

// compile takes what the documentation allows: up to 99,999,999 seconds (H).
func (s *waitState) compile() error {
	if s.Seconds < 0 || s.Seconds > 99_999_999 {
		return invalidDefinition("Seconds is %d", s.Seconds)
	}
	return nil
}

func (s *waitState) targets() map[string]string { return map[string]string{s.Next: "Next"} }

func (s *waitState) do(r *run, input any) (any, string, error) {
	return input, s.Next, r.pause(seconds(s.Seconds))
}

// succeedState ends the execution with its input as the output.
type succeedState struct{ head }

func (*succeedState) compile() error             { return nil }
func (*succeedState) targets() map[string]string { return nil }

func (*succeedState) do(_ *run, input any) (any, string, error) { return input, "", nil }

// failState ends the execution with an error.
type failState struct {
	head
	Error, Cause string
	CausePath    string

	cause expression
}

func (s *failState) compile() (err error) {
	switch {
	case s.CausePath == "":
	case s.Cause != "":
		return invalidDefinition("a Fail has either Cause or CausePath")
	default:
		s.cause, err = parseExpression(s.CausePath)
	}
	return err
}

func (*failState) targets() map[string]string { return nil }

func (s *failState) do(r *run, input any) (any, string, error) {
	cause := s.Cause
	if s.cause != nil {
		v, err := s.cause.eval(r.scope(input))
		text, isText := v.(string)
		switch {
		case err != nil:
			return nil, "", unresolved("CausePath", err)
		case !isText:
			return nil, "", fail("States.Runtime", "The CausePath is not a text: %s", encode(v))
		}
		cause = text
	}
	return nil, "", &failure{s.Error, cause}
}

// unresolved is a path outside a payload template that leads nowhere: nothing catches it (M).
func unresolved(field string, err error) error {
	if m, ok := err.(missing); ok {
		return fail("States.Runtime", "%s: %v", field, m)
	}
	return err
}

// choiceState goes where the first rule that holds says.
type choiceState struct {
	head
	Choices []rule
	Default string
}

// rule is one comparison of one place in the input.
type rule struct {
	Variable                 path
	IsPresent                *bool
	StringEquals             *string
	StringMatches            *string // * stands for any text
	NumericGreaterThanEquals *json.Number
	Next                     string
}

func (s *choiceState) compile() error {
	if len(s.Choices) == 0 {
		return invalidDefinition("a Choice has no Choices")
	}
	for i, c := range s.Choices {
		comparisons := 0
		for _, given := range []bool{c.IsPresent != nil, c.StringEquals != nil, c.StringMatches != nil, c.NumericGreaterThanEquals != nil} {
			if given {
				comparisons++
			}
		}
		if comparisons != 1 || c.Variable.text == "" {
			return invalidDefinition("choice %d needs a Variable and one comparison", i)
		}
		if c.StringMatches != nil && strings.Contains(*c.StringMatches, `\`) {
			return wire.NotEmulated("escapes in StringMatches: %s", *c.StringMatches)
		}
	}
	return nil
}

func (s *choiceState) targets() map[string]string {
	out := map[string]string{}
	for _, c := range s.Choices {
		out[c.Next] = "Next"
	}
	if s.Default != "" {
		out[s.Default] = "Default"
	}
	return out
}

func (s *choiceState) do(r *run, input any) (any, string, error) {
	for _, c := range s.Choices {
		holds, err := c.holds(r.scope(input))
		if err != nil {
			return nil, "", err
		}
		if holds {
			return input, c.Next, nil
		}
	}
	if s.Default == "" {
		return nil, "", fail("States.NoChoiceMatched", "No choice rule holds for the input %s", encode(input))
	}
	return input, s.Default, nil
}

// holds compares. A value of another type than the comparison's does not hold; one that is missing
// fails the execution, except where its presence is what is asked for (M).
func (c rule) holds(sc scope) (bool, error) {
	v, there := c.Variable.get(sc)
	switch {
	case c.IsPresent != nil:
		return there == *c.IsPresent, nil
	case !there:
		return false, fail("States.Runtime", "Invalid path '%s': The choice state's condition path references an invalid value.", c.Variable.text)
	case c.StringEquals != nil:
		return v == *c.StringEquals, nil
	case c.StringMatches != nil:
		text, isText := v.(string)
		return isText && matchesText(*c.StringMatches, text), nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return false, nil
	}
	return !lessThan(n, *c.NumericGreaterThanEquals), nil
}

// matchesText compares with a pattern whose only wildcard is *, for any number of characters. Source:
// Developer Guide, "Choice state" (H).
func matchesText(pattern, text string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	text, ok := strings.CutPrefix(text, first)
	if !ok || !wild {
		return ok && text == ""
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		_, text, ok = strings.Cut(text, part)
		if !ok {
			return false
		}
		rest = after
	}
}

func lessThan(a, b json.Number) bool {
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX != nil || errY != nil || x < y
}
