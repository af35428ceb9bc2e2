package codepipeline

// gate lets one execution at a time into a stage. In SUPERSEDED mode one more may wait; a newer one
// takes its place. Source: User Guide, "How pipeline executions work" (H).
type gate struct {
	holder  *execution
	waiting *execution
	latest  *execution // that was let in: the only one whose stage may be retried
}

// enter lets e into the gate now, or makes it wait for the promise returned. It returns whom e passed.
func (g *gate) enter(e *execution, wait *promise) (in bool, passedBy *execution) {
	if g.holder == nil {
		g.holder, g.latest = e, e
		return true, nil
	}
	if w := g.waiting; w != nil && w.number > e.number {
		return false, e // an older one, retried, comes after a newer one that waits
	}
	passedBy, g.waiting, e.waiting = g.waiting, e, wait
	return false, passedBy
}

// leave frees the gate and lets in whoever waits. The promise is kept by the caller, without locks.
func (g *gate) leave() (next *promise) {
	g.holder = nil
	if e := g.waiting; e != nil {
		g.holder, g.latest, g.waiting = e, e, nil
		next, e.waiting = e.waiting, nil
	}
	return next
}

// forget removes a waiting execution that was stopped or cancelled.
func (g *gate) forget(e *execution) {
	if g.waiting == e {
		g.waiting = nil
	}
}
