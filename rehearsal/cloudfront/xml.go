package cloudfront

import (
	"encoding/xml"
	"strconv"
	"time"
)

// namespace is of every answer but errors. Source: the service model, version 2020-05-31 (H).
const namespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/"

// element is a piece of an answer. AWS's answers are mostly fixed shells around few values, which
// are shorter as a tree than as types.
type element struct {
	name, text string
	children   []element
}

func text(name, v string) element         { return element{name: name, text: v} }
func number(name string, v int) element   { return text(name, strconv.Itoa(v)) }
func boolean(name string, v bool) element { return text(name, strconv.FormatBool(v)) }

func seconds(name string, d time.Duration) element {
	return text(name, strconv.FormatInt(int64(d/time.Second), 10))
}

func timestamp(name string, t time.Time) element {
	return text(name, t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

func group(name string, children ...element) element {
	return element{name: name, children: children}
}

// list is a Quantity and, when there are any, Items.
func list(name string, items []element) element {
	e := group(name, number("Quantity", len(items)))
	if len(items) > 0 {
		e.children = append(e.children, group("Items", items...))
	}
	return e
}

// texts are the items of a list of strings.
func texts(name string, values ...string) []element {
	var out []element
	for _, v := range values {
		out = append(out, text(name, v))
	}
	return out
}

// document is an element that is a whole answer.
type document struct{ element }

// MarshalXML writes the element under CloudFront's namespace.
func (d document) MarshalXML(enc *xml.Encoder, _ xml.StartElement) error {
	return d.encode(enc, xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: namespace})
}

func (e element) encode(enc *xml.Encoder, attributes ...xml.Attr) error {
	start := xml.StartElement{Name: xml.Name{Local: e.name}, Attr: attributes}
	if err := enc.EncodeToken(start); err != nil {
		return err
	}
	if e.text != "" {
		if err := enc.EncodeToken(xml.CharData(e.text)); err != nil {
			return err
		}
	}
	for _, child := range e.children {
		if err := child.encode(enc); err != nil {
			return err
		}
	}
	return enc.EncodeToken(start.End())
}
