package states

import (
	"maps"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/awsjson"
)

type fields = map[string]any

// whole says that an input or output is not cut.
var whole = fields{"truncated": false}

// event is one entry of an execution's history. Source: API Reference, HistoryEvent (H).
type event struct {
	id      int // from 1
	time    time.Time
	kind    string // e.g. "TaskStateEntered"
	key     string // of the details, e.g. "stateEnteredEventDetails"
	details fields
}

// data are the details that GetExecutionHistory leaves out when it is asked not to include data.
var data = []string{"input", "inputDetails", "output", "outputDetails", "parameters"}

func (e event) wire(includeData bool) fields {
	details := maps.Clone(e.details)
	if !includeData {
		for _, key := range data {
			delete(details, key)
		}
	}
	return fields{"id": e.id, "previousEventId": e.id - 1, "timestamp": awsjson.Time(e.time), "type": e.kind, e.key: details}
}

func (s *Service) record(e *execution, kind, key string, details fields) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.history = append(e.history, event{len(e.history) + 1, s.Clock.Now(), kind, key, details})
}

// history is everything that an execution did so far.
func (s *Service) history(c accounts.Caller, arn string) ([]event, error) {
	e, err := s.execution(c, "GetExecutionHistory", arn)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event(nil), e.history...), nil
}
