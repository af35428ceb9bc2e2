package templates_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/templates"
)

// three is a chain: C of B, B of A. Name is A's name, and changes by replacement; Size in place.
func three(size string, replacements ...string) string {
	text := `{"Parameters":{"Name":{"Type":"String","Default":"a"},"Extra":{"Type":"String","Default":"no"}},
	"Conditions":{"WithExtra":{"Fn::Equals":[{"Ref":"Extra"},"yes"]}},"Resources":{
	"A":{"Type":"Test::Thing","Properties":{"Name":{"Ref":"Name"},"Size":SIZE}},
	"B":{"Type":"Test::Thing","Properties":{"Name":"b","Tag":{"Ref":"A"}}},
	"C":{"Type":"Test::Thing","Properties":{"Name":"c","Size":1}},
	"X":{"Type":"Test::Thing","Condition":"WithExtra","Properties":{"Name":{"Fn::Sub":"x-${B}"}}}},
	"Outputs":{"A":{"Value":{"Ref":"A"}}}}`
	return strings.NewReplacer(append([]string{"SIZE", size}, replacements...)...).Replace(text)
}

func values(pairs ...string) []types.Parameter {
	var out []types.Parameter
	for i := 0; i < len(pairs); i += 2 {
		p := types.Parameter{ParameterKey: aws.String(pairs[i]), ParameterValue: aws.String(pairs[i+1])}
		if pairs[i+1] == "previous" {
			p.ParameterValue, p.UsePreviousValue = nil, aws.Bool(true)
		}
		out = append(out, p)
	}
	return out
}

func TestChangesAndUpdates(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		given   []types.Parameter
		changes []string // action, replacement, what changes
		done    []string // by the shop
		output  string
	}{
		"in place":    {three("2"), values("Name", "a"), []string{"Modify A False Size"}, []string{"~a 2"}, "a"},
		"replacement": {three("1"), values("Name", "z"), []string{"Modify A True Name", "Modify B False Tag?"}, []string{"+z", "~b", "-a"}, "z"},
		"added":       {three("1"), values("Extra", "yes"), []string{"Add X"}, []string{"+x-b"}, "a"},
		"removed": {
			three("1", `"C":{"Type":"Test::Thing","Properties":{"Name":"c","Size":1}},`, ""), nil,
			[]string{"Remove C"},
			[]string{"-c"},
			"a",
		},
		"another name":      {three("1", `"C":{`, `"D":{`), nil, []string{"Add D", "Remove C"}, []string{"+c", "-c"}, "a"},
		"an output":         {three("1", `"Ref":"A"}}}}`, `"Ref":"A"}},"More":{"Value":"m"}}}`), nil, nil, nil, "a"},
		"replaced and kept": {three("1", `"A":{"Type"`, `"A":{"UpdateReplacePolicy":"Retain","Type"`), values("Name", "z"), []string{"Modify A True Name,UpdateReplacePolicy", "Modify B False Tag?"}, []string{"+z", "~b"}, "z"},
	} {
		t.Run(name, func(t *testing.T) {
			made, s, client := world(t)
			create(t, s, client, three("1"), func(in *cloudformation.CreateStackInput) { in.Parameters = nil })
			made.log = nil
			set := propose(t, s, client, c.text, types.ChangeSetTypeUpdate, c.given...)
			if set.Status != types.ChangeSetStatusCreateComplete || set.ExecutionStatus != types.ExecutionStatusAvailable {
				t.Fatalf("change set %s %s: %s", set.Status, set.ExecutionStatus, aws.ToString(set.StatusReason))
			}
			if diff := cmp.Diff(c.changes, shown(set.Changes)); diff != "" {
				t.Errorf("changes (-want +got)\n%s", diff)
			}
			if len(made.log) > 0 {
				t.Errorf("a change set did %v", made.log)
			}
			execute(t, s, client)
			st := describe(t, client)
			if st.StackStatus != types.StackStatusUpdateComplete || outputs(st)["A"] != c.output {
				t.Errorf("stack = %s %v", st.StackStatus, outputs(st))
			}
			if diff := cmp.Diff(c.done, made.log); diff != "" {
				t.Errorf("done (-want +got)\n%s", diff)
			}
			again := propose(t, s, client, c.text, types.ChangeSetTypeUpdate, c.given...)
			if again.Status != types.ChangeSetStatusFailed || !strings.HasPrefix(aws.ToString(again.StatusReason), "The submitted information didn't contain changes.") {
				t.Errorf("the same again: %s %s %v", again.Status, aws.ToString(again.StatusReason), shown(again.Changes))
			}
		})
	}
}

