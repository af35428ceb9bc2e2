package states

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/sts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// operation is one action of the AWS SDK integration with CloudFront.
type operation func(context.Context, Distributions, accounts.Caller, any) (any, error)

// operations by the name that a task's resource ends with. They are read only.
var operations = map[string]operation{
	"createInvalidation": createInvalidation,
	"getInvalidation":    getInvalidation,
}

// ErrNoAnswer is what Distributions answer when the call's answer was lost. Tasks see the SDK's error
// (L).
var ErrNoAnswer = errors.New("the connection was closed before an answer came")

func notEmulatedTask(resource string) error {
	return wire.NotEmulated("the task resource %q; it knows aws-sdk:cloudfront:createInvalidation and getInvalidation", resource)
}

// createInvalidation takes and answers the API's names in PascalCase, as SDK integrations do (H).
func createInvalidation(ctx context.Context, d Distributions, c accounts.Caller, parameters any) (any, error) {
	in, err := arguments[struct {
		DistributionId    string
		InvalidationBatch struct {
			CallerReference string
			Paths           struct {
				Quantity int
				Items    []string
			}
		}
	}](parameters)
	if err != nil {
		return nil, err
	}
	paths := in.InvalidationBatch.Paths
	if paths.Quantity != len(paths.Items) {
		return nil, named(wire.Errorf(400, "InconsistentQuantities", "The value of Quantity and the size of Items do not match."))
	}
	inv, _, err := d.CreateInvalidation(ctx, c, in.DistributionId, paths.Items, in.InvalidationBatch.CallerReference)
	if err != nil {
		return nil, named(err)
	}
	return map[string]any{
		"Invalidation": describe(inv),
		"Location":     "https://cloudfront.amazonaws.com/2020-05-31/distribution/" + inv.Distribution + "/invalidation/" + inv.ID,
	}, nil
}

func getInvalidation(ctx context.Context, d Distributions, c accounts.Caller, parameters any) (any, error) {
	in, err := arguments[struct{ DistributionId, Id string }](parameters)
	if err != nil {
		return nil, err
	}
	inv, err := d.GetInvalidation(ctx, c, in.DistributionId, in.Id)
	if err != nil {
		return nil, named(err)
	}
	return map[string]any{"Invalidation": describe(inv)}, nil
}

func describe(inv cloudfront.Invalidation) map[string]any {
	items := []any{}
	for _, item := range inv.Items {
		items = append(items, item)
	}
	return map[string]any{
		"Id": inv.ID, "Status": inv.Status, "CreateTime": inv.Created.UTC().Format(time.RFC3339Nano),
		"InvalidationBatch": map[string]any{
			"CallerReference": inv.Reference,
			"Paths":           map[string]any{"Quantity": json.Number(strconv.Itoa(len(items))), "Items": items},
		},
	}
}

// arguments reads a task's parameters; one that is unknown or of another type fails the execution.
func arguments[T any](parameters any) (T, error) {
	var out T
	dec := json.NewDecoder(bytes.NewReader([]byte(encode(parameters))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		return out, fail(runtimeFail, "The parameters %s could not be used to start the task: %v", encode(parameters), err)
	}
	return out, nil
}

// modelled are the errors of the two operations that CloudFront's model names (H: botocore). What it does
// not name, such as Throttling and ServiceUnavailable, comes as the client's base error.
var modelled = []string{
	"AccessDenied", "BatchTooLarge", "InconsistentQuantities", "InvalidArgument", "MissingBody", "NoSuchDistribution", "NoSuchInvalidation",
	"TooManyInvalidationsInProgress",
}

// named is CloudFront's error as Step Functions names it: always with the suffix Exception (H:
// Developer Guide, "AWS SDK integrations"), and the base error for the others (M: public state machines
// retry on it). The end of the cause is that of the AWS SDK for Java (M).
func named(err error) error {
	if errors.Is(err, ErrNoAnswer) {
		return fail("CloudFront.SdkClientException", "Unable to execute HTTP request: %v (SDK Attempt Count: 1)", err)
	}
	e := wire.AsError(err)
	if e.Code == "NotEmulated" {
		return fail(runtimeFail, "%s", e.Message)
	}
	name := "CloudFront.CloudFrontException"
	if slices.Contains(modelled, e.Code) {
		name = "CloudFront." + e.Code + "Exception"
	}
	return fail(name, "%s (Service: CloudFront, Status Code: %d, Request ID: %s)", e.Message, e.HTTPStatus(), random.UUID())
}

// caller is who a task acts as: the machine's role, or with credentials that role's session having
// become another. Step Functions sends the machine's ARN as the external ID, which is what a trust
// policy of another account can ask for (H: Developer Guide, tutorial "Accessing cross-account AWS
// resources").
func (r *run) caller(ctx context.Context, c *credentials) (accounts.Caller, error) {
	own, err := r.service.assumeMachineRole(ctx, r.execution.machine, r.execution.role)
	if err != nil {
		return accounts.Caller{}, fail(taskFailed, "%s", wire.AsError(err).Message)
	}
	if c == nil {
		return own, nil
	}
	cred, err := r.service.Sessions.Assume(ctx, own, sts.Input{
		RoleARN: c.RoleArn, SessionName: sessionName(), ExternalID: r.execution.machine.arn,
	})
	if err != nil {
		// Error and text as public code catches them (M).
		return accounts.Caller{}, fail(taskFailed, "The role %s is not authorized to assume the task state's role, %s.", r.execution.role, c.RoleArn)
	}
	return cred.Caller, nil
}

// assumeMachineRole is states.amazonaws.com becoming a machine's role. The source keys are those that the
// Developer Guide's trust policy against confused deputies asks for (H); the text is AWS's (M).
func (s *Service) assumeMachineRole(ctx context.Context, m *machine, role string) (accounts.Caller, error) {
	cred, err := s.Sessions.Assume(ctx, accounts.ServiceCaller(Principal, m.account, m.arn), sts.Input{RoleARN: role, SessionName: sessionName()})
	if err != nil {
		return accounts.Caller{}, wire.Errorf(400, "AccessDeniedException",
			"Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.")
	}
	return cred.Caller, nil
}

// sessionName is 32 letters, as sessions of machines' roles are named (M).
func sessionName() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(letters[int(c)%len(letters)])
	}
	return out.String()
}
