package templates

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// bind checks the values given against the declarations and fills in the defaults.
func (t *Template) bind(given map[string]string) (map[string]string, error) {
	var unknown, missing []string
	for name := range given {
		if _, ok := t.Parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		v, ok := given[name]
		switch {
		case ok:
		case p.Default != nil:
			v = *p.Default
		default:
			missing = append(missing, name)
			continue
		}
		if err := p.check(name, v); err != nil {
			return nil, err
		}
		out[name] = v
	}
	if len(missing) > 0 {
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return out, nil
}

func (p Parameter) check(name, v string) error {
	because := func(rule string) error {
		if p.ConstraintDescription != "" {
			rule = p.ConstraintDescription
		}
		return invalid("Parameter '%s' failed to satisfy constraint: %s", name, rule)
	}
	if p.Type == "Number" {
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			return invalid("Parameter '%s' must be a number.", name)
		}
	}
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, v) {
		return because("Parameter '" + name + "' must be one of AllowedValues")
	}
	if p.AllowedPattern != "" && !matchesWhole(p.AllowedPattern, v) {
		return because("Parameter '" + name + "' must match pattern " + p.AllowedPattern)
	}
	if p.MinLength != nil && len(v) < int(*p.MinLength) {
		return because("Parameter '" + name + "' must contain at least " + strconv.Itoa(int(*p.MinLength)) + " characters")
	}
	if p.MaxLength != nil && len(v) > int(*p.MaxLength) {
		return because("Parameter '" + name + "' must contain at most " + strconv.Itoa(int(*p.MaxLength)) + " characters")
	}
	return nil
}

func matchesWhole(pattern, v string) bool {
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	return err == nil && re.MatchString(v)
}
