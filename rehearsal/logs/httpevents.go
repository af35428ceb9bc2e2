package logs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/accounts"
)

type streamInput struct {
	LogGroupName  string `json:"logGroupName"`
	LogStreamName string `json:"logStreamName"`
}

func createStream(s *Service, c accounts.Caller, p Place, in streamInput) (any, error) {
	return nil, s.CreateStream(c, p, in.LogGroupName, in.LogStreamName)
}

type streamOutput struct {
	LogStreamName       string `json:"logStreamName"`
	ARN                 string `json:"arn"`
	CreationTime        millis `json:"creationTime"`
	FirstEventTimestamp millis `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  millis `json:"lastEventTimestamp,omitempty"`
}

func describeStreams(s *Service, c accounts.Caller, p Place, in struct {
	LogGroupName        string `json:"logGroupName"`
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	OrderBy             string `json:"orderBy"`
	Descending          bool   `json:"descending"`
	Limit               int    `json:"limit"`
	NextToken           string `json:"nextToken"`
},
) (any, error) {
	streams, err := s.Streams(c, p, in.LogGroupName, in.LogStreamNamePrefix)
	if err != nil {
		return nil, err
	}
	switch in.OrderBy {
	case "", "LogStreamName":
	case "LastEventTime":
		slices.SortStableFunc(streams, func(a, b Stream) int { return a.Last.Compare(b.Last) })
	default:
		return nil, invalid("Value '%s' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]", in.OrderBy)
	}
	if in.Descending {
		slices.Reverse(streams)
	}
	page, next, err := cut(streams, in.NextToken, in.Limit, 50)
	out := []streamOutput{}
	for _, st := range page {
		out = append(out, streamOutput{
			LogStreamName: st.Name, ARN: st.ARN, CreationTime: toMillis(st.Created),
			FirstEventTimestamp: toMillis(st.First), LastEventTimestamp: toMillis(st.Last),
		})
	}
	return struct {
		LogStreams []streamOutput `json:"logStreams"`
		NextToken  string         `json:"nextToken,omitempty"`
	}{out, next}, err
}

func putEvents(s *Service, c accounts.Caller, p Place, in struct {
	streamInput
	// SequenceToken is accepted and ignored, as AWS does since 2023.
	SequenceToken string `json:"sequenceToken"`
	LogEvents     []struct {
		Timestamp millis `json:"timestamp"`
		Message   string `json:"message"`
	} `json:"logEvents"`
},
) (any, error) {
	var events []Event
	for _, e := range in.LogEvents {
		events = append(events, Event{Time: e.Timestamp.time(), Message: e.Message})
	}
	err := s.Put(c, p, in.LogGroupName, in.LogStreamName, events)
	// AWS still sends a token, which older clients read.
	return map[string]string{"nextSequenceToken": strings.Repeat("0", 56)}, err
}

type eventOutput struct {
	EventID       string `json:"eventId,omitempty"`
	LogStreamName string `json:"logStreamName,omitempty"`
	Timestamp     millis `json:"timestamp"`
	IngestionTime millis `json:"ingestionTime"`
	Message       string `json:"message"`
}

func getEvents(s *Service, c accounts.Caller, p Place, in struct {
	streamInput
	StartTime     *millis `json:"startTime"`
	EndTime       *millis `json:"endTime"`
	Limit         int     `json:"limit"`
	StartFromHead bool    `json:"startFromHead"`
	NextToken     string  `json:"nextToken"`
},
) (any, error) {
	events, err := s.Events(c, p, in.LogGroupName, in.LogStreamName, Span{in.StartTime.time(), in.EndTime.time()})
	if err != nil {
		return nil, err
	}
	start, end, err := window(in.NextToken, in.StartFromHead, len(events), cmp.Or(in.Limit, maxBatch))
	if err != nil {
		return nil, err
	}
	out := []eventOutput{}
	for _, e := range events[start:end] {
		out = append(out, eventOutput{Timestamp: toMillis(e.Time), IngestionTime: toMillis(e.Ingested), Message: e.Message})
	}
	return struct {
		Events   []eventOutput `json:"events"`
		Forward  string        `json:"nextForwardToken"`
		Backward string        `json:"nextBackwardToken"`
	}{out, fmt.Sprintf("f/%056d", end), fmt.Sprintf("b/%056d", start)}, nil
}

// window is where a page of n events begins and ends. A token is "f/" or "b/" and an index; at
// the end of the stream the token stays the same, which is how clients know to stop.
func window(token string, head bool, n, limit int) (start, end int, err error) {
	if token == "" {
		if head {
			return 0, min(limit, n), nil
		}
		return max(0, n-limit), n, nil
	}
	direction, digits, _ := strings.Cut(token, "/")
	at, err := strconv.Atoi(digits)
	if err != nil || at < 0 || at > n || direction != "f" && direction != "b" {
		return 0, 0, invalid("The specified nextToken is invalid.")
	}
	if direction == "b" {
		return max(0, at-limit), at, nil
	}
	return at, min(at+limit, n), nil
}

func filterEvents(s *Service, c accounts.Caller, p Place, in struct {
	LogGroupName        string   `json:"logGroupName"`
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	StartTime           *millis  `json:"startTime"`
	EndTime             *millis  `json:"endTime"`
	FilterPattern       string   `json:"filterPattern"`
	Limit               int      `json:"limit"`
	NextToken           string   `json:"nextToken"`
	// Interleaved is accepted and ignored, as AWS does since 2019.
	Interleaved bool `json:"interleaved"`
},
) (any, error) {
	if in.LogStreamNamePrefix != "" && len(in.LogStreamNames) > 0 {
		return nil, invalid("logStreamNames and logStreamNamePrefix cannot both be given")
	}
	events, err := s.Filter(c, p, in.LogGroupName, Query{
		Span: Span{in.StartTime.time(), in.EndTime.time()}, Streams: in.LogStreamNames,
		Prefix: in.LogStreamNamePrefix, Pattern: in.FilterPattern,
	})
	if err != nil {
		return nil, err
	}
	page, next, err := cut(events, in.NextToken, in.Limit, maxBatch)
	out := []eventOutput{}
	for _, e := range page {
		out = append(out, eventOutput{
			EventID: fmt.Sprintf("%056d", e.seq), LogStreamName: e.Stream,
			Timestamp: toMillis(e.Time), IngestionTime: toMillis(e.Ingested), Message: e.Message,
		})
	}
	if err != nil {
		return nil, err
	}
	return struct {
		Events    []eventOutput    `json:"events"`
		Searched  []map[string]any `json:"searchedLogStreams"` // deprecated; AWS sends it empty
		NextToken string           `json:"nextToken,omitempty"`
	}{out, []map[string]any{}, next}, nil
}
