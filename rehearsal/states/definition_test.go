package states_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/states"
	"github.com/unstale/unstale/rehearsal/templates"
)

// good is a definition that uses all there is; each case of refused changes one place of it.
const good = `{"StartAt":"A","TimeoutSeconds":60,"States":{
	"A":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"ResultPath":"$.x","Next":"B"},
	"B":{"Type":"Choice","Choices":[{"Variable":"$.x.n","NumericGreaterThanEquals":3,"Next":"C"}],"Default":"D"},
	"C":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:cloudfront:getInvalidation","Credentials":{"RoleArn":"arn:aws:iam::222222222222:role/purge"},
		"Parameters":{"Id":"I1"},"Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":2,"MaxDelaySeconds":9,"JitterStrategy":"FULL"}],"Catch":[{"ErrorEquals":["States.ALL"],"Next":"F"}],"Next":"E"},
	"D":{"Type":"Wait","Seconds":1,"Next":"E"},
	"E":{"Type":"Succeed"},
	"F":{"Type":"Fail","Error":"F","CausePath":"States.Format('{} it''s', $.x.n)"}}}`

var refused = []struct {
	name, old, new string
	code, says     string
}{
	{"nothing", "", "", "", ""},
	{"no JSON", good, "{", "InvalidDefinition", "unexpected EOF"},
	{"two documents", good, `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}} {}`, "InvalidDefinition", "followed by something else"},
	{"no such start", `"StartAt":"A"`, `"StartAt":"Z"`, "InvalidDefinition", "Missing 'StartAt' target: Z"},
	{"no such next", `"ResultPath":"$.x","Next":"B"`, `"ResultPath":"$.x","Next":"Z"`, "InvalidDefinition", "Missing 'Next' target: Z at /States/A"},
	{"no next", `"Seconds":1,"Next":"E"`, `"Seconds":1`, "InvalidDefinition", "Missing 'Next' target:  at /States/D"},
	{"no such default", `"Default":"D"`, `"Default":"Z"`, "InvalidDefinition", "Missing 'Default' target: Z"},
	{"no such catch", `"Next":"F"`, `"Next":"Z"`, "InvalidDefinition", "target: Z at /States/C"},
	{"unreachable", `,"Default":"D"`, ``, "InvalidDefinition", `State "D" is not reachable`},
	{"negative time", `"TimeoutSeconds":60`, `"TimeoutSeconds":-1`, "InvalidDefinition", "TimeoutSeconds is -1"},

	{"a field of the machine", `"StartAt"`, `"QueryLanguage":"JSONata","StartAt"`, "NotEmulated", `"QueryLanguage" of a state machine`},
	{"a type", `"Type":"Wait"`, `"Type":"Parallel"`, "NotEmulated", `"Parallel" of state D`},
	{"no type", `{"Type":"Succeed"}`, `{}`, "NotEmulated", `type "" of state E`},
	{"a field of a state", `"Seconds":1`, `"SecondsPath":"$.x"`, "NotEmulated", `"SecondsPath" of state D, a Wait`},
	{"a field of another type", `"Seconds":1`, `"Seconds":"1"`, "InvalidDefinition", "state D, a Wait"},
	{"an end", `"Seconds":1,"Next":"E"`, `"Seconds":1,"End":true`, "NotEmulated", `"End"`},
	{"a comparison", `"NumericGreaterThanEquals":3`, `"NumericLessThan":3`, "NotEmulated", "NumericLessThan"},
	{"an escape in a pattern", `"NumericGreaterThanEquals":3`, `"StringMatches":"a\\*"`, "NotEmulated", "escapes in StringMatches"},
	{"two comparisons", `"NumericGreaterThanEquals":3`, `"NumericGreaterThanEquals":3,"IsPresent":true`, "InvalidDefinition", "one comparison"},
	{"no comparison", `"NumericGreaterThanEquals":3,`, ``, "InvalidDefinition", "one comparison"},
	{"no choices", `"Choices":[{"Variable":"$.x.n","NumericGreaterThanEquals":3,"Next":"C"}]`, `"Choices":[]`, "InvalidDefinition", "no Choices"},
	{"a wait too long", `"Seconds":1`, `"Seconds":100000000`, "InvalidDefinition", "Seconds is 100000000"},
	{"both causes", `"Error":"F",`, `"Error":"F","Cause":"c",`, "InvalidDefinition", "either Cause or CausePath"},
	{"result and parameters", `"Type":"Pass"`, `"Type":"Pass","Result":1`, "InvalidDefinition", "either Result or Parameters"},

	{"another service", `cloudfront:getInvalidation`, `s3:getObject`, "NotEmulated", "the task resource"},
	{"another action", `cloudfront:getInvalidation`, `cloudfront:listInvalidations`, "NotEmulated", "the task resource"},
	{"no role", `"arn:aws:iam::222222222222:role/purge"`, `"purge"`, "InvalidDefinition", `"purge" of Credentials is not`},
	{"a role from the input", `"RoleArn"`, `"RoleArn.$"`, "NotEmulated", "RoleArn.$"},
	{"no parameters", `"Parameters":{"Id":"I1"},`, ``, "InvalidDefinition", "no Parameters"},
	{"a list of parameters", `{"Id":"I1"}`, `["I1"]`, "NotEmulated", "no object"},
	{"interval", `"IntervalSeconds":2`, `"IntervalSeconds":0`, "InvalidDefinition", "IntervalSeconds is 0"},
	{"backoff", `"IntervalSeconds":2`, `"BackoffRate":0.5`, "InvalidDefinition", "BackoffRate is 0.5"},
	{"attempts", `"IntervalSeconds":2`, `"MaxAttempts":-1`, "InvalidDefinition", "MaxAttempts is -1"},
	{"delay", `"MaxDelaySeconds":9`, `"MaxDelaySeconds":2`, "InvalidDefinition", "MaxDelaySeconds is 2"},
	{"jitter", `"FULL"`, `"HALF"`, "InvalidDefinition", "JitterStrategy"},
	{"no errors", `["States.Timeout"]`, `[]`, "InvalidDefinition", "ErrorEquals is empty"},
	{"all and another", `["States.ALL"]`, `["States.ALL","X"]`, "InvalidDefinition", "must appear alone"},
	{"all is not the last", `[{"ErrorEquals":["States.ALL"],"Next":"F"}]`, `[{"ErrorEquals":["States.ALL"],"Next":"F"},{"ErrorEquals":["X"],"Next":"F"}]`, "InvalidDefinition", "in the last"},

	{"a filter", `"$.x.n","N`, `"$.x[?(@.n)]","N`, "NotEmulated", "the path $.x[?(@.n)]"},
	{"a wildcard", `"$.x.n","N`, `"$.*","N`, "NotEmulated", "the path $.*"},
	{"a slice", `"$.x.n","N`, `"$[0:1]","N`, "NotEmulated", "the path $[0:1]"},
	{"the context", `"$.x.n","N`, `"$$.State.Name","N`, "NotEmulated", "the context object's $$.State.Name"},
	{"no path", `"$.x.n","N`, `"","N`, "InvalidDefinition", "is not a path"},
	{"discarded", `"ResultPath":"$.x"`, `"ResultPath":null`, "NotEmulated", "a ResultPath of null"},
	{"a position", `"ResultPath":"$.x"`, `"ResultPath":"$.x[0]"`, "NotEmulated", "positions"},
	{"in the context", `"ResultPath":"$.x"`, `"ResultPath":"$$.Execution.Id"`, "InvalidDefinition", "cannot be in the context"},
	{"twice", `{"n.$":"States.MathAdd($.n, 1)"}`, `{"n":1,"n.$":"$.n"}`, "InvalidDefinition", "given twice"},
	{"no expression", `"States.MathAdd($.n, 1)"`, `1`, "InvalidDefinition", "must be a path or an intrinsic function"},
	{"a function", `States.MathAdd($.n, 1)`, `States.UUID()`, "NotEmulated", "the intrinsic function States.UUID"},
	{"no function", `States.MathAdd($.n, 1)`, `hello`, "InvalidDefinition", "no arguments"},
	{"arguments", `States.MathAdd($.n, 1)`, `States.MathAdd($.n)`, "InvalidDefinition", "takes 2 to 2 arguments, not 1"},
	{"an argument", `States.MathAdd($.n, 1)`, `States.MathAdd($.n, true)`, "NotEmulated", "the argument true"},
	{"the end", `States.MathAdd($.n, 1)`, `States.MathAdd($.n, 1`, "InvalidDefinition", "an argument is missing"},
	{"more", `States.MathAdd($.n, 1)`, `States.MathAdd($.n, 1) x`, "InvalidDefinition", `\"x\" is left over`},
	{"no comma", `States.MathAdd($.n, 1)`, `States.MathAdd($.n 1)`, "InvalidDefinition", "neither a comma"},
	{"no quote", `'{} it''s'`, `'{}`, "InvalidDefinition", "a text has no end"},
	{"an escape", `'{} it''s'`, `'\\{\\}{}'`, "NotEmulated", "escapes"},
	{"nested", `States.MathAdd($.n, 1)`, strings.Repeat("States.MathAdd(1, ", 11) + "1" + strings.Repeat(")", 11), "InvalidDefinition", "more than 10"},
}

