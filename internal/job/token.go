package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/unstale/unstale/internal/purge"
)

const (
	tokenVersion = 1
	// maxToken is CodePipeline's. Source: API reference, PutJobSuccessResult, continuationToken.
	maxToken = 2048
	// maxTargets is how many a token holds at their longest.
	maxTargets = 6
)

// token is what an action remembers between its jobs.
type token struct {
	attempt  string    // the first job's ID
	started  time.Time // of the first job
	progress []purge.Progress
}

// TokenError says why a continuation token is not gone on from.
type TokenError struct{ Reason string }

func (e *TokenError) Error() string {
	return "go on from continuation token: " + e.Reason + "; retry the stage to begin anew"
}

// tokenBody is the token's JSON, without what guards it.
type tokenBody struct {
	Attempt  string           `json:"a"`
	Started  int64            `json:"t"` // Unix milliseconds
	Progress []purge.Progress `json:"p"` // in the order of the targets' names
}

type sealed struct {
	Version int             `json:"v"`
	Sum     string          `json:"c"`
	Body    json.RawMessage `json:"b"`
}

// binding is what a token belongs to: one function and these targets, in this order.
type binding struct {
	function string
	targets  []string
}

// sum binds a body to its function and targets. It is no signature: whoever may answer the job may
// as well report success. It keeps accidents out: tokens cut short, edited by hand, of another
// function, or from before the action's targets were changed.
func (b binding) sum(body []byte) string {
	h := sha256.New()
	put := func(s string) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(s)))
		_, _ = io.WriteString(h, s)
	}
	put(b.function)
	for _, name := range b.targets {
		put(name)
	}
	put("")
	put(string(body))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// seal writes a token, or fails when it would be longer than CodePipeline takes.
func (b binding) seal(t token) (string, error) {
	body, err := json.Marshal(tokenBody{t.attempt, t.started.UnixMilli(), t.progress})
	if err != nil {
		return "", fmt.Errorf("write continuation token: %w", err)
	}
	text, err := json.Marshal(sealed{tokenVersion, b.sum(body), body})
	if err != nil {
		return "", fmt.Errorf("write continuation token: %w", err)
	}
	if len(text) > maxToken {
		return "", fmt.Errorf("write continuation token: %d characters for %d targets, more than %d; name fewer targets in one action",
			len(text), len(t.progress), maxToken)
	}
	return string(text), nil
}

// open reads a token back. Errors are *TokenError.
func (b binding) open(text string, now time.Time) (token, error) {
	if len(text) > maxToken {
		return token{}, &TokenError{"it is longer than CodePipeline allows"}
	}
	var outer sealed
	if err := strict([]byte(text), &outer); err != nil {
		return token{}, &TokenError{"it is not one of this function's, or was cut short"}
	}
	if outer.Version != tokenVersion {
		return token{}, &TokenError{fmt.Sprintf("it has version %d, this function writes version %d", outer.Version, tokenVersion)}
	}
	if outer.Sum != b.sum(outer.Body) {
		return token{}, &TokenError{"it belongs to another function or to other targets, or was changed"}
	}
	var body tokenBody
	if err := strict(outer.Body, &body); err != nil {
		return token{}, &TokenError{"its content is not understood"}
	}
	t := token{body.Attempt, time.UnixMilli(body.Started).UTC(), body.Progress}
	if t.attempt == "" || len(t.attempt) > maxJobID || body.Started <= 0 || t.started.After(now.Add(time.Hour)) ||
		len(t.progress) != len(b.targets) {
		return token{}, &TokenError{"its content makes no sense"}
	}
	for _, p := range t.progress {
		if !p.Valid() {
			return token{}, &TokenError{"its content makes no sense"}
		}
	}
	return t, nil
}

// strict decodes one JSON value with known fields and nothing behind it.
func strict(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("decode: something follows")
	}
	return nil
}
