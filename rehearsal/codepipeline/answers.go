package codepipeline

// JobAnswer is one valid PutJob* call about a job that exists.
type JobAnswer struct {
	Execution, Job string
	Kind           string // one of the constants below
	Accepted       bool   // false: the job was over
	Text           string // the summary, or why it failed
}

// The kinds of answers.
const (
	AnswerSuccess      = "success"
	AnswerFailure      = "failure"
	AnswerContinuation = "continuation"
)

// take gives an answer to whoever waits for it, remembers it, and says whether it was the first. Both
// under the lock: the execution cannot be seen further on than the answer that moved it.
func (s *Service) take(j *job, a answer) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := JobAnswer{
		Execution: j.run.execution.id, Job: j.id, Kind: AnswerSuccess, Text: a.summary,
		Accepted: j.promise.keep(message{what: answered, answer: a}),
	}
	switch {
	case a.failure != nil:
		said.Kind, said.Text = AnswerFailure, a.failure.Message
	case a.token != "":
		said.Kind = AnswerContinuation
	}
	s.answers = append(s.answers, said)
	return said.Accepted
}

// Answers are all that jobs of an execution were answered, in the order they came.
func (s *Service) Answers(execution string) []JobAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []JobAnswer
	for _, a := range s.answers {
		if a.Execution == execution {
			out = append(out, a)
		}
	}
	return out
}
