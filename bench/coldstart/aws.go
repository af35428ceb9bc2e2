package coldstart

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The calls that the stand-in answers, as Function.Calls spells them.
const (
	InvokeDistribution  = "Invoke distribution"
	InvokeInProgress    = "Invoke inProgress"
	InvokeCreate        = "Invoke create"
	PutJobSuccessResult = "PutJobSuccessResult"
	CreateInvalidation  = "CreateInvalidation"
)

// Distribution is the ID of the one distribution that there is.
const Distribution = "E2EXAMPLE"

// aws answers what the functions under measurement ask: CloudFront, CodePipeline, and Lambda with an
// invalidator behind it that has the article's or our manners. It decides nothing; the rehearsal is
// the place for that.
type aws struct {
	mu    sync.Mutex
	calls []string
	first time.Time // when the first answer was written
}

// reset forgets one run.
func (a *aws) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls, a.first = nil, time.Time{}
}

// record gives the calls since reset, and when the first was answered.
func (a *aws) record() ([]string, time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.calls...), a.first
}

// ServeHTTP implements http.Handler.
func (a *aws) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the process was killed
	}
	call, status, answer := respond(r, body)
	a.mu.Lock()
	a.calls = append(a.calls, call)
	a.mu.Unlock()
	w.Header().Set("Content-Type", contentType(call))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
	a.mu.Lock()
	if a.first.IsZero() {
		a.first = time.Now()
	}
	a.mu.Unlock()
}

func contentType(call string) string {
	switch call {
	case CreateInvalidation:
		return "text/xml"
	case PutJobSuccessResult:
		return "application/x-amz-json-1.1"
	}
	return "application/json"
}

// respond names a call and answers it. A call that is not expected is named by its method and path,
// which no Function.Calls has.
func respond(r *http.Request, body []byte) (call string, status int, answer string) {
	switch target := r.Header.Get("X-Amz-Target"); {
	case target == "CodePipeline_20150709.PutJobSuccessResult":
		return PutJobSuccessResult, http.StatusOK, "{}"
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/invocations"):
		return invoke(body)
	case r.Method == http.MethodPost && r.URL.Path == "/2020-05-31/distribution/"+Distribution+"/invalidation":
		return create(body)
	default:
		return r.Method + " " + r.URL.Path + " " + target, http.StatusNotImplemented, "{}"
	}
}

// created is when an invalidation is created: now, so that nobody takes it for one worth a look.
func created() string { return time.Now().UTC().Format(time.RFC3339) }

func create(body []byte) (call string, status int, answer string) {
	var batch struct {
		Paths     []string `xml:"Paths>Items>Path"`
		Reference string   `xml:"CallerReference"`
	}
	if err := xml.Unmarshal(body, &batch); err != nil || len(batch.Paths) != 1 || batch.Reference == "" {
		return "CreateInvalidation of something else", http.StatusBadRequest, ""
	}
	return CreateInvalidation, http.StatusCreated, fmt.Sprintf(`<?xml version="1.0"?>
<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I1EXAMPLE</Id><Status>InProgress</Status>`+
		`<CreateTime>%s</CreateTime><InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>%s</Path></Items></Paths>`+
		`<CallerReference>%s</CallerReference></InvalidationBatch></Invalidation>`, created(), batch.Paths[0], batch.Reference)
}

func invoke(body []byte) (call string, status int, answer string) {
	var request struct {
		Operation string   `json:"operation"`
		Reference string   `json:"reference"`
		Items     []string `json:"items"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return "Invoke with something else", http.StatusBadRequest, ""
	}
	switch request.Operation {
	case "distribution":
		answer = fmt.Sprintf(`{"id":%q,"account":"222222222222","domain":"d1.cloudfront.net","defaultRootObject":"index.html",`+
			`"enabled":true,"status":"Deployed","etag":"E1"}`, Distribution)
		return InvokeDistribution, http.StatusOK, `{"version":1,"distribution":` + answer + `}`
	case "inProgress":
		return InvokeInProgress, http.StatusOK, `{"version":1,"invalidations":[]}`
	case "create":
		items, _ := json.Marshal(request.Items) // texts always encode
		answer = fmt.Sprintf(`{"id":"I1EXAMPLE","distribution":%q,"reference":%q,"items":%s,"status":"InProgress","created":%q}`,
			Distribution, request.Reference, items, created())
		return InvokeCreate, http.StatusOK, `{"version":1,"invalidation":` + answer + `}`
	}
	return "Invoke " + request.Operation, http.StatusBadRequest, "{}"
}
