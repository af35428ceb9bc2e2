package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Bounds on what is read. The largest document that AWS stores is a key policy of 32 KB; the limit
// leaves room for white space. A valid document nests five deep.
const (
	maxDocument = 64 << 10
	maxDepth    = 8
)

// node is a JSON value: a *members, a []node, a string, a json.Number, a bool, or nil for null.
type node any

// members is a JSON object that remembers the order of its members. encoding/json alone would let
// the last of two equal names win in silence, and a policy must not have two readings.
type members struct {
	names  []string
	values map[string]node
}

func readTree(data []byte) (node, error) {
	switch {
	case len(data) > maxDocument:
		return nil, &ParseError{Problem: fmt.Sprintf("it is %d bytes long", len(data)), Try: fmt.Sprintf("keep it under %d bytes", maxDocument)}
	case !utf8.Valid(data):
		return nil, &ParseError{Problem: "it is not UTF-8 text", Try: "save it as UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	tree, err := readNode(d, 0)
	if err != nil {
		return nil, asParseError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &ParseError{Problem: "something follows the document", Try: "give one JSON object only"}
	}
	return tree, nil
}

func asParseError(err error) error {
	var already *ParseError
	if errors.As(err, &already) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &ParseError{Problem: "it is not JSON: " + err.Error(), Try: "give one JSON object"}
}

func readNode(d *json.Decoder, depth int) (node, error) {
	if depth > maxDepth {
		return nil, &ParseError{Problem: fmt.Sprintf("it nests more than %d deep", maxDepth), Try: "flatten it; no element needs so many levels"}
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return readMembers(d, depth)
	case json.Delim('['):
		return readList(d, depth)
	}
	return token, nil
}

func readMembers(d *json.Decoder, depth int) (node, error) {
	m := &members{values: map[string]node{}}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("read a member name: got %v", token)
		}
		if _, twice := m.values[name]; twice {
			return nil, &ParseError{Element: name, Problem: "it appears twice in one object", Try: "merge the two"}
		}
		value, err := readNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		m.names, m.values[name] = append(m.names, name), value
	}
	_, err := d.Token()
	return m, err
}

func readList(d *json.Decoder, depth int) (node, error) {
	list := []node{}
	for d.More() {
		value, err := readNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.Token()
	return list, err
}

// kind names a node's type in the words of JSON.
func kind(n node) string {
	switch n.(type) {
	case *members:
		return "an object"
	case []node:
		return "a list"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return "null"
}
