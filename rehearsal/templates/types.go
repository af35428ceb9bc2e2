// Package templates deploys CloudFormation templates into the rehearsal's accounts, strictly: what
// CloudFormation would refuse is refused, and what the rehearsal does not know (a resource type, a
// property, an attribute, a function) is an error that says so, never skipped.
package templates

import (
	"context"

	"github.com/unstale/unstale/rehearsal/accounts"
)

// Type is a resource type that a service offers to templates.
type Type struct {
	Name string // e.g. "AWS::S3::Bucket"
	// Create makes the resource with the caller's permissions: it goes through the same methods,
	// decisions and journal as an API call. Properties it does not know are errors: use Decode.
	Create func(context.Context, Request) (Resource, error)
	// Update changes it in place; nil means that every property is Fixed.
	Update func(context.Context, Request, Existing) (Resource, error)
	// Fixed lists the properties that only a new resource can have otherwise: "Update requires:
	// Replacement" in the CloudFormation User Guide's reference of the type.
	Fixed []string
	// Named is the property, if any, by which templates name the resource. One whose name stays cannot be
	// replaced, because the new one is made before the old one goes.
	Named string
	// Delete removes it. A resource that is already gone is no error.
	Delete func(context.Context, Existing) error
	// Attributes lists what Fn::GetAtt may ask for. Create returns a value for each.
	Attributes []string
}

// Request is what a template asks a service to make.
type Request struct {
	Caller     accounts.Caller // who deploys
	Account    string
	Region     string
	Stack      string         // stack name, for generated names
	LogicalID  string         // for generated names
	Properties map[string]any // resolved: strings, float64, bool, []any, map[string]any
	// Tags are the stack's own, and those that tell which stack made a resource, in aws:cloudformation:.
	Tags map[string]string
}

// Resource is what a service made.
type Resource struct {
	Ref        string            // what Ref gives; also the physical ID
	Attributes map[string]string // what Fn::GetAtt gives
}

// Existing is a resource made earlier.
type Existing struct {
	Caller     accounts.Caller
	Account    string
	Region     string
	Resource   Resource
	Properties map[string]any
}
