package lambda

import (
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/templates"
)

// deploy makes or changes one resource as the root of account B.
type deploy struct {
	*world
	types map[string]templates.Type
}

func newDeploy(t *testing.T) deploy {
	w := newWorld(t, Options{})
	d := deploy{w, map[string]templates.Type{}}
	for _, r := range w.lambda.ResourceTypes() {
		d.types[r.Name] = r
	}
	w.role(accountB, "worker")
	w.objects["code/one.zip"] = zipped(t, map[string][]byte{"bootstrap": bootstrap})
	w.objects["code/two.zip"] = zipped(t, map[string][]byte{"bootstrap": bootstrap, "two": nil})
	return d
}

func (d deploy) request(properties map[string]any) templates.Request {
	return templates.Request{
		Caller: d.root[accountB].Caller, Account: accountB, Region: region, Stack: "delivery", LogicalID: "Thing", Properties: properties,
	}
}

func (d deploy) create(kind string, properties map[string]any) (templates.Resource, error) {
	return d.types["AWS::Lambda::"+kind].Create(d.t.Context(), d.request(properties))
}

func (d deploy) must(kind string, properties map[string]any) templates.Existing {
	d.t.Helper()
	r, err := d.create(kind, properties)
	if err != nil {
		d.t.Fatalf("make %s: %v", kind, err)
	}
	for _, a := range d.types["AWS::Lambda::"+kind].Attributes {
		if r.Attributes[a] == "" {
			d.t.Errorf("%s has no attribute %s", kind, a)
		}
	}
	return templates.Existing{Caller: d.root[accountB].Caller, Account: accountB, Region: region, Resource: r, Properties: properties}
}

func (d deploy) update(kind string, e templates.Existing, properties map[string]any) (templates.Resource, error) {
	return d.types["AWS::Lambda::"+kind].Update(d.t.Context(), d.request(properties), e)
}

// with is properties with one of them changed.
func with(properties map[string]any, name string, value any) map[string]any {
	out := map[string]any{name: value}
	for k, v := range properties {
		if k != name {
			out[k] = v
		}
	}
	return out
}

func functionTemplate() map[string]any {
	return map[string]any{
		"FunctionName": "worker", "Description": "d", "Runtime": "provided.al2023", "Handler": "bootstrap",
		"Architectures": []any{architecture()}, "Code": map[string]any{"S3Bucket": "code", "S3Key": "one.zip"},
		"Role": "arn:aws:iam::222222222222:role/worker", "MemorySize": 128.0, "Timeout": "10",
		"Environment":   map[string]any{"Variables": map[string]any{"DISTRIBUTION_ID": "E1"}},
		"LoggingConfig": map[string]any{"LogGroup": "/site/worker"},
	}
}