func outputs(st types.Stack) map[string]string {
	out := map[string]string{}
	for _, o := range st.Outputs {
		out[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out
}

func shown(changes []types.Change) []string {
	var out []string
	for _, c := range changes {
		r := c.ResourceChange
		line := fmt.Sprintf("%s %s", r.Action, aws.ToString(r.LogicalResourceId))
		if r.Action == types.ChangeActionModify {
			var names []string
			for _, d := range r.Details {
				name := aws.ToString(d.Target.Name)
				if name == "" {
					name = string(d.Target.Attribute)
				}
				if d.Evaluation == types.EvaluationTypeDynamic {
					name += "?"
				}
				names = append(names, name)
			}
			line += fmt.Sprintf(" %s %s", r.Replacement, strings.Join(names, ","))
		}
		out = append(out, line)
	}
	return out
}

// propose makes the change set "cs" of the stack "st" and waits for it.
func propose(t *testing.T, s *templates.Service, c *cloudformation.Client, text string, kind types.ChangeSetType, given ...types.Parameter) *cloudformation.DescribeChangeSetOutput {
	t.Helper()
	_, _ = c.DeleteChangeSet(t.Context(), &cloudformation.DeleteChangeSetInput{StackName: aws.String("st"), ChangeSetName: aws.String("cs")})
	if _, err := c.CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("st"), ChangeSetName: aws.String("cs"), ChangeSetType: kind, TemplateBody: aws.String(text), Parameters: given,
	}); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	out, err := c.DescribeChangeSet(t.Context(), &cloudformation.DescribeChangeSetInput{StackName: aws.String("st"), ChangeSetName: aws.String("cs")})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func execute(t *testing.T, s *templates.Service, c *cloudformation.Client) {
	t.Helper()
	if _, err := c.ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: aws.String("st"), ChangeSetName: aws.String("cs")}); err != nil {
		t.Fatal(err)
	}
	s.Wait()
}

func TestStackInReview(t *testing.T) {
	made, s, c := world(t)
	set := propose(t, s, c, three("1"), types.ChangeSetTypeCreate)
	if diff := cmp.Diff([]string{"Add A", "Add B", "Add C"}, shown(set.Changes)); diff != "" {
		t.Errorf("changes (-want +got)\n%s", diff)
	}
	if st := describe(t, c); st.StackStatus != types.StackStatusReviewInProgress || len(made.log) > 0 {
		t.Errorf("stack %s, made %v", st.StackStatus, made.log)
	}
	list, err := c.ListChangeSets(t.Context(), &cloudformation.ListChangeSetsInput{StackName: aws.String("st")})
	if err != nil || len(list.Summaries) != 1 || aws.ToString(list.Summaries[0].ChangeSetName) != "cs" {
		t.Errorf("ListChangeSets = %v, %v", list, err)
	}
	if _, err := c.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("st")}); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if _, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("st")}); err == nil {
		t.Error("the stack in review is still there")
	}
	propose(t, s, c, three("1"), types.ChangeSetTypeCreate)
	execute(t, s, c)
	if st := describe(t, c); st.StackStatus != types.StackStatusCreateComplete || len(made.log) != 3 {
		t.Errorf("stack %s, made %v", st.StackStatus, made.log)
	}
}

// What an update did until it failed is undone, in reverse order, and nothing was deleted.
func TestUpdateGoesBack(t *testing.T) {
	made, s, c := world(t)
	create(t, s, c, three("1"), func(in *cloudformation.CreateStackInput) { in.Parameters = nil })
	made.log = nil
	text := three("1", `"Size":1}},
	"X"`, `"Size":2}},
	"D":{"Type":"Test::Thing","Properties":{"Name":"d"}},
	"E":{"Type":"Test::Thing","Properties":{"Name":"e","Fail":true}},
	"X"`)
	propose(t, s, c, text, types.ChangeSetTypeUpdate, values("Name", "z")...)
	execute(t, s, c)
	st := describe(t, c)
	if st.StackStatus != types.StackStatusUpdateRollbackComplete || outputs(st)["A"] != "a" {
		t.Errorf("stack = %s %v", st.StackStatus, outputs(st))
	}
	want := []string{"+z", "~b", "~c 2", "+d", "~c 1", "~b", "-d", "-z"}
	if diff := cmp.Diff(want, made.log); diff != "" {
		t.Errorf("done (-want +got)\n%s", diff)
	}
	var statuses []string
	events, err := c.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("st")})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(events.StackEvents) {
		if aws.ToString(e.ResourceType) == "AWS::CloudFormation::Stack" {
			statuses = append(statuses, string(e.ResourceStatus))
		}
	}
	if diff := cmp.Diff([]string{
		"CREATE_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS",
		"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE",
	}, statuses); diff != "" {
		t.Errorf("statuses (-want +got)\n%s", diff)
	}
	// The stack is as before, and can be changed.
	made.log = nil
	propose(t, s, c, three("2"), types.ChangeSetTypeUpdate)
	execute(t, s, c)
	if st := describe(t, c); st.StackStatus != types.StackStatusUpdateComplete || !slices.Equal(made.log, []string{"~a 2"}) {
		t.Errorf("stack %s, done %v", st.StackStatus, made.log)
	}
}

