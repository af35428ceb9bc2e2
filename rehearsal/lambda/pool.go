package lambda

import (
	"slices"
	"sync"
	"time"

	"github.com/unstale/unstale/rehearsal/wire"
)

// pool keeps the processes of all functions: idle ones are used again for the same version, and
// there are never more than limit at work.
type pool struct {
	spawn func(*version) (*sandbox, error)
	limit int

	mu      sync.Mutex
	closed  bool
	live    int                   // started or about to be
	boxes   map[*sandbox]struct{} // started and not yet over
	idle    []*sandbox            // longest idle first
	retired map[*version]bool
	gone    sync.WaitGroup // one for each process started
}

func newPool(limit int, spawn func(*version) (*sandbox, error)) *pool {
	return &pool{spawn: spawn, limit: limit, boxes: map[*sandbox]struct{}{}, retired: map[*version]bool{}}
}

// acquire gives the process that was last used for v, or a new one. The longest idle process of
// another version makes room.
func (p *pool) acquire(v *version) (*sandbox, error) {
	p.mu.Lock()
	for n := len(p.idle) - 1; n >= 0; n-- {
		b := p.idle[n]
		if b.version != v || b.over() {
			continue
		}
		p.idle = slices.Delete(p.idle, n, n+1)
		if time.Now().After(b.renew) { // its role session ends soon
			b.kill()
			continue
		}
		p.mu.Unlock()
		return b, nil
	}
	switch {
	case p.closed:
		p.mu.Unlock()
		return nil, wire.Errorf(503, "ServiceException", "the rehearsal is closing")
	case p.live >= p.limit && len(p.idle) > 0:
		p.idle[0].kill()
		p.idle = p.idle[1:]
	case p.live >= p.limit:
		p.mu.Unlock()
		return nil, wire.Errorf(429, "TooManyRequestsException", "Rate Exceeded.")
	}
	p.live++
	p.gone.Add(1)
	p.mu.Unlock()

	b, err := p.spawn(v)
	if err != nil {
		p.end(nil)
		return nil, err
	}
	p.mu.Lock()
	p.boxes[b] = struct{}{}
	if p.closed {
		b.kill()
	}
	p.mu.Unlock()
	go func() {
		<-b.dead
		p.end(b)
	}()
	return b, nil
}

// end gives back the place of a process that is over, or that never was.
func (p *pool) end(b *sandbox) {
	p.mu.Lock()
	p.live--
	delete(p.boxes, b)
	p.idle = slices.DeleteFunc(p.idle, func(other *sandbox) bool { return other == b })
	p.mu.Unlock()
	p.gone.Done()
}

// release puts a process that has answered back among the idle ones.
func (p *pool) release(b *sandbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.retired[b.version] {
		b.kill()
		return
	}
	if !b.over() {
		p.idle = append(p.idle, b)
	}
}

// retire ends a version's idle processes now and the busy ones once they have answered.
func (p *pool) retire(v *version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired[v] = true
	for _, b := range p.idle {
		if b.version == v {
			b.kill()
		}
	}
	p.idle = slices.DeleteFunc(p.idle, func(b *sandbox) bool { return b.version == v })
}

// close kills every process and waits until the last one is gone.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for b := range p.boxes {
		b.kill()
	}
	p.mu.Unlock()
	p.gone.Wait()
}
