// Package logs is CloudWatch Logs of a rehearsal: the log groups that functions and builds write
// to with their own roles, so that a role that may not write shows an empty group, as on AWS.
package logs

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/clock"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Deps is what the service needs.
type Deps struct {
	Directory *accounts.Directory
	Clock     *clock.Clock
}

// Service answers CloudWatch Logs calls. Make it with New.
type Service struct {
	directory *accounts.Directory
	clock     *clock.Clock

	mu     sync.Mutex
	groups map[groupKey]*group
}

// New makes the service with no log group.
func New(d Deps) *Service {
	return &Service{directory: d.Directory, clock: d.Clock, groups: map[groupKey]*group{}}
}

// Place is an account's Region: log groups live in one.
type Place struct{ Account, Region string }

type groupKey struct {
	Place
	name string
}

type group struct {
	name      string
	created   time.Time
	retention int // days; 0: for ever
	streams   map[string]*stream
	seq       int // of the next event
}

// Group is a log group as DescribeLogGroups lists it.
type Group struct {
	Name, ARN   string // ARN without the ":*" that GetAtt Arn and the older field end in
	Created     time.Time
	Retention   int // days; 0: for ever
	StoredBytes int64
}

var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// retentions are the days that PutRetentionPolicy takes. Source: CloudWatch Logs API Reference,
// PutRetentionPolicy (H).
var retentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// GroupARN is a log group's ARN without the trailing ":*".
func GroupARN(p Place, name string) string {
	return "arn:aws:logs:" + p.Region + ":" + p.Account + ":log-group:" + name
}

// authorize decides an action on a stream. For actions on a whole group the stream is empty: AWS's
// denials show the ARN "...:log-group:NAME:log-stream:" for them (M), which is why a grant on the
// ARN without ":*" allows nothing.
func (s *Service) authorize(c accounts.Caller, p Place, action, group, stream string) error {
	return s.directory.Authorize(accounts.Check{
		Caller: c, Action: "logs:" + action, Account: p.Account,
		Resource: GroupARN(p, group) + ":log-stream:" + stream,
	})
}

// CreateGroup makes a log group.
func (s *Service) CreateGroup(c accounts.Caller, p Place, name string) error {
	if err := s.authorize(c, p, "CreateLogGroup", name, ""); err != nil {
		return err
	}
	if !groupName.MatchString(name) {
		return invalid("Value %q at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := groupKey{p, name}
	if s.groups[key] != nil {
		return wire.Errorf(400, "ResourceAlreadyExistsException", "The specified log group already exists")
	}
	s.groups[key] = &group{name: name, created: s.clock.Now(), streams: map[string]*stream{}}
	return nil
}

// DeleteGroup removes a log group with everything in it.
func (s *Service) DeleteGroup(c accounts.Caller, p Place, name string) error {
	if err := s.authorize(c, p, "DeleteLogGroup", name, ""); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.group(p, name); err != nil {
		return err
	}
	delete(s.groups, groupKey{p, name})
	return nil
}

// SetRetention keeps a group's events for so many days; 0 keeps them for ever.
func (s *Service) SetRetention(c accounts.Caller, p Place, name string, days int) error {
	action := "PutRetentionPolicy"
	if days == 0 {
		action = "DeleteRetentionPolicy"
	}
	if err := s.authorize(c, p, action, name, ""); err != nil {
		return err
	}
	if days != 0 && !slices.Contains(retentions, days) {
		return invalid("Value %d at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", days, retentions)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(p, name)
	if err != nil {
		return err
	}
	g.retention = days
	return nil
}

// Groups lists the log groups whose name begins with prefix, by name.
func (s *Service) Groups(c accounts.Caller, p Place, prefix string) ([]Group, error) {
	if err := s.authorize(c, p, "DescribeLogGroups", "", ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Group{}
	for key, g := range s.groups {
		if key.Place != p || !strings.HasPrefix(key.name, prefix) {
			continue
		}
		d := Group{Name: g.name, ARN: GroupARN(p, g.name), Created: g.created, Retention: g.retention}
		for _, st := range g.streams {
			for _, e := range s.kept(g, st) {
				d.StoredBytes += int64(len(e.Message)) + eventOverhead
			}
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// group finds a group. The caller holds mu.
func (s *Service) group(p Place, name string) (*group, error) {
	if g := s.groups[groupKey{p, name}]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterException", format, args...)
}
