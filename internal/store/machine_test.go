package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// The model: a bucket, caches that load whatever it serves as soon as it does, and runs of releases that
// deploy, begin, plan, purge and finish in any order, die between any two requests, and come twice.
type model struct {
	memory    *memory
	state     *State
	deletes   bool
	orderly   bool // runs begin in the order in which they deployed
	origin    map[string]byte
	holds     map[string]map[byte]bool // what some cache holds
	runs      []*process
	began     map[string]bool // attempts that recorded themselves
	announced map[string]bool // attempts that were recorded before they were deployed
	purged    map[string]bool // attempts whose invalidation was made; a second one is the same
	deploys   []*process      // one for each attempt
	drawn     int             // releases, deployed or only announced
}

// process is one process of an attempt.
type process struct {
	attempt string
	release map[string]byte
	step    string // "announced", "deployed", "begun", "planned", "purged"; "": it is over
	known   Known
	items   []string // that it purges; "/*" is all
}

func (p *process) String() string { return p.attempt + " " + p.step }

func snapshotOf(contents map[string]byte) site.Snapshot {
	s := site.Snapshot{}
	for _, key := range slices.Sorted(maps.Keys(contents)) {
		s = append(s, site.Object{Key: key, CRC32: uint32(contents[key]), Size: 1})
	}
	return s
}

// keys are all that releases have. A cache that is asked for one that the bucket lacks holds nothing under it: 0.
var keys = []string{"a", "b", "c"}

func (m *model) load() {
	for _, key := range keys {
		content := m.origin[key]
		if m.holds[key] == nil {
			m.holds[key] = map[byte]bool{}
		}
		m.holds[key][content] = true
	}
}

// pick draws a process at a step; nil when there is none.
func (m *model) pick(t *rapid.T, steps ...string) *process {
	var all []*process
	for _, p := range m.runs {
		if slices.Contains(steps, p.step) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(t, "process")
}

// cut lets a process die after some requests, before or after the last one is done.
func (m *model) cut(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "dies") == 0 {
		m.memory.left, m.memory.deaf = rapid.IntRange(0, 8).Draw(t, "requests"), rapid.Bool().Draw(t, "done")
	}
}

func (m *model) heal() { m.memory.left, m.memory.deaf = -1, false }

func (m *model) draw(t *rapid.T) *process {
	p := &process{attempt: fmt.Sprintf("r%d", m.drawn), release: map[string]byte{}}
	m.drawn++
	if len(m.deploys) > 0 && rapid.IntRange(0, 2).Draw(t, "reverts") == 0 {
		p.release = rapid.SampledFrom(m.deploys).Draw(t, "to").release
	} else {
		for _, key := range keys {
			if content := rapid.Byte().Draw(t, key) % 3; content > 0 {
				p.release[key] = content
			}
		}
	}
	return p
}

// announce records a release that is deployed later, if at all.
func (m *model) announce(t *rapid.T) {
	if len(m.announced) == maxPending/2 {
		return
	}
	p := m.draw(t)
	m.cut(t)
	defer m.heal()
	d := Deploy{
		Attempt: "announced " + p.attempt, Release: p.attempt, Snapshot: snapshotOf(p.release), Deletes: m.deletes, Announced: true, At: time.Unix(0, 0),
	}
	if _, err := m.state.Begin(t.Context(), "EDIST", d); err != nil {
		m.mustBeCut(t, err)
		return // its pipeline stops
	}
	m.announced[p.attempt] = true
	p.step = "announced"
	m.runs = append(m.runs, p)
}

func (m *model) deploy(t *rapid.T) {
	p := m.pick(t, "announced")
	if p == nil {
		p = m.draw(t)
		m.runs = append(m.runs, p)
	}
	p.step = "deployed"
	if m.deletes {
		clear(m.origin)
	}
	maps.Copy(m.origin, p.release)
	m.load()
	m.deploys = append(m.deploys, p)
}

// again is another process of an attempt: a retry of Lambda's, or an event that is delivered twice.
func (m *model) again(t *rapid.T) {
	if len(m.deploys) == 0 {
		return
	}
	p := *rapid.SampledFrom(m.deploys).Draw(t, "attempt")
	p.step, p.known, p.items = "deployed", Known{}, nil
	m.runs = append(m.runs, &p)
}

func (m *model) begin(t *rapid.T) {
	p := m.pick(t, "deployed")
	if p == nil || m.orderly && slices.ContainsFunc(m.deploys[:m.number(p)], func(d *process) bool { return !m.began[d.attempt] }) {
		return
	}
	m.cut(t)
	defer m.heal()
	known, err := m.state.Begin(t.Context(), "EDIST", Deploy{Attempt: p.attempt, Release: p.attempt, Snapshot: snapshotOf(p.release), Deletes: m.deletes, At: time.Unix(0, 0)})
	if err != nil {
		m.mustBeCut(t, err)
		return // the process is dead; the attempt may come again
	}
	m.began[p.attempt] = true
	earlier, found, err := m.state.Plan(t.Context(), "EDIST", p.attempt)
	switch {
	case err != nil:
		m.mustBeCut(t, err)
	case found:
		p.step, p.items = "planned", paths(earlier)
	case m.covers(t, p, known) && m.serves(p, known):
		p.step, p.known = "begun", known
	default:
		p.step = "" // the origin gate
	}
}

// number is how many deploys came before.
func (m *model) number(p *process) int {
	return slices.IndexFunc(m.deploys, func(d *process) bool { return d.attempt == p.attempt })
}

func (m *model) mustBeCut(t *rapid.T, err error) {
	if !strings.Contains(err.Error(), errCut.Error()) {
		t.Fatal(err)
	}
}

