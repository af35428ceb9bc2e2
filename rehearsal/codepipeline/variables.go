package codepipeline

import (
	"fmt"
	"regexp"
	"strings"
)

// reservedNamespace is CodePipeline's own; its one variable is PipelineExecutionId.
const reservedNamespace = "codepipeline"

// maxResolved is the size of an action's configuration once variables are in. Source: User Guide,
// "Quotas" (H).
const maxResolved = 100 << 10

var reference = regexp.MustCompile(`#\{([^{}]*)\}`)

// referenceParts splits "namespace.key". The characters are those that the User Guide's "Variables"
// allows for either (H).
var referenceParts = regexp.MustCompile(`^([A-Za-z0-9@\-_]+)\.([A-Za-z0-9@\-_]+)$`)

// checkReferences refuses references that no execution could resolve.
func checkReferences(value string) error {
	for _, m := range reference.FindAllStringSubmatch(value, -1) {
		parts := referenceParts.FindStringSubmatch(m[1])
		switch {
		case parts == nil:
			return fmt.Errorf("valid format for a variable reference is a namespace and a key separated by a period (.): %s", m[0])
		case parts[1] == reservedNamespace && parts[2] != "PipelineExecutionId":
			return fmt.Errorf("the rehearsal does not emulate the variable %s", m[0])
		}
	}
	return nil
}

// resolve puts the variables into an action's configuration. One that no earlier action gave is an error, as
// is a result over the limit.
func resolve(configuration map[string]Text, variables map[string]map[string]string) (map[string]string, error) {
	out := map[string]string{}
	size := 0
	for key, value := range configuration {
		var missing []string
		out[key] = reference.ReplaceAllStringFunc(string(value), func(ref string) string {
			space, name, _ := strings.Cut(strings.Trim(ref, "#{}"), ".")
			v, ok := variables[space][name]
			if !ok {
				missing = append(missing, ref)
			}
			return v
		})
		if len(missing) > 0 {
			return nil, &Failure{Code: "ConfigurationError", Message: fmt.Sprintf(
				"An action configuration variable could not be resolved: %s in %s", strings.Join(missing, ", "), key)}
		}
		size += len(key) + len(out[key])
	}
	if size > maxResolved {
		return nil, &Failure{Code: "ConfigurationError", Message: fmt.Sprintf(
			"The resolved action configuration has %d bytes, %d are allowed", size, maxResolved)}
	}
	return out, nil
}
