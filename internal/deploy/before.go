package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/unstale/unstale/templates"
)

// Unusable is what a parameter names where the account has no such thing, or may not see it.
type Unusable struct {
	Account, Parameter, Value string
	What                      string // "distribution", "bucket"
	Action                    string // that was denied, such as "cloudfront:GetDistribution"; "": there is none
	Err                       error  // of the service, where it was denied
}

func (u *Unusable) Error() string {
	if u.Action == "" {
		return fmt.Sprintf("account %s has no %s %s, which parameter %s names", u.Account, u.What, u.Value, u.Parameter)
	}
	return fmt.Sprintf("account %s may not see the %s %s, which parameter %s names: %s: %v", u.Account, u.What, u.Value, u.Parameter, u.Action, u.Err)
}

func (u *Unusable) Unwrap() error { return u.Err }

// Taken is the name of something that a stack would make, and that is there already without that stack:
// most often because an earlier one was taken away and left it.
type Taken struct {
	Account, Region, Stack string
	LogicalID, Type, Name  string
	Elsewhere              bool // it may be another account's
	// By is another stack of the same name, which another route made and which is likely to have it; "": there is none.
	By string
	// Stays is what would stay and stand in the way if the stacks of By's route were taken away: logical IDs.
	Stays []string

	about string // the description that ours has; "": none
}

func (t *Taken) Error() string {
	whose := "is there already"
	switch {
	case t.By != "":
		whose += ": stack " + t.By + ", of the same name by another route, is in use"
	case t.Elsewhere:
		whose += ", and may be another account's"
	}
	return fmt.Sprintf("account %s: stack %s would make %s, but %s %s %s", t.Account, t.Stack, t.LogicalID, word(t.Type), t.Name, whose)
}

// word is what people call a type of those that stay.
func word(kind string) string {
	switch kind {
	case bucketType:
		return "bucket"
	case repositoryType:
		return "repository"
	case KeyType:
		return "key"
	}
	return kind
}

