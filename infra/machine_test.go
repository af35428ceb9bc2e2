package infra

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// aslState is a state as far as the tests look into it.
type aslState struct {
	Type, Next, Default, Error, Cause, CausePath string
	Resource                                     string
	Credentials                                  map[string]string
	Parameters                                   map[string]any
	Seconds                                      float64
	Retry                                        []aslRetry
	Catch                                        []struct {
		ErrorEquals []string
		Next        string
	}
	Choices []map[string]any
}

type aslRetry struct {
	ErrorEquals                                                []string
	IntervalSeconds, BackoffRate, MaxDelaySeconds, MaxAttempts float64
	JitterStrategy                                             string
}

type aslMachine struct {
	StartAt        string
	TimeoutSeconds float64
	States         map[string]aslState
}

func purgeMachine(t *testing.T) aslMachine {
	t.Helper()
	var machine aslMachine
	if err := json.Unmarshal(purgeDefinition, &machine); err != nil {
		t.Fatal(err)
	}
	return machine
}

// validate runs asl-validator, which checks a definition by JSON schemas and by its own rules for paths, intrinsic
// functions and reachability. It is installed as asl/package-lock.json says.
func validate(t *testing.T, definition []byte) (string, error) {
	t.Helper()
	validator := filepath.Join("asl", "node_modules", "asl-validator", "dist", "bin", "asl-validator.js")
	if _, err := os.Stat(validator); err != nil {
		install := exec.Command("npm", "ci")
		install.Dir = "asl"
		if said, err := install.CombinedOutput(); err != nil {
			t.Fatalf("install asl-validator: %v\n%s", err, said)
		}
	}
	file := filepath.Join(t.TempDir(), "purge.asl.json")
	if err := os.WriteFile(file, definition, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command("node", validator, "--json-path", file).CombinedOutput()
	return string(said), err
}

func TestDefinitionIsValid(t *testing.T) {
	if said, err := validate(t, purgeDefinition); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	for was, is := range map[string]string{ // the validator can say no
		`"Next": "WaitForMost"`:       `"Next": "Nowhere"`,
		`States.ArrayLength($.items)`: `States.ArrayLength($.items`,
		`"Seconds": 3`:                `"Seconds": "three"`,
	} {
		broken := strings.Replace(string(purgeDefinition), was, is, 1)
		if said, err := validate(t, []byte(broken)); err == nil || broken == string(purgeDefinition) {
			t.Errorf("%s is valid: %s", is, said)
		}
	}
}

func TestTheTemplateHasTheDefinition(t *testing.T) {
	for _, template := range []string{"pipeline-states", "pipeline-machine"} {
		made, _ := render(t, template, given(t, template))
		machine := made["PurgeMachine"].Properties
		if machine["DefinitionString"] != compactDefinition() || machine["StateMachineType"] != "STANDARD" {
			t.Errorf("%s: the machine is %v", template, machine)
		}
		role := "<PurgeRole.Arn>"
		if template == "pipeline-states" {
			role = deployed["MachineRoleArn"]
		}
		want := map[string]any{
			"PurgeRole": deployed["PurgeRoleArn"], "Distribution": "E1", "MachineRole": role, "Machine": deployed["StateMachineArn"],
		}
		substitutions := machine["DefinitionSubstitutions"].(map[string]any)
		if !maps.Equal(substitutions, want) {
			t.Errorf("%s: substitutions %v, want %v", template, substitutions, want)
		}
		used := map[string]bool{}
		for _, match := range regexp.MustCompile(`\$\{(.*?)\}`).FindAllStringSubmatch(compactDefinition(), -1) {
			used[match[1]] = true
		}
		if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(substitutions)); !slices.Equal(got, want) {
			t.Errorf("%s: the definition uses %q, given are %q", template, got, want)
		}
	}
}

// Who gives the input gives items, and nothing else reaches a call.
func TestInputChoosesItemsOnly(t *testing.T) {
	for name, state := range purgeMachine(t).States {
		if state.Type != "Task" {
			continue
		}
		if state.Credentials["RoleArn"] != "${PurgeRole}" || state.Parameters["DistributionId"] != "${Distribution}" {
			t.Errorf("%s: credentials %v, parameters %v", name, state.Credentials, state.Parameters)
		}
	}
	batch := purgeMachine(t).States["Create"].Parameters["InvalidationBatch"].(map[string]any)
	if batch["CallerReference.$"] != "$.batch.reference" || at(t, batch, "Paths", "Items.$") != "$.items" {
		t.Errorf("the batch is %v", batch)
	}
	reference := purgeMachine(t).States["Prepare"].Parameters["reference.$"]
	if reference != "States.Format('unstale-1-{}', States.Hash($$.Execution.Id, 'SHA-256'))" {
		t.Errorf("the reference is %v", reference)
	}
}

// outcome is what becomes of a task's error: how it is retried, and the state it ends in.
func (s aslState) outcome(name string) (retry *aslRetry, next string) {
	for _, r := range s.Retry {
		if slices.Contains(r.ErrorEquals, name) {
			retry = &r
			break
		}
	}
	for _, c := range s.Catch {
		if slices.Contains(c.ErrorEquals, name) || slices.Contains(c.ErrorEquals, "States.ALL") {
			return retry, c.Next
		}
	}
	return retry, ""
}

