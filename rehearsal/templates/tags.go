package templates

import (
	"maps"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// systemPrefix begins the tags that only AWS gives and takes. Source: CloudFormation User Guide,
// "CloudFormation resource tagging": "The aws: prefix is reserved for AWS use" (H).
const systemPrefix = "aws:"

// IsSystemTag says whether a tag is one that only AWS gives and takes.
func IsSystemTag(key string) bool { return strings.HasPrefix(strings.ToLower(key), systemPrefix) }

// checkTags refuses tags that CloudFormation does. Source: API Reference, Tag.
func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return invalid("a stack takes 50 tags, not %d", len(tags))
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if len(k) < 1 || len(k) > 128 || len(tags[k]) > 256 || IsSystemTag(k) {
			return invalid("the tag %q: keys have 1 to 128 characters and do not begin with aws:, values have up to 256", k)
		}
	}
	return nil
}

// request is what the stack asks a service to make or change. It hands on the stack's tags, and adds those
// that name the stack and the resource in it. Source: User Guide, "CloudFormation resource tagging" (H; which
// types keep them is theirs, and of those that are emulated only buckets show tags). A change of the stack's
// tags alone, which AWS shows in a change set and hands on to every resource at once (M), reaches a resource
// here with the next change of its properties.
func (st *Stack) request(caller accounts.Caller, id string, properties map[string]any, tags map[string]string) Request {
	all := map[string]string{
		"aws:cloudformation:stack-name": st.Name, "aws:cloudformation:stack-id": st.ID, "aws:cloudformation:logical-id": id,
	}
	maps.Copy(all, tags)
	return Request{
		Caller: caller, Account: st.Account, Region: st.Region, Stack: st.Name, LogicalID: id, Properties: properties, Tags: all,
	}
}