// covers demands that all that caches may hold is known to who makes a plan, or nothing. What was deployed by a run that has
// not begun yet nobody can know of; that run will.
func (m *model) covers(t *rapid.T, p *process, known Known) bool {
	if len(known.Snapshots) == 0 {
		return true
	}
	for key, contents := range m.holds {
		for content := range contents {
			excused := p.release[key] == content || slices.ContainsFunc(m.deploys, func(d *process) bool {
				return !m.began[d.attempt] && !m.announced[d.attempt] && d.release[key] == content
			})
			told := slices.ContainsFunc(known.Snapshots, func(s site.Snapshot) bool {
				o, found := s.Lookup(key)
				return !found && content == 0 || found && (o.CRC32 == uint32(content) || o.ETag == unlike)
			})
			if !excused && !told {
				t.Fatalf("%s is told %v; caches may hold %d under %s", p, known.Snapshots, content, key)
			}
		}
	}
	return true
}

// serves is the origin gate: the bucket has the release wherever it differs from what is known.
func (m *model) serves(p *process, known Known) bool {
	all := known.Left
	if len(known.Snapshots) == 0 {
		all = append([]site.Snapshot{{}}, all...)
	}
	for _, c := range site.Stale(snapshotOf(p.release), all...) {
		if c.New != nil && m.origin[c.Key] != byte(c.New.CRC32) {
			return false
		}
	}
	return true
}

// plan is what a planner does: it purges what differs, and all where nothing is known.
func (m *model) plan(t *rapid.T) {
	p := m.pick(t, "begun")
	if p == nil {
		return
	}
	items := []invalidation.Item{"/*"}
	if len(p.known.Snapshots) > 0 {
		items = nil
		for row := range site.Join(snapshotOf(p.release), p.known.Snapshots...) {
			if row.New == nil && !m.deletes {
				row.New = row.Any()
			}
			if row.What() != site.Unchanged {
				items = append(items, invalidation.Item("/"+row.Key))
			}
		}
	}
	m.cut(t)
	defer m.heal()
	kept, err := m.state.KeepPlan(t.Context(), "EDIST", p.attempt, p.known, plan.Given(plan.Distribution{ID: "EDIST"}, items, "test"))
	if err != nil {
		m.mustBeCut(t, err)
		p.step = "deployed"
		return
	}
	p.step, p.items = "planned", paths(kept)
}

func paths(p plan.Plan) (all []string) {
	for _, item := range p.Paths() {
		all = append(all, string(item))
	}
	return all
}

func (m *model) purge(t *rapid.T) {
	p := m.pick(t, "planned")
	if p == nil {
		return
	}
	p.step = "purged"
	if m.purged[p.attempt] {
		return
	}
	m.purged[p.attempt] = true
	for key := range m.holds {
		if slices.Contains(p.items, "/*") || slices.Contains(p.items, "/"+key) {
			delete(m.holds, key)
		}
	}
	m.load()
}

func (m *model) finish(t *rapid.T) {
	p := m.pick(t, "purged")
	if p == nil {
		return
	}
	m.cut(t)
	defer m.heal()
	done, err := m.state.Finish(t.Context(), "EDIST", p.attempt)
	if err != nil {
		m.mustBeCut(t, err)
		return
	}
	again, err := m.state.Finish(t.Context(), "EDIST", p.attempt)
	if m.memory.left < 0 && (again != done || err != nil) {
		t.Fatalf("%s finished twice: %v, then %v, %v", p, done, again, err)
	}
	p.step = ""
}

// doubt is what a run does instead of finishing, when viewers got what nothing explains.
func (m *model) doubt(t *rapid.T) {
	p := m.pick(t, "purged")
	if p == nil || rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		return
	}
	m.cut(t)
	defer m.heal()
	if _, err := m.state.Doubt(t.Context(), "EDIST", p.attempt, "doubt"); err != nil {
		m.mustBeCut(t, err)
	}
	p.step = ""
}

// damage loses or breaks an object of the history.
func (m *model) damage(t *rapid.T) {
	var keys []string
	for key := range m.memory.objects {
		if strings.HasPrefix(key, "history/") {
			keys = append(keys, key)
		}
	}
	if !m.deletes || !m.orderly || len(keys) == 0 || rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		return
	}
	slices.Sort(keys)
	key := rapid.SampledFrom(keys).Draw(t, "key")
	if rapid.Bool().Draw(t, "gone") {
		delete(m.memory.objects, key)
	} else {
		m.memory.objects[key] = []byte("damaged")
	}
	if key == indexOf { // who was announced, and not deployed yet, is lost with it
		for _, p := range m.runs {
			if p.step == "announced" {
				m.announced[p.attempt] = false
			}
		}
	}
}

// Whatever runs do to each other, what caches may hold is known, or nothing is.
func TestNothingThatCachesMayHoldIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			memory: newMemory(), deletes: rapid.Bool().Draw(t, "deletes"), orderly: rapid.Bool().Draw(t, "orderly"), origin: map[string]byte{},
			holds: map[string]map[byte]bool{}, began: map[string]bool{}, announced: map[string]bool{}, purged: map[string]bool{},
		}
		m.state = m.memory.state(t, "")
		// What makes a release go on is drawn more often than what begins another.
		acts := []func(*rapid.T){m.deploy, m.announce, m.again, m.doubt, m.damage}
		for range 3 {
			acts = append(acts, m.begin, m.plan, m.purge, m.finish)
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			acts[rapid.IntRange(0, len(acts)-1).Draw(t, "act")](t)
		}
	})
}
