package iam

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

// operator is one of AWS's condition operators, without its set qualifier and IfExists
// (reference_policies_elements_condition_operators).
type operator struct {
	// compare says whether a request's value satisfies one policy value. For a negated operator it
	// is the comparison that is negated.
	compare func(want pattern, got string) bool
	negated bool
	// strings is true of the String and Arn operators: only these read policy variables.
	strings bool
	// check refuses policy values that could never be compared.
	check func(value string) error
}

// lookupOperator returns the operator of a name. It is a switch over families rather than a table,
// because a package-level map could be written to.
func lookupOperator(name string) (operator, bool) {
	switch name {
	case "StringEquals", "StringNotEquals":
		return operator{compare: equal, strings: true}.as(name)
	case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase":
		return operator{compare: equalFold, strings: true}.as(name)
	case "StringLike", "StringNotLike":
		return operator{compare: like, strings: true}.as(name)
	case "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike":
		// Equals and Like are the same for ARNs: both glob, segment by segment.
		return operator{compare: arnLike, strings: true, check: checkARN}.as(name)
	case "Bool":
		return operator{compare: equalFold, check: checkBool}.as(name)
	case "BinaryEquals":
		return operator{compare: binaryEqual, check: checkBinary}.as(name)
	case "IpAddress", "NotIpAddress":
		return operator{compare: inPrefix, check: checkPrefix}.as(name)
	}
	if family, ordering := strings.CutPrefix(name, "Numeric"); ordering {
		return ordered(family, name, compareNumbers, checkNumber)
	}
	if family, ordering := strings.CutPrefix(name, "Date"); ordering {
		return ordered(family, name, compareDates, checkDate)
	}
	return operator{}, false
}

func (o operator) as(name string) (operator, bool) {
	o.negated = strings.Contains(name, "Not")
	return o, true
}

// ordered builds the operators of a family that has an order. cmp answers like [cmp.Compare], and
// false when either side is not of the family.
func ordered(relation, name string, cmp func(want, got string) (int, bool), check func(string) error) (operator, bool) {
	var holds func(int) bool
	switch relation {
	case "Equals", "NotEquals":
		holds = func(c int) bool { return c == 0 }
	case "LessThan":
		holds = func(c int) bool { return c < 0 }
	case "LessThanEquals":
		holds = func(c int) bool { return c <= 0 }
	case "GreaterThan":
		holds = func(c int) bool { return c > 0 }
	case "GreaterThanEquals":
		holds = func(c int) bool { return c >= 0 }
	default:
		return operator{}, false
	}
	compare := func(want pattern, got string) bool {
		c, ok := cmp(want.text(), got)
		return ok && holds(c)
	}
	return operator{compare: compare, check: check}.as(name)
}

func equal(want pattern, got string) bool     { return want.text() == got }
func equalFold(want pattern, got string) bool { return strings.EqualFold(want.text(), got) }
func like(want pattern, got string) bool      { return want.matches(got, anywhere) }

func arnLike(want pattern, got string) bool {
	return countColons(want) >= 5 && want.matches(got, perSegment)
}

func checkARN(value string) error {
	// A variable may bring the missing parts along.
	if strings.Contains(value, "${") || strings.HasPrefix(value, "arn:") && strings.Count(value, ":") >= 5 {
		return nil
	}
	return errors.New("write all six parts of the ARN (arn:aws:service:region:account:resource, each may be *), or use StringLike")
}

func checkBool(value string) error {
	if strings.EqualFold(value, "true") || strings.EqualFold(value, "false") {
		return nil
	}
	return errors.New(`write "true" or "false"`)
}

func binaryEqual(want pattern, got string) bool {
	a, err := base64.StdEncoding.DecodeString(want.text())
	if err != nil {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(got)
	return err == nil && bytes.Equal(a, b)
}

func checkBinary(value string) error {
	if _, err := base64.StdEncoding.DecodeString(value); err != nil {
		return errors.New("write it in base64, with its padding")
	}
	return nil
}

// inPrefix tests an address against a range. An address without a prefix length is a range of one.
func inPrefix(want pattern, got string) bool {
	prefix, err := parsePrefix(want.text())
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(got)
	return err == nil && prefix.Contains(address.Unmap().WithZone(""))
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	address, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return address.Prefix(address.BitLen())
}

func checkPrefix(value string) error {
	if _, err := parsePrefix(value); err != nil {
		return errors.New("write an address or a range such as 203.0.113.0/24 or 2001:db8::/32")
	}
	return nil
}

func compareNumbers(want, got string) (int, bool) {
	w, errW := parseNumber(want)
	g, errG := parseNumber(got)
	if errW != nil || errG != nil {
		return 0, false
	}
	return g.Cmp(w), true
}

// parseNumber reads a decimal number exactly. Exponents and fractions are refused: they are not
// needed, and 1e999999999 would cost memory.
func parseNumber(s string) (*big.Rat, error) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || len(s) > 64 || strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 {
		return nil, fmt.Errorf("parse number %q: want decimal digits", s)
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("parse number %q: want decimal digits", s)
	}
	return n, nil
}

func checkNumber(value string) error {
	if _, err := parseNumber(value); err != nil {
		return errors.New("write it in decimal digits, without an exponent")
	}
	return nil
}

func compareDates(want, got string) (int, bool) {
	w, errW := parseDate(want)
	g, errG := parseDate(got)
	if errW != nil || errG != nil {
		return 0, false
	}
	return g.Compare(w), true
}

// parseDate reads the W3C profile of ISO 8601, and seconds since 1970.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700",
		"2006-01-02", "2006-01", "2006",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	n, err := parseNumber(s)
	if err != nil || !n.IsInt() || !n.Num().IsInt64() {
		return time.Time{}, fmt.Errorf("parse date %q: want 2006-01-02T15:04:05Z or seconds since 1970", s)
	}
	return time.Unix(n.Num().Int64(), 0), nil
}

func checkDate(value string) error {
	if _, err := parseDate(value); err != nil {
		return errors.New("write a date such as 2026-11-22T08:00:00Z, or seconds since 1970")
	}
	return nil
}