func TestUpdateStack(t *testing.T) {
	made, s, c := world(t)
	create(t, s, c, three("1"), func(in *cloudformation.CreateStackInput) {
		in.Parameters = values("Name", "n")
		in.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}
	})
	made.log = nil
	update := func(text string, given ...types.Parameter) error {
		in := &cloudformation.UpdateStackInput{StackName: aws.String("st"), TemplateBody: aws.String(text), Parameters: given, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
		if text == "" {
			in.TemplateBody, in.UsePreviousTemplate = nil, aws.Bool(true)
		}
		_, err := c.UpdateStack(t.Context(), in)
		s.Wait()
		return err
	}
	if err := update("", values("Name", "previous")...); err == nil || !strings.Contains(err.Error(), "No updates are to be performed.") {
		t.Errorf("nothing new: %v", err)
	}
	if err := update(three("3"), values("Name", "previous")...); err != nil || !slices.Equal(made.log, []string{"~n 3"}) {
		t.Errorf("%v, done %v", err, made.log)
	}
	if st := describe(t, c); len(st.Tags) != 1 || aws.ToString(st.Tags[0].Value) != "v" || st.StackStatus != types.StackStatusUpdateComplete {
		t.Errorf("stack %s, tags %v", st.StackStatus, st.Tags)
	}
}

func TestRefusedChanges(t *testing.T) {
	input := func(change func(*cloudformation.CreateChangeSetInput)) *cloudformation.CreateChangeSetInput {
		in := &cloudformation.CreateChangeSetInput{
			StackName: aws.String("st"), ChangeSetName: aws.String("cs"), ChangeSetType: types.ChangeSetTypeUpdate, TemplateBody: aws.String(three("2")),
		}
		change(in)
		return in
	}
	for name, c := range map[string]struct {
		change     func(*cloudformation.CreateChangeSetInput)
		code, want string
	}{
		"no such stack":   {func(in *cloudformation.CreateChangeSetInput) { in.StackName = aws.String("other") }, "ValidationError", "Stack [other] does not exist"},
		"stack exists":    {func(in *cloudformation.CreateChangeSetInput) { in.ChangeSetType = types.ChangeSetTypeCreate }, "ValidationError", "already exists and cannot be created again"},
		"bad name":        {func(in *cloudformation.CreateChangeSetInput) { in.ChangeSetName = aws.String("1") }, "ValidationError", "changeSetName"},
		"import":          {func(in *cloudformation.CreateChangeSetInput) { in.ChangeSetType = types.ChangeSetTypeImport }, "NotEmulated", "IMPORT"},
		"a failure's end": {func(in *cloudformation.CreateChangeSetInput) { in.OnStackFailure = types.OnStackFailureDelete }, "NotEmulated", "OnStackFailure"},
		"no previous one": {func(in *cloudformation.CreateChangeSetInput) { in.Parameters = values("Other", "previous") }, "ValidationError", "Cannot specify usePreviousValue"},
		"unknown value":   {func(in *cloudformation.CreateChangeSetInput) { in.Parameters = values("Other", "x") }, "ValidationError", "Parameters: [Other] do not exist"},
		"reserved tag": {func(in *cloudformation.CreateChangeSetInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}
		}, "ValidationError", "aws:x"},
		"broken template": {func(in *cloudformation.CreateChangeSetInput) { in.TemplateBody = aws.String("{}") }, "ValidationError", "At least one Resources"},
		"same name twice": {func(in *cloudformation.CreateChangeSetInput) { in.ChangeSetName = aws.String("there") }, "AlreadyExistsException", "there"},
		"a role to act as": {func(in *cloudformation.CreateChangeSetInput) {
			in.RoleARN = aws.String("arn:aws:iam::111111111111:role/cfn")
		}, "NotEmulated", "RoleARN"},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, client := world(t)
			create(t, s, client, three("1"), func(in *cloudformation.CreateStackInput) { in.Parameters = nil })
			there := input(func(in *cloudformation.CreateChangeSetInput) { in.ChangeSetName = aws.String("there") })
			if _, err := client.CreateChangeSet(t.Context(), there); err != nil {
				t.Fatal(err)
			}
			_, err := client.CreateChangeSet(t.Context(), input(c.change))
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != c.code || !strings.Contains(api.ErrorMessage(), c.want) {
				t.Errorf("err = %v, want %s with %q", err, c.code, c.want)
			}
			s.Wait()
		})
	}
}

