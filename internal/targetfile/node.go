package targetfile

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// kind is what a value is in YAML.
type kind string

const (
	isText    kind = "a text"
	isNumber  kind = "a number"
	isTruth   kind = "true or false"
	isNothing kind = "nothing"
	isList    kind = "a list"
	isMapping kind = "a mapping"
	isBroken  kind = "" // told already
)

// node is a value of the document, apart from the library's types. What stands behind an alias is the
// same node, never a copy, so that no file grows while it is read.
type node struct {
	place
	kind    kind
	text    string // of text, numbers (as they were written) and truths
	list    []*node
	entries []entry
}

type entry struct {
	place
	key   string
	value *node
}

// converter makes nodes. Anchors become known behind their value, so that no value contains itself.
type converter struct {
	anchors map[string]*node
	report  func(place, string)
}

func (c *converter) node(n ast.Node) *node {
	out := &node{place: at(n.GetToken()), kind: isNothing}
	switch n := n.(type) {
	case *ast.StringNode:
		out.kind, out.text = isText, n.Value
	case *ast.LiteralNode:
		out.kind, out.text = isText, n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = isNumber, n.GetToken().Value
	case *ast.BoolNode:
		out.kind, out.text = isTruth, "false"
		if n.Value {
			out.text = "true"
		}
	case *ast.SequenceNode:
		out.kind = isList
		for _, v := range n.Values {
			out.list = append(out.list, c.node(v))
		}
	case *ast.MappingNode:
		out.kind = isMapping
		if len(n.Values) > 0 && !n.IsFlowStyle {
			out.place = at(n.Values[0].Key.GetToken())
		}
		for _, v := range n.Values {
			c.entry(out, v)
		}
	case *ast.MappingValueNode:
		out.kind, out.place = isMapping, at(n.Key.GetToken())
		c.entry(out, n)
	case *ast.AnchorNode:
		value := c.node(n.Value)
		c.anchors[name(n.Name)] = value
		return value
	case *ast.AliasNode:
		if value, known := c.anchors[name(n.Value)]; known {
			return value
		}
		out.kind = isBroken
		c.report(out.place, "nothing before here has the anchor &"+shorten(name(n.Value)))
	}
	return out
}

func (c *converter) entry(mapping *node, v *ast.MappingValueNode) {
	key := v.Key.GetToken()
	e := entry{place: at(key), key: key.Value}
	switch v.Key.(type) {
	case *ast.StringNode:
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		// A name is what was written: 2024, true.
	default:
		c.report(e.place, "a key is a name, not "+shorten(v.Key.String()))
		return
	}
	e.value = c.node(v.Value)
	if e.value.kind == isNothing {
		e.value.place = e.place // the library has several ideas of where nothing stands
	}
	mapping.entries = append(mapping.entries, e)
}

// name is the name of an anchor or an alias.
func name(n ast.Node) string {
	if t := n.GetToken(); t != nil && t.Type != token.UnknownType {
		return t.Value
	}
	return ""
}