// What Step Functions refuses, and what the rehearsal does not know, is said when a machine is made.
func TestRefusedDefinitions(t *testing.T) {
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			text := good
			text = strings.Replace(text, `it''s`, `it\\'s`, 1)
			old := strings.Replace(tt.old, `it''s`, `it\\'s`, 1)
			if tt.old == good {
				text = tt.new
			} else if !strings.Contains(text, old) {
				t.Fatalf("the definition has no %s", old)
			} else {
				text = strings.Replace(text, old, tt.new, 1)
			}
			_, _, err := w.service.Create(context.Background(), w.root, region, states.Machine{Name: "purge", Role: machineRole, Definition: text})
			if code(err) != tt.code || err != nil && !strings.Contains(err.Error(), strings.ReplaceAll(tt.says, `\"`, `"`)) {
				t.Errorf("got %v, want %s with %q", err, tt.code, tt.says)
			}
		})
	}
}

// A role is given as AWS lets it be given: of the same account, by someone who may, to a service that
// it trusts.
func TestMachineRoles(t *testing.T) {
	w := newWorld(t)
	w.role(accountA, "other", `{"Service":"lambda.amazonaws.com"}`, "", allow("*", "*"))
	w.role(accountA, "guarded", `{"Service":"states.amazonaws.com"}`, `"ArnLike":{"aws:SourceArn":"arn:aws:states:us-east-1:111111111111:stateMachine:*"},"StringEquals":{"aws:SourceAccount":"111111111111"}`, allow("*", "*"))
	maker, err := w.directory.AddUser(accountA, "maker", w.parse(allow("states:*", "*")))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		caller           accounts.Caller
		role, code, says string
	}{
		{w.root, machineRole, "", ""},
		{w.root, "arn:aws:iam::111111111111:role/guarded", "", ""},
		{w.root, purgeRole, "AccessDeniedException", "Cross-account pass role is not allowed."},
		{w.root, "arn:aws:iam::111111111111:role/other", "AccessDeniedException", "Neither the global service principal states.amazonaws.com"},
		{w.root, "arn:aws:iam::111111111111:role/none", "AccessDeniedException", "Neither the global"},
		{w.root, "machine", "InvalidArn", ""},
		{maker.Caller, machineRole, "AccessDenied", "iam:PassRole"},
		{w.root, "", "ValidationException", "needs a role"},
	}
	for _, tt := range tests {
		_, _, err := w.service.Create(t.Context(), tt.caller, region, states.Machine{Name: accounts.RoleName(tt.role) + "-machine", Role: tt.role, Definition: committed(t, purgeRole)})
		if code(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("role %s: %v, want %s %q", tt.role, err, tt.code, tt.says)
		}
	}
}