func TestErrorsAreRetriedByClass(t *testing.T) {
	const never, fast, slow = 0, 1, 15 // the first wait, in seconds
	for _, c := range []struct {
		name  string
		wait  float64
		state string
	}{
		{"CloudFront.AccessDeniedException", never, "Denied"},
		{"CloudFront.AccessDenied", never, "Denied"},
		{"CloudFront.NoSuchDistributionException", never, "NoDistribution"},
		{"CloudFront.InvalidArgumentException", never, "IsTheReferenceUsed"},
		{"CloudFront.InvalidArgument", never, "IsTheReferenceUsed"},
		{"CloudFront.InvalidationBatchAlreadyExistsException", never, "IsTheReferenceUsed"},
		{"CloudFront.BatchTooLargeException", never, "BatchRefused"},
		{"CloudFront.TooManyInvalidationsInProgressException", slow, "TooMany"},
		{"CloudFront.TooManyInvalidationsInProgress", slow, "TooMany"},
		{"CloudFront.CloudFrontException", fast, "IsTheReferenceUsed"},
		{"CloudFront.ServiceUnavailable", fast, "Unexpected"},
		{"CloudFront.Throttling", fast, "Unexpected"},
		{"CloudFront.SdkClientException", fast, "Unexpected"},
		{"States.Timeout", fast, "Unexpected"},
		{"States.TaskFailed", never, "Unexpected"}, // the purge role cannot be assumed
	} {
		retry, state := purgeMachine(t).States["Create"].outcome(c.name)
		if state != c.state {
			t.Errorf("%s ends in %s, want %s", c.name, state, c.state)
		}
		switch {
		case retry == nil && c.wait == never:
		case retry == nil:
			t.Errorf("%s is not retried", c.name)
		case retry.IntervalSeconds != c.wait || retry.JitterStrategy != "FULL" || retry.MaxDelaySeconds == 0:
			t.Errorf("%s is retried as %+v", c.name, *retry)
		}
	}
}

// A look fails as a creation does, except for what only a creation can meet.
func TestALookIsRetriedLikeACreation(t *testing.T) {
	create, look := purgeMachine(t).States["Create"], purgeMachine(t).States["Look"]
	for _, name := range append(slices.Clone(create.Retry[0].ErrorEquals), "CloudFront.AccessDeniedException", "States.TaskFailed") {
		retry, next := look.outcome(name)
		wantRetry, wantNext := create.outcome(name)
		if wantNext == "IsTheReferenceUsed" { // which a look does not have
			wantNext = "Unexpected"
		}
		if (retry == nil) != (wantRetry == nil) || next != wantNext {
			t.Errorf("%s: retry %v, then %s; a creation %v, then %s", name, retry, next, wantRetry, wantNext)
		}
	}
}

// A second reference follows from the first, so that it is the execution's too, and there is no third.
func TestAUsedReferenceIsRenewedOnce(t *testing.T) {
	states := purgeMachine(t).States
	prepare, renew, count := states["Prepare"].Parameters, states["Renew"].Parameters, states["CountLooks"].Parameters
	if prepare["renewed"] != 0.0 || renew["renewed"] != 1.0 || renew["reference.$"] != "States.Format('{}-2', $.batch.reference)" || states["Renew"].Next != "Create" {
		t.Errorf("it begins with %v, and is renewed to %v", prepare, renew)
	}
	want := map[string]any{"Variable": "$.batch.renewed", "NumericGreaterThanEquals": 1.0, "Next": "BatchRefused"}
	if once := states["IsItRenewed"]; len(once.Choices) != 1 || !maps.Equal(once.Choices[0], want) || once.Default != "Renew" {
		t.Errorf("it is renewed again: %+v", once)
	}
	for _, batch := range []map[string]any{prepare, renew, count} { // each replaces the batch whole
		var fields []string
		for key := range batch {
			fields = append(fields, strings.TrimSuffix(key, ".$"))
		}
		slices.Sort(fields)
		if want := []string{"looks", "quantity", "reference", "renewed"}; !slices.Equal(fields, want) {
			t.Errorf("the batch becomes %q, want %q", fields, want)
		}
	}
}

func TestEveryFailureSaysWhatToDo(t *testing.T) {
	failures := 0
	for name, state := range purgeMachine(t).States {
		if state.Type != "Fail" {
			continue
		}
		failures++
		cause := state.Cause + state.CausePath
		if state.Error != name || !regexp.MustCompile(`Let the policy|Deploy the stacks|Give some|retry the stage|retrying the stage|look at both sides`).MatchString(cause) {
			t.Errorf("%s (%s) says no next step: %s", name, state.Error, cause)
		}
		arguments := strings.Count(state.CausePath, ", $.")
		if placeholders := strings.Count(state.CausePath, "{}"); placeholders != arguments {
			t.Errorf("%s fills %d placeholders with %d values", name, placeholders, arguments)
		}
	}
	if failures != 7 {
		t.Errorf("%d failures, want 7", failures)
	}
}

// The execution's own limit ends nothing that the states would have ended with a cause: all retries and all looks fit.
func TestLimitsFitIntoOneAnother(t *testing.T) {
	machine := purgeMachine(t)
	looks := machine.States["IsItCompleted"].Choices[1]["NumericGreaterThanEquals"].(float64)
	total := looks * machine.States["WaitAgain"].Seconds
	if total < 590 || total > 610 {
		t.Errorf("it looks for %v s; the failure says about 10 minutes", total)
	}
	for _, state := range []string{"Create", "Create", "Look"} { // twice, with a second reference
		for _, r := range machine.States[state].Retry {
			delay := r.IntervalSeconds
			for range int(r.MaxAttempts) {
				total += min(delay, r.MaxDelaySeconds)
				delay *= r.BackoffRate
			}
		}
	}
	if total > machine.TimeoutSeconds {
		t.Errorf("retries and looks may take %v s, the execution %v s", total, machine.TimeoutSeconds)
	}
	if len(compactDefinition()) > 1<<20 {
		t.Error("the definition is larger than 1 MiB")
	}
}
