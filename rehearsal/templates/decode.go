package templates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/unstale/unstale/rehearsal/wire"
)

// Decode reads a resource's properties into a struct that names every property known (json tags).
// An unknown property is an error, as is a value of the wrong type. Use Bool and Int for what
// templates may also write as text.
func Decode[T any](typeName string, properties map[string]any) (T, error) {
	var out T
	raw, err := json.Marshal(properties)
	if err != nil {
		return out, wire.Errorf(400, "ValidationError", "%s: read the properties: %v", typeName, err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		text := strings.TrimPrefix(err.Error(), "json: ")
		if name, ok := strings.CutPrefix(text, "unknown field "); ok {
			return out, wire.NotEmulated("the property %s of %s", name, typeName)
		}
		return out, wire.Errorf(400, "ValidationError", "%s: %s", typeName, text)
	}
	return out, nil
}

// Bool is true, false, "true" or "false".
type Bool bool

// UnmarshalJSON reads a Bool.
func (b *Bool) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseBool(strings.Trim(string(data), `"`))
	if err != nil {
		return fmt.Errorf("%s is not true or false", data)
	}
	*b = Bool(v)
	return nil
}

// Int is a whole number, or one written as text.
type Int int64

// UnmarshalJSON reads an Int.
func (i *Int) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a whole number", data)
	}
	*i = Int(v)
	return nil
}
