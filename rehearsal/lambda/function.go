package lambda

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/random"
	"github.com/unstale/unstale/rehearsal/wire"
)

// function is everything under one function name. Its fields are guarded by the service's mu;
// a version never changes once made, an update replaces it.
type function struct {
	key
	latest   *version
	versions map[string]*version // published, by number
	aliases  map[string]*alias
	policies map[string]*policy      // by qualifier; "" is the function's own
	events   map[string]*EventConfig // by qualifier; "$LATEST" for the function's own
}

// version is code with its settings.
type version struct {
	Configuration
	key  key
	code *code
}

// Configuration describes a version as AWS does. State is always Active: the rehearsal has the
// code in place before it answers, so that AWS's Pending is over at once.
type Configuration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string
	Role             string
	Handler          string
	CodeSize         int64
	Description      string
	Timeout          int // seconds
	MemorySize       int // MiB
	LastModified     string
	CodeSha256       string
	Version          string
	Environment      *Environment `json:",omitempty"`
	TracingConfig    Tracing
	RevisionId       string // spelt as on the wire
	State            string
	LastUpdateStatus string
	PackageType      string
	Architectures    []string
	EphemeralStorage Storage
	LoggingConfig    Logging
}

// Environment is a function's own variables.
type Environment struct{ Variables map[string]string }

// Tracing is X-Ray's setting; only PassThrough is known.
type Tracing struct{ Mode string }

// Storage is the size of /tmp in MiB; only 512 is known.
type Storage struct{ Size int }

// Logging says where a function's output goes.
type Logging struct{ LogFormat, LogGroup string }

// alias is a name for a version, with its own policy and its own ARN.
type alias struct {
	name, version, description, revision string
}

// find gives the function or, when there is none, AWS's error. The caller holds mu.
func (s *Service) find(t target) (*function, error) {
	f := s.functions[t.key]
	if f == nil {
		return nil, notFound(t.arn())
	}
	return f, nil
}

// resolve gives the version that a qualifier stands for.
func (f *function) resolve(qualifier string) (*version, error) {
	if a := f.aliases[qualifier]; a != nil {
		qualifier = a.version
	}
	if qualifier == "" || qualifier == latest {
		return f.latest, nil
	}
	if v := f.versions[qualifier]; v != nil {
		return v, nil
	}
	return nil, notFound(f.arn(qualifier))
}

// newest is the version published last, nil when there is none.
func (f *function) newest() *version {
	var out *version
	for _, n := range slices.SortedFunc(maps.Keys(f.versions), byNumber) {
		out = f.versions[n]
	}
	return out
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

// authorize decides an action of the control plane on the function that t names.
func (s *Service) authorize(c accounts.Caller, action string, t target) error {
	return s.Directory.Authorize(accounts.Check{Caller: c, Action: "lambda:" + action, Resource: t.arn()})
}

// revise gives a configuration a new revision, as each change does.
func (s *Service) revise(c *Configuration) {
	c.RevisionId = random.UUID()
	c.LastModified = s.Clock.Now().Format("2006-01-02T15:04:05.000+0000")
}

// checkRevision refuses a change made on top of an older state than the caller thinks.
func checkRevision(wanted, actual string) error {
	if wanted != "" && wanted != actual {
		return wire.Errorf(412, "PreconditionFailedException",
			"The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	}
	return nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
