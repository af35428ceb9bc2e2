package edge

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/wire"
)

// rules is what a signed policy allows. Source: Developer Guide, "Create a signed URL using a custom
// policy", "Values that you specify in the policy statement" (H, where nothing else is said).
type rules struct {
	resource string    // may hold wildcards
	before   time.Time // DateLessThan
	after    time.Time // DateGreaterThan; zero: any time
}

// allow judges a request. When exactly a policy begins and ends within its second is L.
func (r *rules) allow(base string, now time.Time) error {
	if !cloudfront.Wildcard(r.resource, base) || !now.Before(r.before) || now.Before(r.after) {
		return denied()
	}
	return nil
}

// parsePolicy reads a custom policy: one statement, with "all punctuation and parameter names exactly as
// specified", so that encoding/json's leniency about case will not do. What it does not name is refused
// (L: AWS does not say).
func parsePolicy(text []byte) (*rules, error) {
	top, err := members(text, "Statement")
	if err != nil {
		return nil, err
	}
	var statements []json.RawMessage
	if json.Unmarshal(top["Statement"], &statements) != nil || len(statements) != 1 {
		return nil, malformed()
	}
	statement, err := members(statements[0], "Resource", "Condition")
	if err != nil {
		return nil, err
	}
	condition, err := members(statement["Condition"], "DateLessThan", "DateGreaterThan", "IpAddress")
	if err != nil {
		return nil, err
	}
	r := &rules{resource: "*"} // without a resource, everything that the key's group guards
	if raw, ok := statement["Resource"]; ok && json.Unmarshal(raw, &r.resource) != nil {
		return nil, malformed()
	}
	if r.before, err = epoch(condition["DateLessThan"]); err != nil {
		return nil, err
	}
	if raw, ok := condition["DateGreaterThan"]; ok {
		if r.after, err = epoch(raw); err != nil {
			return nil, err
		}
	}
	if raw, ok := condition["IpAddress"]; ok {
		return r, checkAddress(raw)
	}
	return r, nil
}

// checkAddress takes the one condition on addresses that every viewer meets. A rehearsal's viewers have
// no addresses of their own, so that any other would be judged wrongly.
func checkAddress(raw []byte) error {
	address, err := members(raw, "AWS:SourceIp")
	if err != nil {
		return err
	}
	var cidr string
	if json.Unmarshal(address["AWS:SourceIp"], &cidr) != nil {
		return malformed()
	}
	if cidr != "0.0.0.0/0" {
		return wire.NotEmulated("the IpAddress %q of a signed policy, since all viewers are on this machine", cidr)
	}
	return nil
}

func epoch(raw []byte) (time.Time, error) {
	date, err := members(raw, "AWS:EpochTime")
	if err != nil {
		return time.Time{}, err
	}
	return parseEpoch(date["AWS:EpochTime"])
}

// parseEpoch reads whole seconds of at most 32 bits, not in quotation marks (H); milliseconds are the
// usual way to miss that, and are answered MalformedPolicy (M: aws-sdk-js issue 2236).
func parseEpoch(raw []byte) (time.Time, error) {
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil || n < 0 || raw[0] == '+' {
		return time.Time{}, malformed()
	}
	return time.Unix(n, 0), nil
}

// members reads an object that has no members but those named.
func members(raw []byte, names ...string) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil, malformed()
	}
	for name := range all {
		if !slices.Contains(names, name) {
			return nil, malformed()
		}
	}
	return all, nil
}
