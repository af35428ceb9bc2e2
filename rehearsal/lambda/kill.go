package lambda

// Kill ends every process of a function, by its name in any account, with SIGKILL: what a machine
// that dies does to it. Invocations under way end as AWS tells of a lost process.
func (s *Service) Kill(function string) {
	s.pool.mu.Lock()
	var found []*sandbox
	for b := range s.pool.boxes {
		if b.version.FunctionName == function {
			found = append(found, b)
		}
	}
	s.pool.mu.Unlock()
	for _, b := range found {
		b.kill()
	}
	for _, b := range found {
		<-b.dead
	}
}
