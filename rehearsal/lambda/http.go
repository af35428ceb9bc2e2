package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// SigningName is what Lambda clients sign with.
const SigningName = "lambda"

// call is one request of the REST-JSON protocol.
type call struct {
	front.Call
	*http.Request
}

func (c call) name() string      { return c.PathValue("name") }
func (c call) qualifier() string { return c.URL.Query().Get("Qualifier") }

// decode reads the body strictly: a parameter that is not known is refused, not skipped.
func (c call) decode(into any) error {
	dec := json.NewDecoder(bytes.NewReader(c.Call.Body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil || errors.Is(err, io.EOF) {
		return nil // several operations take an empty body
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return wire.NotEmulated("the Lambda parameter %s", field)
	}
	return wire.Errorf(400, "InvalidRequestContentException", "Could not parse request body into json: %v", err)
}

// answer is a status and what goes into the body; nil means an empty one.
type answer struct {
	status int
	body   any
}

// operation serves one route. Its result is written as JSON.
type operation func(s *Service, c call) (answer, error)

// routes of the API. Source: the botocore model of Lambda (H).
var routes = map[string]operation{
	"POST /2015-03-31/functions":                              createFunction,
	"GET /2015-03-31/functions":                               listFunctions,
	"GET /2015-03-31/functions/{name}":                        getFunction,
	"DELETE /2015-03-31/functions/{name}":                     deleteFunction,
	"GET /2015-03-31/functions/{name}/configuration":          getConfiguration,
	"PUT /2015-03-31/functions/{name}/configuration":          updateConfiguration,
	"PUT /2015-03-31/functions/{name}/code":                   updateCode,
	"POST /2015-03-31/functions/{name}/versions":              publishVersion,
	"POST /2015-03-31/functions/{name}/aliases":               createAlias,
	"GET /2015-03-31/functions/{name}/aliases/{alias}":        getAlias,
	"PUT /2015-03-31/functions/{name}/aliases/{alias}":        updateAlias,
	"DELETE /2015-03-31/functions/{name}/aliases/{alias}":     deleteAlias,
	"GET /2015-03-31/functions/{name}/policy":                 getPolicy,
	"POST /2015-03-31/functions/{name}/policy":                addPermission,
	"DELETE /2015-03-31/functions/{name}/policy/{statement}":  removePermission,
	"GET /2019-09-25/functions/{name}/event-invoke-config":    getEventConfig,
	"PUT /2019-09-25/functions/{name}/event-invoke-config":    putEventConfig,
	"POST /2019-09-25/functions/{name}/event-invoke-config":   updateEventConfig,
	"DELETE /2019-09-25/functions/{name}/event-invoke-config": deleteEventConfig,
}

// ServeHTTP speaks Lambda's REST-JSON.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Older clients end the collection's path in a slash.
	r.URL.Path = strings.TrimSuffix(r.URL.Path, "/")
	r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
	s.mux.ServeHTTP(w, r)
}

func (s *Service) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", s.serveInvoke)
	for pattern, op := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c := call{front.From(r.Context()), r}
			out, err := op(s, c)
			if err != nil {
				wire.WriteJSONError(w, c.RequestID, err)
				return
			}
			wire.WriteJSON(w, c.RequestID, out.status, out.body)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		wire.WriteJSONError(w, front.From(r.Context()).RequestID, wire.NotEmulated("the Lambda operation %s %s", r.Method, r.URL.Path))
	})
	return mux
}

func (s *Service) serveInvoke(w http.ResponseWriter, r *http.Request) {
	c := call{front.From(r.Context()), r}
	in, err := c.invokeInput()
	var out InvokeOutput
	if err == nil {
		out, err = s.Invoke(r.Context(), c.Caller, in)
	}
	if err != nil {
		wire.WriteJSONError(w, c.RequestID, err)
		return
	}
	h := w.Header()
	h.Set("X-Amzn-Requestid", out.RequestID)
	h.Set("Content-Type", "application/json")
	if out.ExecutedVersion != "" {
		h.Set("X-Amz-Executed-Version", out.ExecutedVersion)
	}
	if out.FunctionError != "" {
		h.Set("X-Amz-Function-Error", out.FunctionError)
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" && out.Status == http.StatusOK {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(out.LogTail)))
	}
	w.WriteHeader(out.Status)
	if out.Status == http.StatusOK {
		_, _ = w.Write(out.Payload)
	}
}

func (c call) invokeInput() (InvokeInput, error) {
	in := InvokeInput{
		Region: c.Region, Function: c.name(), Qualifier: c.qualifier(), Type: c.Header.Get("X-Amz-Invocation-Type"),
		Payload: c.Call.Body, RequestID: c.RequestID,
	}
	if t := c.Header.Get("X-Amz-Log-Type"); t != "" && t != "None" && t != "Tail" {
		return in, wire.Errorf(400, "ValidationException",
			"1 validation error detected: Value '%s' at 'logType' failed to satisfy constraint: Member must satisfy enum value set: [None, Tail]", t)
	}
	if e := c.Header.Get("X-Amz-Client-Context"); e != "" {
		text, err := base64.StdEncoding.DecodeString(e)
		if err != nil || !json.Valid(text) {
			return in, wire.Errorf(400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
		}
		in.ClientContext = string(text)
	}
	return in, nil
}

// onePage refuses what has no meaning for a list that is always answered whole.
func (c call) onePage() error {
	for key := range c.URL.Query() {
		if key != "MaxItems" {
			return wire.NotEmulated("the parameter %s of a Lambda list, which has one page", key)
		}
	}
	return nil
}