// Templates make, change and remove machines.
func TestResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		kind := w.service.ResourceTypes()[0]
		properties := map[string]any{
			"StateMachineName": "purge", "StateMachineType": "STANDARD", "RoleArn": machineRole,
			"DefinitionString":        `{"StartAt":"${First}","States":{"Do":{"Type":"Pass","Result":["${Text}",${Number},"${Left}"],"Next":"End"},"End":{"Type":"Succeed"}}}`,
			"DefinitionSubstitutions": map[string]any{"First": "Do", "Text": "${Number}", "Number": float64(3)},
		}
		request := templates.Request{Caller: w.root, Account: accountA, Region: region, Stack: "s", LogicalID: "M", Properties: properties}
		made, err := kind.Create(t.Context(), request)
		if err != nil || made.Ref != machineARN || made.Attributes["Name"] != "purge" || made.Attributes["Arn"] != machineARN {
			t.Fatalf("made %+v, %v", made, err)
		}
		// What was put in is not looked through again, and what nobody puts in stays.
		if e := w.run("", time.Minute); e.Output != `["${Number}",3,"${Left}"]` {
			t.Errorf("output %s", e.Output)
		}
		existing := templates.Existing{Caller: w.root, Account: accountA, Region: region, Resource: made, Properties: properties}
		properties["DefinitionSubstitutions"].(map[string]any)["Text"] = "changed"
		if _, err := kind.Update(t.Context(), request, existing); err != nil {
			t.Fatal(err)
		}
		if e := w.run("", time.Minute); !strings.Contains(e.Output, "changed") {
			t.Errorf("output %s", e.Output)
		}
		for name, v := range map[string]any{"StateMachineName": "other", "StateMachineType": "EXPRESS", "TracingConfiguration": map[string]any{}} {
			old, had := properties[name]
			properties[name] = v
			if _, err := kind.Update(t.Context(), request, existing); code(err) != "NotEmulated" {
				t.Errorf("update with %s: %v", name, err)
			}
			if properties[name] = old; !had {
				delete(properties, name)
			}
		}
		if _, err := kind.Create(t.Context(), request); code(err) != "StateMachineAlreadyExists" && err != nil {
			t.Errorf("made again: %v", err)
		}
		if err := kind.Delete(t.Context(), existing); err != nil {
			t.Error(err)
		}
		if _, err := w.service.Start(t.Context(), w.root, machineARN, "", ""); code(err) != "StateMachineDoesNotExist" {
			t.Errorf("started after it was removed: %v", err)
		}
		if err := kind.Delete(t.Context(), existing); err != nil {
			t.Errorf("removed twice: %v", err)
		}
		delete(properties, "DefinitionString")
		if _, err := kind.Create(t.Context(), request); code(err) != "ValidationError" {
			t.Errorf("made without a definition: %v", err)
		}
	})
}