// TestRelayTemplate is the delivery side of the relay route: function, version, alias, permission.
func TestRelayTemplate(t *testing.T) {
	d := newDeploy(t)
	function := d.must("Function", functionTemplate())
	if function.Resource.Ref != "worker" || function.Resource.Attributes["Arn"] != workerARN {
		t.Errorf("%+v", function.Resource)
	}
	versionTemplate := map[string]any{"FunctionName": "worker", "Description": "one.zip"}
	version := d.must("Version", versionTemplate)
	if version.Resource.Ref != workerARN+":1" || version.Resource.Attributes["Version"] != "1" {
		t.Errorf("%+v", version.Resource)
	}
	aliasTemplate := map[string]any{"FunctionName": "worker", "FunctionVersion": "1", "Name": "live"}
	alias := d.must("Alias", aliasTemplate)
	if alias.Resource.Ref != workerARN+":live" {
		t.Errorf("%+v", alias.Resource)
	}
	permission := d.must("Permission", map[string]any{"FunctionName": alias.Resource.Ref, "Action": "lambda:InvokeFunction", "Principal": accountA})
	config := d.must("EventInvokeConfig", map[string]any{"FunctionName": "worker", "Qualifier": "$LATEST", "MaximumRetryAttempts": 2.0, "MaximumEventAgeInSeconds": 1200.0})

	caller := d.session(d.role(accountA, "job", allow("lambda:InvokeFunction", workerARN+":live")))
	invoke := func() string {
		t.Helper()
		out, err := d.lambda.Invoke(t.Context(), caller.Caller, InvokeInput{Function: workerARN + ":live", Payload: []byte(`{"do":"about"}`)})
		if err != nil {
			t.Fatal(err)
		}
		return decode[reply](t, out.Payload).Env["DISTRIBUTION_ID"]
	}
	if got := invoke(); got != "E1" {
		t.Errorf("distribution %s", got)
	}

	// The next deployment: other code and settings, so another version.
	if _, err := d.create("Version", with(versionTemplate, "Description", "again")); err == nil || !strings.Contains(err.Error(), "A version for this Lambda function exists ( 1 )") {
		t.Errorf("the same version again: %v", err)
	}
	changed := with(with(functionTemplate(), "Code", map[string]any{"S3Bucket": "code", "S3Key": "two.zip"}), "Environment", map[string]any{"Variables": map[string]any{"DISTRIBUTION_ID": "E2"}})
	if _, err := d.update("Function", function, changed); err != nil {
		t.Fatal(err)
	}
	second, err := d.create("Version", with(versionTemplate, "Description", "two.zip")) // CloudFormation replaces versions
	if err != nil || second.Ref != workerARN+":2" {
		t.Fatalf("%+v, %v", second, err)
	}
	if got := invoke(); got != "E1" {
		t.Errorf("the alias moved by itself, to %s", got)
	}
	if _, err := d.update("Alias", alias, with(aliasTemplate, "FunctionVersion", "2")); err != nil {
		t.Fatal(err)
	}
	if got := invoke(); got != "E2" {
		t.Errorf("distribution %s", got)
	}
	if _, err := d.update("EventInvokeConfig", config, with(config.Properties, "MaximumRetryAttempts", 0.0)); err != nil {
		t.Error(err)
	}

	for _, kind := range []string{"EventInvokeConfig", "Permission", "Alias", "Version", "Function"} {
		e := map[string]templates.Existing{"EventInvokeConfig": config, "Permission": permission, "Alias": alias, "Version": version, "Function": function}[kind]
		for range 2 { // what is gone already is no error
			if err := d.types["AWS::Lambda::"+kind].Delete(t.Context(), e); err != nil {
				t.Errorf("delete %s: %v", kind, err)
			}
		}
	}
	if list, err := d.lambda.List(d.root[accountB].Caller, region); err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestResourcesRefused(t *testing.T) {
	d := newDeploy(t)
	d.role(accountA, "foreign")
	tests := map[string]struct {
		kind       string
		properties map[string]any
		message    string
	}{
		"the article's function": {"Function", with(functionTemplate(), "Role", "arn:aws:iam::111111111111:role/foreign"), "Cross-account pass role is not allowed."},
		"an unknown property":    {"Function", with(functionTemplate(), "Layers", []any{"x"}), `the property "Layers" of AWS::Lambda::Function`},
		"code in the template":   {"Function", with(functionTemplate(), "Code", map[string]any{"ZipFile": "x"}), "ZipFile"},
		"a version of nothing":   {"Version", map[string]any{"FunctionName": "nobody"}, "Function not found"},
		"an alias of nothing":    {"Alias", map[string]any{"FunctionName": "nobody", "Name": "live", "FunctionVersion": "1"}, "Function not found"},
		"a grant on nothing":     {"Permission", map[string]any{"FunctionName": workerARN + ":live", "Action": "lambda:InvokeFunction", "Principal": accountA}, "Function not found"},
		"a destination":          {"EventInvokeConfig", map[string]any{"FunctionName": "worker", "DestinationConfig": map[string]any{}}, "DestinationConfig"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := d.create(test.kind, test.properties); err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%v, want %s", err, test.message)
			}
		})
	}
}

func TestResourcesThatCannotMove(t *testing.T) {
	d := newDeploy(t)
	function := d.must("Function", with(functionTemplate(), "FunctionName", ""))
	if !strings.HasPrefix(function.Resource.Ref, "delivery-Thing-") {
		t.Errorf("generated name %s", function.Resource.Ref)
	}
	name := function.Resource.Ref
	alias := d.must("Alias", map[string]any{"FunctionName": name, "FunctionVersion": "$LATEST", "Name": "live"})
	config := d.must("EventInvokeConfig", map[string]any{"FunctionName": name, "Qualifier": "$LATEST", "MaximumRetryAttempts": 2.0})
	for kind, change := range map[string]struct {
		existing templates.Existing
		property string
	}{
		"Function": {function, "FunctionName"}, "Alias": {alias, "Name"}, "EventInvokeConfig": {config, "Qualifier"},
	} {
		if _, err := d.update(kind, change.existing, with(change.existing.Properties, change.property, "other")); errorCode(err) != "NotEmulated" {
			t.Errorf("%s with another %s: %v", kind, change.property, err)
		}
	}
}
