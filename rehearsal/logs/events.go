package logs

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Limits of PutLogEvents. Source: CloudWatch Logs API Reference, PutLogEvents (H).
const (
	eventOverhead = 26 // bytes counted for an event besides its message
	maxBatchBytes = 1 << 20
	maxBatch      = 10_000
)

// Event is one line of a log.
type Event struct {
	Time     time.Time // rehearsal time, from whoever wrote it
	Ingested time.Time // rehearsal time; filled in by Put
	Stream   string    // filled in by Filter
	Message  string
	seq      int // order of arrival in the group
}

type stream struct {
	name    string
	created time.Time
	events  []Event
}

// Stream is a log stream as DescribeLogStreams lists it. First and Last are zero when it is empty.
type Stream struct {
	Name, ARN            string
	Created, First, Last time.Time
}

var streamName = regexp.MustCompile(`^[^:*]{1,512}$`)

// CreateStream makes a log stream in a group.
func (s *Service) CreateStream(c accounts.Caller, p Place, group, name string) error {
	if err := s.authorize(c, p, "CreateLogStream", group, name); err != nil {
		return err
	}
	if !streamName.MatchString(name) {
		return invalid("Value %q at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(p, group)
	if err != nil {
		return err
	}
	if g.streams[name] != nil {
		return wire.Errorf(400, "ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.streams[name] = &stream{name: name, created: s.clock.Now()}
	return nil
}

// Put appends events, oldest first, to a stream.
func (s *Service) Put(c accounts.Caller, p Place, group, name string, events []Event) error {
	if err := s.authorize(c, p, "PutLogEvents", group, name); err != nil {
		return err
	}
	if err := checkBatch(events); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(p, group)
	if err != nil {
		return err
	}
	st := g.streams[name]
	if st == nil {
		return noSuchStream()
	}
	for _, e := range events {
		g.seq++
		e.seq, e.Ingested, e.Stream = g.seq, s.clock.Now(), name
		st.events = append(st.events, e)
	}
	return nil
}

func checkBatch(events []Event) error {
	if len(events) == 0 || len(events) > maxBatch {
		return invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: 1 to %d events", maxBatch)
	}
	size := 0
	for i, e := range events {
		if e.Message == "" {
			return invalid("1 validation error detected: Value '' at 'logEvents.%d.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1", i+1)
		}
		if i > 0 && e.Time.Before(events[i-1].Time) {
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		size += len(e.Message) + eventOverhead
	}
	if size > maxBatchBytes {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes)
	}
	return nil
}

// Streams lists a group's streams whose name begins with prefix, by name.
func (s *Service) Streams(c accounts.Caller, p Place, group, prefix string) ([]Stream, error) {
	if err := s.authorize(c, p, "DescribeLogStreams", group, ""); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(p, group)
	if err != nil {
		return nil, err
	}
	out := []Stream{}
	for _, st := range g.streams {
		if !strings.HasPrefix(st.name, prefix) {
			continue
		}
		d := Stream{Name: st.name, ARN: GroupARN(p, group) + ":log-stream:" + st.name, Created: st.created}
		if kept := s.kept(g, st); len(kept) > 0 {
			d.First, d.Last = kept[0].Time, kept[len(kept)-1].Time
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Stream) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Span limits events to From <= time < To; a zero time does not limit.
type Span struct{ From, To time.Time }

func (s Span) holds(t time.Time) bool {
	return (s.From.IsZero() || !t.Before(s.From)) && (s.To.IsZero() || t.Before(s.To))
}

// Events is one stream's events, oldest first.
func (s *Service) Events(c accounts.Caller, p Place, group, name string, span Span) ([]Event, error) {
	if err := s.authorize(c, p, "GetLogEvents", group, name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(p, group)
	if err != nil {
		return nil, err
	}
	st := g.streams[name]
	if st == nil {
		return nil, noSuchStream()
	}
	return within(s.kept(g, st), span), nil
}

// Query says which of a group's events are wanted.
type Query struct {
	Span
	Streams []string // none: all
	Prefix  string   // of stream names
	Pattern string   // see newPattern
}

// Filter is the events of a group that a query matches, oldest first.
func (s *Service) Filter(c accounts.Caller, p Place, group string, q Query) ([]Event, error) {
	if err := s.authorize(c, p, "FilterLogEvents", group, ""); err != nil {
		return nil, err
	}
	match, err := newPattern(q.Pattern)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(p, group)
	if err != nil {
		return nil, err
	}
	out := []Event{}
	for name, st := range g.streams {
		if !strings.HasPrefix(name, q.Prefix) || len(q.Streams) > 0 && !slices.Contains(q.Streams, name) {
			continue
		}
		for _, e := range within(s.kept(g, st), q.Span) {
			if match(e.Message) {
				out = append(out, e)
			}
		}
	}
	slices.SortFunc(out, func(a, b Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.seq, b.seq)) })
	return out, nil
}

func within(events []Event, span Span) []Event {
	out := []Event{}
	for _, e := range events {
		if span.holds(e.Time) {
			out = append(out, e)
		}
	}
	return out
}

// kept is what retention has left of a stream, oldest first. The caller holds mu.
func (s *Service) kept(g *group, st *stream) []Event {
	out := slices.Clone(st.events)
	if g.retention > 0 {
		limit := s.clock.Now().AddDate(0, 0, -g.retention)
		out = slices.DeleteFunc(out, func(e Event) bool { return e.Time.Before(limit) })
	}
	slices.SortStableFunc(out, func(a, b Event) int { return a.Time.Compare(b.Time) })
	return out
}

func noSuchStream() error {
	return wire.Errorf(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}