func TestChangeSetsThatCannotBeExecuted(t *testing.T) {
	_, s, c := world(t)
	create(t, s, c, three("1"), func(in *cloudformation.CreateStackInput) { in.Parameters = nil })
	set := propose(t, s, c, three("1", `"C":{"Type":"Test::Thing"`, `"C":{"Type":"Test::Else"`), types.ChangeSetTypeUpdate)
	if set.Status != types.ChangeSetStatusFailed || !strings.Contains(aws.ToString(set.StatusReason), "Update of resource type is not permitted") {
		t.Errorf("another type: %s %s", set.Status, aws.ToString(set.StatusReason))
	}
	run := &cloudformation.ExecuteChangeSetInput{StackName: aws.String("st"), ChangeSetName: aws.String("cs")}
	var status *types.InvalidChangeSetStatusException
	if _, err := c.ExecuteChangeSet(t.Context(), run); !errors.As(err, &status) {
		t.Errorf("a failed one: %v", err)
	}
	var missing *types.ChangeSetNotFoundException
	run.ChangeSetName = aws.String("none")
	if _, err := c.ExecuteChangeSet(t.Context(), run); !errors.As(err, &missing) {
		t.Errorf("none: %v", err)
	}
	// Executing one makes the others void.
	propose(t, s, c, three("2"), types.ChangeSetTypeUpdate)
	other := &cloudformation.CreateChangeSetInput{StackName: aws.String("st"), ChangeSetName: aws.String("other"), TemplateBody: aws.String(three("3"))}
	if _, err := c.CreateChangeSet(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	execute(t, s, c)
	run.ChangeSetName = aws.String("other")
	if _, err := c.ExecuteChangeSet(t.Context(), run); !errors.As(err, &missing) {
		t.Errorf("an overtaken one: %v", err)
	}
	run.ChangeSetName = aws.String("cs")
	if _, err := c.ExecuteChangeSet(t.Context(), run); !errors.As(err, &status) {
		t.Errorf("the same twice: %v", err)
	}
}

// A resource that has a name of its own cannot be replaced under it.
func TestCustomNamesStandInTheWay(t *testing.T) {
	made, s, c := world(t)
	create(t, s, c, three("1", `"Name":"c"`, `"Name":"c","Kind":"k"`), func(in *cloudformation.CreateStackInput) { in.Parameters = nil })
	made.log = nil
	propose(t, s, c, three("1", `"Name":"c"`, `"Name":"c","Kind":"l"`), types.ChangeSetTypeUpdate)
	execute(t, s, c)
	st := describe(t, c)
	events, err := c.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: aws.String("st")})
	if err != nil {
		t.Fatal(err)
	}
	said := slices.ContainsFunc(events.StackEvents, func(e types.StackEvent) bool {
		return strings.Contains(aws.ToString(e.ResourceStatusReason), "Rename c and update the stack again.")
	})
	if st.StackStatus != types.StackStatusUpdateRollbackComplete || !said || len(made.log) > 0 {
		t.Errorf("stack %s, done %v, events say why: %v", st.StackStatus, made.log, said)
	}
}

// What another needs stays when that one cannot be deleted; the stack says which it is.
func TestDeletionThatFails(t *testing.T) {
	made, s, c := world(t)
	create(t, s, c, three("1", `"Name":"b"`, `"Name":"b","Stuck":true`), func(in *cloudformation.CreateStackInput) { in.Parameters = nil })
	made.log = nil
	remove := &cloudformation.DeleteStackInput{StackName: aws.String("st")}
	if _, err := c.DeleteStack(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	st := describe(t, c)
	if st.StackStatus != types.StackStatusDeleteFailed || !strings.Contains(aws.ToString(st.StackStatusReason), "failed to delete: [B]") {
		t.Errorf("stack %s: %s", st.StackStatus, aws.ToString(st.StackStatusReason))
	}
	made.unstick()
	if _, err := c.DeleteStack(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if diff := cmp.Diff([]string{"-c", "-b", "-a"}, made.log); diff != "" {
		t.Errorf("removed (-want +got)\n%s", diff)
	}
}
