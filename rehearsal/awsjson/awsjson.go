// Package awsjson serves AWS JSON, which CodeCommit, CodeBuild, CodePipeline and Step Functions speak. It
// reads X-Amz-Target, decodes the body strictly and writes what the operation answers.
package awsjson

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unstale/unstale/rehearsal/front"
	"github.com/unstale/unstale/rehearsal/wire"
)

// Operation answers one verified call. A nil answer is an empty body.
type Operation func(context.Context, front.Call) (any, error)

// Handler is a service: Prefix is its target's first half, e.g. "CodePipeline_20150709".
type Handler struct {
	Prefix     string
	Operations map[string]Operation
}

// ServeHTTP answers the operation that X-Amz-Target names; one that is not served says so.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := front.From(r.Context())
	target := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(target, h.Prefix+".")
	op := h.Operations[name]
	if !ok || op == nil {
		wire.WriteJSONError(w, call.RequestID, wire.NotEmulated("the operation %q", target))
		return
	}
	out, err := op(r.Context(), call)
	if err != nil {
		wire.WriteJSONError(w, call.RequestID, err)
		return
	}
	wire.WriteJSON(w, call.RequestID, http.StatusOK, out)
}

// Op is an operation whose parameters are In. A parameter that In does not name is refused.
func Op[In any](do func(context.Context, front.Call, In) (any, error)) Operation {
	return func(ctx context.Context, call front.Call) (any, error) {
		in, err := Decode[In](call.Body)
		if err != nil {
			return nil, err
		}
		return do(ctx, call, in)
	}
}

// Decode reads a request body; an empty one has no parameters.
func Decode[In any](body []byte) (In, error) {
	var in In
	if len(bytes.TrimSpace(body)) == 0 {
		return in, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		text := strings.TrimPrefix(err.Error(), "json: ")
		if name, ok := strings.CutPrefix(text, "unknown field "); ok {
			return in, wire.NotEmulated("the request parameter %s", name)
		}
		return in, wire.Errorf(http.StatusBadRequest, "SerializationException", "%s", text)
	}
	return in, nil
}

// Time is a timestamp as this protocol writes it: seconds since 1970, with a fraction.
type Time time.Time

// MarshalJSON writes milliseconds' precision, as AWS does.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(t).UnixMilli())/1000, 'f', 3, 64), nil
}
