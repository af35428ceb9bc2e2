package lambda

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Settings are what CreateFunction and UpdateFunctionConfiguration have in common. Nil leaves a
// setting as it is. The field names are AWS's.
type Settings struct {
	Runtime          *string
	Role             *string
	Handler          *string
	Description      *string
	Timeout          *int
	MemorySize       *int
	Environment      *Environment
	LoggingConfig    *Logging
	TracingConfig    *Tracing // clients' default, PassThrough, is accepted
	EphemeralStorage *Storage // likewise 512
}

// Limits of a function's settings. Source: Lambda API Reference, CreateFunction; Developer Guide,
// "Lambda quotas" (H).
const (
	minMemory, maxMemory = 128, 10_240
	maxTimeout           = 900
	maxEnvironment       = 4096
	maxDescription       = 256
	theRuntime           = "provided.al2023"
)

// reserved are the variables that a function may not set. Source: Lambda Developer Guide,
// "Defined runtime environment variables" (H).
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

var variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

// apply checks the settings and puts them into c.
func (in Settings) apply(c *Configuration) error {
	set(&c.Role, in.Role)
	set(&c.Handler, in.Handler)
	set(&c.Runtime, in.Runtime)
	set(&c.Description, in.Description)
	set(&c.Timeout, in.Timeout)
	set(&c.MemorySize, in.MemorySize)
	set(&c.TracingConfig, in.TracingConfig)
	set(&c.EphemeralStorage, in.EphemeralStorage)
	if in.Environment != nil {
		c.Environment = nil
		if len(in.Environment.Variables) > 0 {
			c.Environment = &Environment{Variables: maps.Clone(in.Environment.Variables)}
		}
	}
	if in.LoggingConfig != nil {
		c.LoggingConfig = Logging{LogFormat: "Text", LogGroup: "/aws/lambda/" + c.FunctionName}
		if in.LoggingConfig.LogGroup != "" {
			c.LoggingConfig.LogGroup = in.LoggingConfig.LogGroup
		}
		if f := in.LoggingConfig.LogFormat; f != "" && f != "Text" {
			return wire.NotEmulated("the log format %s", f)
		}
	}
	return c.check()
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (c *Configuration) check() error {
	switch {
	case c.Runtime != theRuntime:
		return wire.NotEmulated("the runtime %q: functions are bootstrap binaries for %s", c.Runtime, theRuntime)
	case c.Handler == "":
		return invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	case c.Timeout < 1 || c.Timeout > maxTimeout:
		return outOfRange("timeout", c.Timeout, 1, maxTimeout)
	case c.MemorySize < minMemory || c.MemorySize > maxMemory:
		return outOfRange("memorySize", c.MemorySize, minMemory, maxMemory)
	case len(c.Description) > maxDescription:
		return outOfRange("description", len(c.Description), 0, maxDescription)
	case c.TracingConfig.Mode != "PassThrough":
		return wire.NotEmulated("the tracing mode %s", c.TracingConfig.Mode)
	case c.EphemeralStorage.Size != 512:
		return wire.NotEmulated("ephemeral storage of %d MB: it is 512", c.EphemeralStorage.Size)
	}
	return c.checkEnvironment()
}

func (c *Configuration) checkEnvironment() error {
	if c.Environment == nil {
		return nil
	}
	size, taken := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(c.Environment.Variables)) {
		size += len(name) + len(c.Environment.Variables[name])
		if slices.Contains(reserved, name) {
			taken = append(taken, name)
		} else if !variableName.MatchString(name) {
			return wire.Errorf(400, "ValidationException",
				"1 validation error detected: Value '%s' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+", name)
		}
	}
	if len(taken) > 0 {
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(taken, ", "))
	}
	if size > maxEnvironment {
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %d", size)
	}
	return nil
}

func outOfRange(what string, value, low, high int) error {
	return wire.Errorf(400, "ValidationException",
		"1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value between %d and %d", value, what, low, high)
}

// architecture is this machine in AWS's words.
func architecture() string {
	return map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
}

// checkArchitecture refuses what this machine cannot run. No architecture means x86_64, AWS's default.
func checkArchitecture(wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		wanted = []string{"x86_64"}
	}
	if len(wanted) > 1 || wanted[0] != "x86_64" && wanted[0] != "arm64" {
		return nil, invalid("Value '%v' at 'architectures' failed to satisfy constraint: one of x86_64, arm64", wanted)
	}
	if here := architecture(); wanted[0] != here {
		return nil, wire.NotEmulated("the architecture %s on this machine, which is %s: give Architecture=%s", wanted[0], here, here)
	}
	return wanted, nil
}

const lambdaService = "lambda.amazonaws.com"

// pass decides whether c may hand role to the function, and whether Lambda may then use it. Source
// of "Cross-account": the article's own error; of the last: AWS's answer to an untrusting role (M).
func (s *Service) pass(ctx context.Context, c accounts.Caller, role string, k key) error {
	if !strings.HasPrefix(role, "arn:aws:iam::") || !strings.Contains(role, ":role/") {
		return wire.Errorf(400, "ValidationException",
			"1 validation error detected: Value '%s' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+", role)
	}
	if accounts.AccountOf(role) != k.account {
		return wire.Denied("Cross-account pass role is not allowed.")
	}
	err := s.Directory.Authorize(accounts.Check{
		Caller: c, Action: "iam:PassRole", Resource: role,
		Context: map[string][]string{
			"iam:PassedToService": {lambdaService}, "iam:AssociatedResourceArn": {k.arn("")},
		},
	})
	if err != nil {
		return err
	}
	if _, err := s.assume(ctx, role, k); err != nil {
		e := wire.AsError(invalid("The role defined for the function cannot be assumed by Lambda."))
		e.Cause = err.Error()
		return e
	}
	return nil
}

// assume gets a session of a function's role, as each cold start does.
func (s *Service) assume(ctx context.Context, role string, k key) (accounts.Credentials, error) {
	cred, err := s.Assume(ctx, accounts.ServiceCaller(lambdaService, k.account, k.arn("")), role, k.name)
	if err != nil {
		return accounts.Credentials{}, fmt.Errorf("assume role %s for function %s: %w", role, k.name, err)
	}
	return cred, nil
}
