package viewer

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// sample chooses among changed URLs as they come: those with the least hashes. Whatever their order,
// the same ones are chosen, and no more than a few hundred are held at a time.
type sample struct {
	release string
	drawn   []draw
	limit   uint64 // no hash above it can be chosen any more, once full
	full    bool
	buf     []byte
}

type draw struct {
	hash   uint64
	expect Expectation
}

// hash places a URL, for one release.
func (s *sample) hash(path string) uint64 {
	s.buf = append(append(append(s.buf[:0], s.release...), 0), path...)
	sum := sha256.Sum256(s.buf)
	return binary.BigEndian.Uint64(sum[:])
}

// wants reports whether a URL may be chosen, so that nothing is made of those that cannot.
func (s *sample) wants(path string) bool { return !s.full || s.hash(path) <= s.limit }

func (s *sample) add(expect Expectation) {
	s.drawn = append(s.drawn, draw{s.hash(expect.Path), expect})
	if len(s.drawn) >= 4*most {
		s.cut()
	}
}

// cut keeps the least hashes, each URL once. Where two keys share one, as behind the origins of a
// group, the bytewise first tells what is expected.
func (s *sample) cut() {
	slices.SortFunc(s.drawn, func(a, b draw) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.expect.Path, b.expect.Path), cmp.Compare(a.expect.Key, b.expect.Key))
	})
	s.drawn = slices.CompactFunc(s.drawn, func(a, b draw) bool { return a.expect.Path == b.expect.Path })
	if len(s.drawn) >= most {
		clear(s.drawn[most:])
		s.drawn = s.drawn[:most]
		s.full, s.limit = true, s.drawn[most-1].hash
	}
}

// chosen are the expectations of the sample, sorted by path.
func (s *sample) chosen() []Expectation {
	s.cut()
	all := make([]Expectation, len(s.drawn))
	for i, d := range s.drawn {
		all[i] = d.expect
	}
	slices.SortFunc(all, func(a, b Expectation) int { return cmp.Compare(a.Path, b.Path) })
	return all
}
