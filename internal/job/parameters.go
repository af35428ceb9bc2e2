package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unstale/unstale/invalidation"
)

// Limits of UserParameters.
const (
	maxParameters = 1000           // characters. Source: CodePipeline user guide, "Quotas": action configuration value
	maxVerify     = 20             // paths
	maxRelease    = 200            // characters
	maxPath       = 500            // characters of a path to verify
	maxWait       = 23 * time.Hour // an action ends after 24 h. Source: as above, Lambda action
	defaultWait   = 10 * time.Minute
)

// Parameters are what a pipeline's author writes into UserParameters. Targets are names out of the
// function's own configuration: whoever may edit the pipeline gains no address by it.
type Parameters struct {
	Targets []string            // nil means all that are configured
	Items   []invalidation.Item // nil means that the job chooses
	Wait    time.Duration       // for the whole action, over all its jobs
	Verify  []string            // URL paths to look at besides the entry points
	Release string              // for people and records; "" when not given
	// Announce asks to record, before the release is deployed, that it will be, and to purge nothing.
	Announce bool
}

// verb is what the job is to do, for people.
func (p Parameters) verb() string {
	if p.Announce {
		return "announce"
	}
	return "purge"
}

// ParameterError says what is wrong with UserParameters.
type ParameterError struct{ Reason string }

func (e *ParameterError) Error() string { return "read UserParameters: " + e.Reason }

func refused(format string, args ...any) error {
	return &ParameterError{fmt.Sprintf(format, args...)}
}

const knownFields = "targets, items, wait, verify, release, announce"

// ParseParameters reads UserParameters strictly: a JSON object with known fields, each once. Nothing
// at all means the defaults. Errors are *ParameterError.
func ParseParameters(text string) (Parameters, error) {
	p := Parameters{Wait: defaultWait}
	if n := utf8.RuneCountInString(text); n > maxParameters {
		return Parameters{}, refused("they have %d characters, more than %d", n, maxParameters)
	}
	if strings.TrimSpace(text) == "" {
		return p, nil
	}
	fields, err := object(text)
	if err != nil {
		return Parameters{}, err
	}
	for name, value := range fields {
		parse, known := map[string]func(json.RawMessage) error{
			"targets": p.targets, "items": p.items, "wait": p.wait, "verify": p.verify, "release": p.release,
			"announce": p.announce,
		}[name]
		if !known {
			return Parameters{}, refused("there is no field %q; fields are %s", name, knownFields)
		}
		if err := parse(value); err != nil {
			return Parameters{}, err
		}
	}
	switch {
	case p.Announce && (p.Items != nil || p.Verify != nil):
		return Parameters{}, refused("announce purges nothing and looks at nothing; leave out items and verify")
	case p.Announce && p.Release == "":
		return Parameters{}, refused(`announce needs release, by which the purge is known to be of the same: "#{codepipeline.PipelineExecutionId}"`)
	}
	return p, nil
}

// object takes a JSON object apart. Unlike encoding/json it refuses a name that occurs twice, and
// names match exactly.
func object(text string) (map[string]json.RawMessage, error) {
	notJSON := refused(`they are not a JSON object, such as {"items": ["/*"]}`)
	dec := json.NewDecoder(strings.NewReader(text))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, notJSON
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		name, isName := key.(string)
		if err != nil || !isName {
			return nil, notJSON
		}
		if _, twice := fields[name]; twice {
			return nil, refused("field %q occurs twice", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON
		}
		fields[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, refused("something follows the JSON object")
	}
	return fields, nil
}

// list reads a list of texts. A null is no list, and in a list no text.
func list(name string, value json.RawMessage) ([]string, error) {
	var texts []*string
	if err := json.Unmarshal(value, &texts); err != nil || texts == nil || slices.Contains(texts, nil) {
		return nil, refused("%s is not a list of texts", name)
	}
	all := make([]string, len(texts))
	for i, text := range texts {
		if all[i] = *text; slices.Contains(all[:i], *text) {
			return nil, refused("%s has %q twice", name, *text)
		}
	}
	return all, nil
}

func text(name string, value json.RawMessage) (string, error) {
	var s *string
	if err := json.Unmarshal(value, &s); err != nil || s == nil {
		return "", refused("%s is not a text", name)
	}
	return *s, nil
}

func (p *Parameters) targets(value json.RawMessage) (err error) {
	p.Targets, err = list("targets", value)
	if err == nil && len(p.Targets) == 0 {
		return refused("targets is empty; name some, or leave it out for all")
	}
	return err
}

func (p *Parameters) items(value json.RawMessage) error {
	texts, err := list("items", value)
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return refused(`items is empty; name some, such as "/*", or leave it out`)
	}
	for _, s := range texts {
		item, err := invalidation.ParseItem(s)
		if err != nil {
			return refused("items: %v", err)
		}
		p.Items = append(p.Items, item)
	}
	return nil
}

func (p *Parameters) wait(value json.RawMessage) error {
	s, err := text("wait", value)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return refused(`wait %q is not a duration, such as "10m"`, s)
	}
	if d <= 0 || d > maxWait {
		return refused("wait %s is not between 0 and %s", s, maxWait)
	}
	p.Wait = d
	return nil
}

func (p *Parameters) verify(value json.RawMessage) error {
	paths, err := list("verify", value)
	if err != nil {
		return err
	}
	if len(paths) > maxVerify {
		return refused("verify has %d paths, more than %d", len(paths), maxVerify)
	}
	for _, path := range paths {
		switch {
		case !strings.HasPrefix(path, "/"):
			return refused(`verify: path %q does not begin with "/"`, path)
		case len(path) > maxPath:
			return refused("verify: a path has %d characters, more than %d", len(path), maxPath)
		case strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return refused("verify: path %q has characters that a URL percent-encodes", path)
		case strings.ContainsAny(path, `*#\`):
			return refused("verify: path %q is not the path of one page", path)
		}
	}
	p.Verify = paths
	return nil
}

func (p *Parameters) release(value json.RawMessage) error {
	s, err := text("release", value)
	if err != nil {
		return err
	}
	if len(s) > maxRelease || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return refused("release is not 0 to %d printable characters", maxRelease)
	}
	p.Release = s
	return nil
}

func (p *Parameters) announce(value json.RawMessage) error {
	var b *bool
	if err := json.Unmarshal(value, &b); err != nil || b == nil {
		return refused("announce is not true or false")
	}
	p.Announce = *b
	return nil
}
