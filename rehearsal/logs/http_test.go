package logs

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/unstale/unstale/rehearsal/fronttest"
	"github.com/unstale/unstale/rehearsal/templates"
	"github.com/unstale/unstale/rehearsal/wire"
)

func (w *world) post(url, operation, body string) (int, map[string]any) {
	w.t.Helper()
	status, answer := fronttest.Call(w.t, url, w.root, SigningName, "Logs_20140328."+operation, body)
	out := map[string]any{}
	if len(bytes.TrimSpace(answer)) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			w.t.Fatalf("%v in %s", err, answer)
		}
	}
	return status, out
}

func TestWire(t *testing.T) {
	w := newWorld(t)
	url := fronttest.Serve(t, w.dir, w.clock, w.tell, SigningName, w.logs, wire.WriteJSONError)
	steps := []struct{ operation, body, want string }{ // want: part of the answer
		{"CreateLogGroup", `{"logGroupName":"/site"}`, `{}`},
		{"CreateLogGroup", `{"logGroupName":"/site"}`, `"__type":"ResourceAlreadyExistsException"`},
		{"CreateLogGroup", `{"logGroupName":"/t","logGroupClass":"DELIVERY"}`, `"__type":"NotEmulated"`},
		{"CreateLogGroup", `{"logGroupName":"/t","kmsKeyId":"x"}`, `"__type":"NotEmulated"`},
		{"PutRetentionPolicy", `{"logGroupName":"/site","retentionInDays":30}`, `{}`},
		{"PutRetentionPolicy", `{"logGroupName":"/site"}`, `"__type":"InvalidParameterException"`},
		{"CreateLogStream", `{"logGroupName":"/site","logStreamName":"a"}`, `{}`},
		{"PutLogEvents", `{"logGroupName":"/site","logStreamName":"a","logEvents":[{"timestamp":32503680000000,"message":"one"},{"timestamp":32503680000001,"message":"two"}]}`, `"nextSequenceToken"`},
		{"GetLogEvents", `{"logGroupName":"/site","logStreamName":"a","startFromHead":true,"limit":1}`, `"message":"one","timestamp":32503680000000`},
		{"GetLogEvents", `{"logGroupName":"/site","logStreamName":"a","nextToken":"f/1"}`, `"message":"two"`},
		{"GetLogEvents", `{"logGroupName":"/site","logStreamName":"a","nextToken":"f/2"}`, `"events":[]`},
		{"GetLogEvents", `{"logGroupName":"/site","logStreamName":"a","nextToken":"b/1"}`, `"message":"one"`},
		{"GetLogEvents", `{"logGroupName":"/site","logStreamName":"a","limit":1}`, `"message":"two"`},
		{"GetLogEvents", `{"logGroupName":"/site","logStreamName":"a","nextToken":"x"}`, `"__type":"InvalidParameterException"`},
		{"FilterLogEvents", `{"logGroupName":"/site","limit":1}`, `"nextToken":"1"`},
		{"FilterLogEvents", `{"logGroupName":"/site","nextToken":"1"}`, `"logStreamName":"a","message":"two"`},
		{"FilterLogEvents", `{"logGroupName":"/site","nextToken":"9"}`, `"__type":"InvalidParameterException"`},
		{"FilterLogEvents", `{"logGroupName":"/site","startTime":32503680000001}`, `[{"eventId":"00000000000000000000000000000000000000000000000000000002"`},
		{"FilterLogEvents", `{"logGroupName":"/site","logStreamNames":["a"],"logStreamNamePrefix":"a"}`, `"__type":"InvalidParameterException"`},
		{"DescribeLogGroups", `{}`, `"arn":"arn:aws:logs:us-east-1:222222222222:log-group:/site:*"`},
		{"DescribeLogGroups", `{"logGroupNamePrefix":"/x"}`, `"logGroups":[]`},
		{"DescribeLogStreams", `{"logGroupName":"/site","orderBy":"LastEventTime","descending":true}`, `"lastEventTimestamp":32503680000001`},
		{"DescribeLogStreams", `{"logGroupName":"/site","orderBy":"x"}`, `"__type":"InvalidParameterException"`},
		{"DeleteRetentionPolicy", `{"logGroupName":"/site"}`, `{}`},
		{"DeleteLogGroup", `{"logGroupName":"/site"}`, `{}`},
		{"StartQuery", `{}`, `"__type":"NotEmulated"`},
		{"CreateLogGroup", `{"logGroupName":1}`, `"__type":"SerializationException"`},
	}
	for _, step := range steps {
		_, out := w.post(url, step.operation, step.body)
		text, err := json.Marshal(out)
		if err != nil || !strings.Contains(string(text), step.want) {
			t.Errorf("%s %s: %s, want %s", step.operation, step.body, text, step.want)
		}
	}
}

func TestLogGroupResource(t *testing.T) {
	w := newWorld(t)
	kind := w.logs.ResourceTypes()[0]
	request := func(properties map[string]any) templates.Request {
		return templates.Request{Caller: w.root.Caller, Account: account, Region: at.Region, Stack: "delivery", LogicalID: "Log", Properties: properties}
	}
	properties := map[string]any{"LogGroupName": "/site", "RetentionInDays": 30.0}
	made, err := kind.Create(t.Context(), request(properties))
	if err != nil || made.Ref != "/site" || made.Attributes["Arn"] != GroupARN(at, "/site")+":*" {
		t.Fatalf("%+v, %v", made, err)
	}
	existing := templates.Existing{Caller: w.root.Caller, Account: account, Region: at.Region, Resource: made, Properties: properties}
	if _, err := kind.Update(t.Context(), request(map[string]any{"LogGroupName": "/site", "RetentionInDays": "7"}), existing); err != nil {
		t.Error(err)
	}
	groups, err := w.logs.Groups(w.root.Caller, at, "/site")
	if err != nil || len(groups) != 1 || groups[0].Retention != 7 {
		t.Errorf("%+v, %v", groups, err)
	}
	if _, err := kind.Update(t.Context(), request(map[string]any{"LogGroupName": "/other"}), existing); errorCode(err) != "NotEmulated" {
		t.Errorf("renamed: %v", err)
	}
	for range 2 {
		if err := kind.Delete(t.Context(), existing); err != nil {
			t.Error(err)
		}
	}
	generated, err := kind.Create(t.Context(), request(nil))
	if err != nil || !strings.HasPrefix(generated.Ref, "delivery-Log-") {
		t.Errorf("%+v, %v", generated, err)
	}
	for name, p := range map[string]map[string]any{
		"an unknown property": {"KmsKeyId": "x"}, "a bad retention": {"LogGroupName": "/bad", "RetentionInDays": 8.0},
	} {
		if _, err := kind.Create(t.Context(), request(p)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if groups, err := w.logs.Groups(w.root.Caller, at, "/bad"); err != nil || len(groups) != 0 {
		t.Errorf("a failed creation left %+v, %v", groups, err)
	}
}