// before looks at everything that would make a stack fail half way, before the first is made.
func (d *Deployment) before(ctx context.Context, steps []templates.Step) error {
	if err := d.checkParameters(ctx, steps); err != nil {
		return err
	}
	if err := d.checkGiven(ctx); err != nil {
		return err
	}
	for _, step := range steps {
		if err := d.checkFree(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// checkGiven looks for the distributions and the sites' buckets that parameters name. Those of earlier runs
// were looked for then.
func (d *Deployment) checkGiven(ctx context.Context) error {
	served := map[string]string{} // origins' domains, by side of the account
	for _, name := range []string{"ExistingDistributionId", "DistributionArns"} {
		at := d.holder(name)
		for _, value := range listed(d.options.Parameters[name]) {
			origins, err := at.origins(ctx, value[strings.LastIndexByte(value, '/')+1:])
			if err != nil {
				return at.unusable(name, value, "distribution", "cloudfront:GetDistribution", err)
			}
			served[name] = origins
		}
	}
	for _, name := range []string{"ExistingBucketName", "SiteObjectArns"} {
		at := d.holder(name)
		for _, value := range listed(d.options.Parameters[name]) {
			bucket, _, _ := strings.Cut(value[strings.LastIndexByte(value, ':')+1:], "/")
			if strings.ContainsAny(bucket, "*?") {
				continue
			}
			if _, err := at.files.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil && statusOf(err) != http.StatusMovedPermanently {
				return at.unusable(name, value, "bucket", "s3:ListBucket", err)
			}
			origins, known := served["ExistingDistributionId"]
			if known && name == "ExistingBucketName" && !strings.Contains(origins, " "+bucket+".") {
				// It may stand behind an access point or a function's origin.
				d.options.Say(fmt.Sprintf("%s: no origin of distribution %s is called after bucket %s; is it the one that it reads?",
					at.account, d.options.Parameters["ExistingDistributionId"], bucket))
			}
		}
	}
	return nil
}

// holder is the account in which a parameter's thing has to be.
func (d *Deployment) holder(parameter string) *side {
	if at := d.sides[templates.Delivery]; at != nil && strings.HasPrefix(parameter, "Existing") {
		return at
	}
	return d.sides[templates.Pipeline]
}

// listed are the values of a parameter; none, where it is empty.
func listed(value string) []string {
	return slices.DeleteFunc(strings.Split(strings.ReplaceAll(value, " ", ""), ","), func(s string) bool { return s == "" })
}

// origins are the domains of a distribution's origins, each after a blank.
func (d *Deployer) origins(ctx context.Context, id string) (string, error) {
	out, err := d.sites.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	if err != nil {
		return "", err
	}
	text := ""
	if out.Distribution != nil && out.Distribution.DistributionConfig != nil && out.Distribution.DistributionConfig.Origins != nil {
		for _, o := range out.Distribution.DistributionConfig.Origins.Items {
			text += " " + aws.ToString(o.DomainName)
		}
	}
	return text, nil
}

// statusOf is the HTTP status of a failure; 0: nobody answered. A HEAD has no body that would tell more.
func statusOf(err error) int {
	var answered *awshttp.ResponseError
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}

// unusable explains why something cannot be looked at, where the service says so; else the error itself.
func (s *side) unusable(parameter, value, what, action string, err error) error {
	u := &Unusable{Account: s.account, Parameter: parameter, Value: value, What: what}
	var none *types.NoSuchDistribution
	switch status := statusOf(err); {
	case errors.As(err, &none), status == http.StatusNotFound:
		return u
	case status == http.StatusForbidden:
		u.Action, u.Err = action, err
		return u
	}
	return fmt.Errorf("account %s: look for the %s %s, which parameter %s names: %w", s.account, what, value, parameter, err)
}

// checkFree looks whether what a stack is going to make, and what stays when it goes, is there already from
// an earlier one. CloudFormation cannot take it over: it imports by itself only what has a name without
// functions (User Guide, "Import AWS resources into a CloudFormation stack automatically").
func (d *Deployment) checkFree(ctx context.Context, step templates.Step) error {
	at, stack := d.sides[step.Side], d.stackName(step.Template)
	st, err := at.look(ctx, stack)
	if err != nil {
		return fmt.Errorf("account %s: %w", at.account, err)
	}
	if st != nil && st.StackStatus != "DELETE_COMPLETE" && st.StackStatus != "REVIEW_IN_PROGRESS" {
		return nil // what it has is its own
	}
	lasting, err := d.lastingOf(step)
	if err != nil {
		return err
	}
	for _, l := range lasting {
		l.Account, l.Region, l.Stack = at.account, at.region, stack
		switch there, err := at.taken(ctx, &l); {
		case err != nil:
			return fmt.Errorf("account %s: look for %s %s: %w", at.account, word(l.Type), l.Name, err)
		case there:
			if l.By, err = d.otherRoute(ctx, at, step); err == nil && l.By != "" {
				l.Stays, err = d.inTheWay(ctx)
			}
			return cmp.Or(err, error(&l))
		}
	}
	return nil
}

// otherRoute is a stack of this name in the same account that another route made; "" when there is none.
func (d *Deployment) otherRoute(ctx context.Context, at *side, step templates.Step) (string, error) {
	all, err := d.backwards()
	if err != nil {
		return "", err
	}
	for _, other := range all {
		name := d.stackName(other.Template)
		if d.sides[other.Side] != at || other.Template == step.Template || other.Template == BucketTemplate || other.Template == "pipeline-base" {
			continue
		}
		st, err := at.look(ctx, name)
		if err != nil {
			return "", err
		}
		if st != nil && st.StackStatus != "DELETE_COMPLETE" && st.StackStatus != "REVIEW_IN_PROGRESS" && tag(st, nameTag) == d.options.Name {
			return name, nil
		}
	}
	return "", nil
}

// inTheWay lists, by logical ID, what there is with names that the deployment's stacks give, whoever has it
// now: all of it stays when the stacks go.
func (d *Deployment) inTheWay(ctx context.Context) ([]string, error) {
	steps, err := d.steps()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, step := range steps {
		lasting, err := d.lastingOf(step)
		if err != nil {
			return nil, err
		}
		for _, l := range lasting {
			there, err := d.sides[step.Side].taken(ctx, &l)
			if err != nil {
				return nil, fmt.Errorf("look for %s %s: %w", word(l.Type), l.Name, err)
			}
			if there && !l.Elsewhere && !slices.Contains(out, l.LogicalID) {
				out = append(out, l.LogicalID)
			}
		}
	}
	return out, nil
}

// resource is what matters here of one in a template.
type resource struct {
	Type, Condition, DeletionPolicy string
	Properties                      struct{ BucketName, RepositoryName, RepositoryDescription any }
}

func resources(body []byte) (map[string]resource, error) {
	var t struct{ Resources map[string]resource }
	if err := json.Unmarshal(body, &t); err != nil {
		return nil, fmt.Errorf("read the template's resources: %w", err)
	}
	return t.Resources, nil
}

// called is the name that a template gives a bucket or a repository; "" for all else.
func (d *Deployment) called(at *side, r resource) string {
	return cmp.Or(d.evaluated(at, r.Properties.BucketName), d.evaluated(at, r.Properties.RepositoryName))
}

// lasting are the resources with names of their own that a template keeps when its stack goes, as far as
// they are made.
func (d *Deployment) lasting(at *side, body []byte) ([]Taken, error) {
	all, err := resources(body)
	if err != nil {
		return nil, err
	}
	var out []Taken
	for _, id := range slices.Sorted(maps.Keys(all)) {
		r := all[id]
		if !strings.HasPrefix(r.DeletionPolicy, "Retain") || r.Condition == "MakeSite" && d.options.Parameters["ExistingDistributionId"] != "" {
			continue
		}
		if name := d.called(at, r); name != "" {
			out = append(out, Taken{LogicalID: id, Type: r.Type, Name: name, about: d.evaluated(at, r.Properties.RepositoryDescription)})
		}
	}
	return out, nil
}

// evaluated is a text as the templates write it: of the parameter Name, the account and the Region. "": it is
// written otherwise.
func (d *Deployment) evaluated(at *side, property any) string {
	if text, ok := property.(string); ok {
		return text
	}
	call, _ := property.(map[string]any)
	if call["Ref"] == "Name" {
		return d.options.Name
	}
	if join, _ := call["Fn::Join"].([]any); len(join) == 2 {
		separator, _ := join[0].(string)
		list, _ := join[1].([]any)
		var parts []string
		for _, p := range list {
			part := d.evaluated(at, p)
			if part == "" {
				return ""
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, separator)
	}
	sub, _ := call["Fn::Sub"].([]any)
	if len(sub) == 0 {
		return ""
	}
	text, _ := sub[0].(string)
	return strings.NewReplacer("${Name}", d.options.Name, "${AWS::AccountId}", at.account, "${AWS::Region}", at.region).Replace(text)
}

// taken says whether there is a bucket or a repository of a name. Who may not look is not held up by that:
// the stack is made then, or fails.
func (s *side) taken(ctx context.Context, t *Taken) (bool, error) {
	if t.Type == bucketType {
		_, err := s.files.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &t.Name})
		switch status := statusOf(err); {
		case err == nil:
			return true, nil
		case status == http.StatusNotFound:
			return false, nil
		case status == http.StatusForbidden, status == http.StatusMovedPermanently:
			t.Elsewhere = true // S3 also answers so to whom it is denied, but only of buckets that there are
			return true, nil
		}
		return false, err
	}
	var out struct{}
	err := s.repositories("GetRepository").Call(ctx, s.cfg, s.region, map[string]string{"repositoryName": t.Name}, &out)
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil, err
}
