package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

const indexVersion = 1

type index struct {
	Version  int        `json:"version"`
	Site     string     `json:"site"`
	Verified *Deployed  `json:"verified,omitempty"`
	Pending  []Deployed `json:"pending,omitempty"` // oldest first, and all later than the verified one
	Lost     string     `json:"lost,omitempty"`    // why there is no verified one any more, for people
}

// position is where an attempt is among the pending ones; negative: it is not.
func (x *index) position(attempt string) int {
	return slices.IndexFunc(x.Pending, func(d Deployed) bool { return d.Attempt == attempt })
}

// base is the attempt of the verified release; "" when there is none.
func (x *index) base() string {
	if x.Verified == nil {
		return ""
	}
	return x.Verified.Attempt
}

func indexKey(of string) string { return "history/" + of + "/index.json" }

// index reads a site's index. One that is damaged or another's is as if there were none, and says so: it will
// be replaced.
func (s *State) index(ctx context.Context, of string) (x index, tag string, err error) {
	body, tag, err := s.get(ctx, indexKey(of))
	none := index{Version: indexVersion, Site: of}
	if err != nil || body == nil {
		return none, tag, err
	}
	x, wrong := readIndex(body, of)
	if wrong != nil {
		none.Lost = s.URI(indexKey(of)) + ": " + wrong.Error()
		return none, tag, nil
	}
	return x, tag, nil
}

// readIndex understands an index and says what is wrong with one that is not to be relied on.
func readIndex(body []byte, of string) (index, error) {
	var x index
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(&x)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows it")
		}
	}
	switch {
	case x.Version > indexVersion:
		return index{}, fmt.Errorf("it has format %d, and this unstale knows %d; update unstale", x.Version, indexVersion)
	case err != nil:
		return index{}, fmt.Errorf("it is damaged: %w", err)
	case x.Version != indexVersion:
		return index{}, errors.New("it is damaged: it tells no version")
	case x.Site != of:
		return index{}, fmt.Errorf("it is of %q", x.Site)
	case len(x.Pending) > maxPending:
		return index{}, fmt.Errorf("it is damaged: %d releases are pending", len(x.Pending))
	}
	seen := map[string]bool{"": true}
	for _, d := range x.deployed() {
		if hash, err := hex.DecodeString(d.Manifest); seen[d.Attempt] || err != nil || len(hash) != sumLength && len(hash) != 0 {
			return index{}, fmt.Errorf("it is damaged: attempt %q with manifest %q", d.Attempt, d.Manifest)
		}
		seen[d.Attempt] = true
	}
	return x, nil
}

// deployed lists the verified release and the pending ones.
func (x *index) deployed() []Deployed {
	if x.Verified == nil {
		return x.Pending
	}
	return append([]Deployed{*x.Verified}, x.Pending...)
}

func (s *State) write(ctx context.Context, x index, tag string) error {
	body, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return s.put(ctx, indexKey(x.Site), body, tag, tag == "")
}
