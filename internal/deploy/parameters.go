package deploy

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/templates"
)

// MissingParameter is a parameter that only people know and nobody gave.
type MissingParameter struct{ Template, Name, Description string }

func (m *MissingParameter) Error() string {
	return fmt.Sprintf("template %s needs a value for %s (%s)", m.Template, m.Name, m.Description)
}

// declared is what a template says of a parameter.
type declared struct {
	Default     *string
	Description string
	MinLength   int
}

func readParameters(text []byte) (map[string]declared, error) {
	var t struct{ Parameters map[string]declared }
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("read the template's parameters: %w", err)
	}
	return t.Parameters, nil
}

// fill gives a stack's parameters their values: the caller's, those that follow from the route and from
// the earlier stacks, those that the stack has already, the template's own defaults.
func (d *Deployment) fill(ctx context.Context, r *request, at *side, step templates.Step, st *types.Stack, known map[string]string) error {
	wanted, err := readParameters(r.Template)
	if err != nil {
		return err
	}
	r.Parameters = map[string]string{}
	has := parametersOf(st)
	own := maps.Clone(known)
	if _, ok := wanted["ExternalId"]; ok {
		if own["ExternalId"], err = d.externalID(ctx); err != nil {
			return err
		}
	}
	if step.Template == "pipeline-job" {
		maps.Copy(own, d.targets(own))
	}
	if step.Function != "" {
		architecture := cmp.Or(d.options.Parameters["Architecture"], has["Architecture"], aws.ToString(wanted["Architecture"].Default))
		if own["CodeBucket"], own["CodeKey"], err = d.upload(ctx, at, step.Function, architecture); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		given, isGiven := d.options.Parameters[name]
		value, isKnown := own[name]
		_, isPrevious := has[name]
		w := wanted[name]
		switch {
		case isGiven:
			r.Parameters[name] = given
		case isKnown:
			r.Parameters[name] = value
		case isPrevious:
			r.previous = append(r.previous, name)
		case w.Default != nil:
		case d.dispensable(name, w):
			r.Parameters[name] = "" // no deploy role is made then
		default:
			return &MissingParameter{step.Template, name, w.Description}
		}
	}
	return nil
}

// dispensable reports whether a parameter may be empty where nobody knows it.
func (d *Deployment) dispensable(name string, w declared) bool {
	return d.options.OwnPipeline && w.MinLength == 0 && slices.Contains(ofOurPipeline, name)
}

// checkParameters finds out, before anything is made, whether fill will lack a value that only people know.
func (d *Deployment) checkParameters(ctx context.Context, steps []templates.Step) error {
	known := d.predicted()
	for _, step := range steps {
		if step.Template == BucketTemplate {
			continue
		}
		text, err := Template(step.Template)
		if err != nil {
			return err
		}
		var t struct{ Outputs map[string]json.RawMessage }
		if err := json.Unmarshal(text, &t); err != nil {
			return fmt.Errorf("read the template's outputs: %w", err)
		}
		wanted, err := readParameters(text)
		if err != nil {
			return err
		}
		st, err := d.sides[step.Side].look(ctx, d.stackName(step.Template))
		if err != nil {
			return err
		}
		if st != nil && goesFirst(st.StackStatus) {
			st = nil
		}
		own, has := maps.Clone(known), parametersOf(st)
		if step.Template == "pipeline-job" {
			maps.Copy(own, d.targets(own))
		}
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			w := wanted[name]
			_, given := d.options.Parameters[name]
			_, found := own[name]
			_, previous := has[name]
			made := name == "ExternalId" || step.Function != "" && (name == "CodeBucket" || name == "CodeKey")
			if !given && !found && !previous && !made && w.Default == nil && !d.dispensable(name, w) {
				return fmt.Errorf("stack %s: %w", d.stackName(step.Template), &MissingParameter{step.Template, name, w.Description})
			}
		}
		for name := range t.Outputs { // whose values are not known yet
			known[name] = "of " + step.Template
		}
	}
	return nil
}

// ofOurPipeline are parameters that describe a pipeline that we would have made. Source: templates/README.md.
var ofOurPipeline = []string{"PipelineRoleArn", "ArtifactBucketArn", "ArtifactKeyArn"}

