package templates_test

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/rehearsal/templates"
)

// Whatever a stack makes or changes is told which stack it is of, and the stack's own tags: the new ones, and
// the former when the change is taken back.
func TestTagsOfWhatIsMade(t *testing.T) {
	made, s, c := world(t)
	kind := made.kind()
	kind.Name = "Test::Tagged"
	makes, changes := kind.Create, kind.Update
	var seen []map[string]string
	kind.Create = func(ctx context.Context, r templates.Request) (templates.Resource, error) {
		seen = append(seen, r.Tags)
		return makes(ctx, r)
	}
	kind.Update = func(ctx context.Context, r templates.Request, e templates.Existing) (templates.Resource, error) {
		seen = append(seen, r.Tags)
		return changes(ctx, r, e)
	}
	s.Register(kind)
	text := func(size, more string) *string {
		return aws.String(`{"Resources":{"A":{"Type":"Test::Tagged","Properties":{"Name":"a","Size":"` + size + `"}}` + more + `}}`)
	}
	tag := func(value string) []types.Tag { return []types.Tag{{Key: aws.String("k"), Value: &value}} }
	st, err := c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("st"), TemplateBody: text("1", ""), Tags: tag("1")})
	if err != nil {
		t.Fatal(err)
	}
	s.Wait()
	for _, in := range []*cloudformation.UpdateStackInput{
		{StackName: aws.String("st"), TemplateBody: text("2", ""), Tags: tag("2")},
		{StackName: aws.String("st"), TemplateBody: text("3", `,"B":{"Type":"Test::Thing","DependsOn":"A","Properties":{"Name":"b","Fail":true}}`), Tags: tag("3")},
	} {
		if _, err := c.UpdateStack(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		s.Wait()
	}
	var want []map[string]string
	for _, value := range []string{"1", "2", "3", "2"} {
		want = append(want, map[string]string{
			"aws:cloudformation:stack-name": "st", "aws:cloudformation:stack-id": aws.ToString(st.StackId), "aws:cloudformation:logical-id": "A", "k": value,
		})
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("tags (-want +got)\n%s", diff)
	}
	if got := describe(t, c); !slices.ContainsFunc(got.Tags, func(t types.Tag) bool { return aws.ToString(t.Value) == "2" }) || len(got.Tags) != 1 {
		t.Errorf("the stack's own tags: %v", got.Tags)
	}
	for key, system := range map[string]bool{"aws:cloudformation:stack-name": true, "AWS:x": true, "aws": false, "team": false} {
		if templates.IsSystemTag(key) != system {
			t.Errorf("%s is one of AWS's: %t", key, !system)
		}
	}
}
