package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/accounts"
	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what CloudWatch Logs clients sign with.
const SigningName = "logs"

// handler decodes one operation's parameters, strictly, and carries it out.
type handler func(s *Service, c accounts.Caller, p Place, body []byte) (any, error)

// operations by the name in X-Amz-Target.
var operations = map[string]handler{
	"CreateLogGroup":        with(createLogGroup),
	"DeleteLogGroup":        with(deleteLogGroup),
	"PutRetentionPolicy":    with(putRetention),
	"DeleteRetentionPolicy": with(deleteRetention),
	"DescribeLogGroups":     with(describeGroups),
	"CreateLogStream":       with(createStream),
	"DescribeLogStreams":    with(describeStreams),
	"PutLogEvents":          with(putEvents),
	"GetLogEvents":          with(getEvents),
	"FilterLogEvents":       with(filterEvents),
}

// ServeHTTP speaks AWS JSON 1.1 (X-Amz-Target: Logs_20140328.*).
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")
	op, ok := operations[name]
	if !ok {
		wire.WriteJSONError(w, call.RequestID, wire.NotEmulated("logs:%s", name))
		return
	}
	out, err := op(s, call.Caller, Place{call.Caller.Account, call.Region}, call.Body)
	if err != nil {
		wire.WriteJSONError(w, call.RequestID, err)
		return
	}
	wire.WriteJSON(w, call.RequestID, http.StatusOK, out)
}

func with[T any](f func(*Service, accounts.Caller, Place, T) (any, error)) handler {
	return func(s *Service, c accounts.Caller, p Place, body []byte) (any, error) {
		var in T
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
				return nil, wire.NotEmulated("the CloudWatch Logs parameter %s", field)
			}
			return nil, wire.Errorf(400, "SerializationException", "%v", err)
		}
		return f(s, c, p, in)
	}
}

// millis is a time as CloudWatch Logs writes it: milliseconds since 1970.
type millis int64

func toMillis(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m *millis) time() time.Time {
	if m == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(*m)).UTC()
}

type groupInput struct {
	LogGroupName    string `json:"logGroupName"`
	RetentionInDays int    `json:"retentionInDays"`
}

func createLogGroup(s *Service, c accounts.Caller, p Place, in struct {
	LogGroupName  string `json:"logGroupName"`
	LogGroupClass string `json:"logGroupClass"` // STANDARD is what is made
},
) (any, error) {
	if in.LogGroupClass != "" && in.LogGroupClass != "STANDARD" {
		return nil, wire.NotEmulated("the log group class %s", in.LogGroupClass)
	}
	return nil, s.CreateGroup(c, p, in.LogGroupName)
}

func deleteLogGroup(s *Service, c accounts.Caller, p Place, in groupInput) (any, error) {
	return nil, s.DeleteGroup(c, p, in.LogGroupName)
}

func putRetention(s *Service, c accounts.Caller, p Place, in groupInput) (any, error) {
	if in.RetentionInDays == 0 {
		return nil, invalid("Value 0 at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", retentions)
	}
	return nil, s.SetRetention(c, p, in.LogGroupName, in.RetentionInDays)
}

func deleteRetention(s *Service, c accounts.Caller, p Place, in groupInput) (any, error) {
	return nil, s.SetRetention(c, p, in.LogGroupName, 0)
}

type groupOutput struct {
	LogGroupName      string `json:"logGroupName"`
	ARN               string `json:"arn"`
	LogGroupARN       string `json:"logGroupArn"`
	CreationTime      millis `json:"creationTime"`
	RetentionInDays   int    `json:"retentionInDays,omitempty"`
	StoredBytes       int64  `json:"storedBytes"`
	MetricFilterCount int    `json:"metricFilterCount"`
	LogGroupClass     string `json:"logGroupClass"`
}

func describeGroups(s *Service, c accounts.Caller, p Place, in struct {
	LogGroupNamePrefix string `json:"logGroupNamePrefix"`
	Limit              int    `json:"limit"`
	NextToken          string `json:"nextToken"`
},
) (any, error) {
	groups, err := s.Groups(c, p, in.LogGroupNamePrefix)
	if err != nil {
		return nil, err
	}
	page, next, err := cut(groups, in.NextToken, in.Limit, 50)
	out := []groupOutput{}
	for _, g := range page {
		out = append(out, groupOutput{
			LogGroupName: g.Name, ARN: g.ARN + ":*", LogGroupARN: g.ARN, CreationTime: toMillis(g.Created),
			RetentionInDays: g.Retention, StoredBytes: g.StoredBytes, LogGroupClass: "STANDARD",
		})
	}
	return struct {
		LogGroups []groupOutput `json:"logGroups"`
		NextToken string        `json:"nextToken,omitempty"`
	}{out, next}, err
}

// cut is one page of a list; the token is the index that it starts at.
func cut[T any](all []T, token string, limit, usual int) (page []T, next string, err error) {
	if limit <= 0 {
		limit = usual
	}
	start := 0
	if token != "" {
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(all) {
			return nil, "", invalid("The specified nextToken is invalid.")
		}
	}
	end := min(start+limit, len(all))
	if end < len(all) {
		next = fmt.Sprint(end)
	}
	return all[start:end], next, nil
}