func parametersOf(st *types.Stack) map[string]string {
	out := map[string]string{}
	if st == nil {
		return out
	}
	for _, p := range st.Parameters {
		out[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	return out
}

// predicted is what follows from the accounts and the name alone. With a pipeline of one's own, stacks
// have to name what a later one makes; templates/README.md says which ARNs those are.
func (d *Deployment) predicted() map[string]string {
	a, b := d.sides[templates.Pipeline], d.sides[templates.Delivery]
	out := map[string]string{"Name": d.options.Name, "PipelineAccount": a.account}
	if b == nil {
		return out
	}
	out["DeliveryAccount"] = b.account
	if !d.options.OwnPipeline {
		out["Route"] = d.options.Route
		return out
	}
	role := func(suffix string) string {
		return fmt.Sprintf("arn:%s:iam::%s:role/%s-%s", a.partition, a.account, d.options.Name, suffix)
	}
	switch d.options.Route {
	case "assume":
		out["JobRoleArn"] = role("job")
	case "relay":
		out["InvalidatorArn"] = fmt.Sprintf("arn:%s:lambda:%s:%s:function:%s-invalidator:live", b.partition, b.region, b.account, d.options.Name)
	case "states":
		out["MachineRoleArn"] = role("machine")
		out["StateMachineArn"] = fmt.Sprintf("arn:%s:states:%s:%s:stateMachine:%s-purge", a.partition, a.region, a.account, d.options.Name)
	}
	return out
}

// targets tells a job function of its own which distribution it serves, and lets it. Whoever gives
// Targets has to give these, too: a job function may serve any number.
func (d *Deployment) targets(known map[string]string) map[string]string {
	if _, given := d.options.Parameters["Targets"]; given {
		return nil
	}
	t, out := target.Target{Route: target.Route(d.options.Route)}, map[string]string{}
	switch d.options.Route {
	case "assume":
		t.Role, t.ExternalID, t.Distribution = known["PurgeRoleArn"], cmp.Or(d.options.Parameters["ExternalId"], d.external), known["DistributionId"]
		out["AssumableRoleArns"] = t.Role
	case "relay":
		t.Function = known["InvalidatorArn"]
		out["InvocableFunctionArns"] = t.Function
	case "same-account":
		arns := d.options.Parameters["DistributionArns"]
		if arns == "" || strings.Contains(arns, ",") {
			return nil // Targets is missing then
		}
		t.Distribution = arns[strings.LastIndexByte(arns, '/')+1:]
	}
	text, err := json.Marshal(map[string]target.Target{"site": t})
	if err != nil {
		return nil // texts always can be
	}
	out["Targets"] = string(text)
	return out
}

// externalID is what the delivery account's role asks for: the one it has, or a new one. It is no secret;
// it has to be one that was given to this target and to no other.
func (d *Deployment) externalID(ctx context.Context) (string, error) {
	if given := d.options.Parameters["ExternalId"]; given != "" {
		d.external = given
	}
	if d.external != "" {
		return d.external, nil
	}
	st, err := d.sides[templates.Delivery].look(ctx, d.stackName("delivery-assume"))
	if err != nil {
		return "", err
	}
	d.external = cmp.Or(parametersOf(st)["ExternalId"], d.options.Name+"-"+strings.ToLower(rand.Text()))
	return d.external, nil
}

// upload puts a function's zip where the account's stacks look for it. Its key is its content's hash, so
// that the same code is the same parameter and is sent once.
func (d *Deployment) upload(ctx context.Context, at *side, function, architecture string) (bucket, key string, err error) {
	zip, err := d.options.Code(function, architecture)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(zip)
	key = function + "/" + hex.EncodeToString(sum[:16]) + ".zip"
	there, err := at.has(ctx, at.bucket, key)
	if err != nil || there {
		return at.bucket, key, err
	}
	d.options.Say(fmt.Sprintf("%s upload %s for %s (%d KiB) to s3://%s/%s", at.account, function, architecture, len(zip)/1024, at.bucket, key))
	return at.bucket, key, at.put(ctx, at.bucket, key, zip)
}
