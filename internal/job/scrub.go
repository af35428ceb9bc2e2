package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// scrubber takes a job's credentials out of text. Nothing here writes them; but what a library puts
// into an error or a panic is not known, and logs and pipelines are read by many.
type scrubber struct{ replacer *strings.Replacer }

// shortest is the least length of what is taken for a credential: AWS's key IDs have 16 characters
// and more, and replacing short texts would garble others.
const shortest = 12

func newScrubber(c Credentials) scrubber {
	var pairs []string
	for _, secret := range []string{c.token, c.secret, c.keyID} {
		if len(secret) >= shortest {
			pairs = append(pairs, secret, hidden)
		}
	}
	return scrubber{strings.NewReplacer(pairs...)}
}

func (s scrubber) text(t string) string { return s.replacer.Replace(t) }

func (s scrubber) answer(a Answer) Answer {
	a.Message, a.Summary, a.External = s.text(a.Message), s.text(a.Summary), s.text(a.External)
	clean := make(map[string]string, len(a.Variables))
	for name, value := range a.Variables {
		clean[name] = s.text(value)
	}
	a.Variables = clean
	return a
}

// err cleans what Lambda writes to the log of a function that failed.
func (s scrubber) err(id string, err error) error {
	if err == nil || s.text(err.Error()) == err.Error() {
		return err
	}
	return &AnswerError{JobID: id, Err: errors.New(s.text(err.Error()))}
}

// logger wraps a logger so that all it writes is scrubbed.
func (s scrubber) logger(log *slog.Logger) *slog.Logger {
	return slog.New(scrubbing{log.Handler(), s})
}

type scrubbing struct {
	slog.Handler
	scrub scrubber
}

// Handle implements slog.Handler.
func (h scrubbing) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.scrub.text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.scrub.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (h scrubbing) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.scrub.attr(a)
	}
	return scrubbing{h.Handler.WithAttrs(clean), h.scrub}
}

// WithGroup implements slog.Handler.
func (h scrubbing) WithGroup(name string) slog.Handler {
	return scrubbing{h.Handler.WithGroup(name), h.scrub}
}

func (s scrubber) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(s.text(a.Value.String()))
	case slog.KindGroup:
		var clean []slog.Attr
		for _, inner := range a.Value.Group() {
			clean = append(clean, s.attr(inner))
		}
		a.Value = slog.GroupValue(clean...)
	case slog.KindAny:
		if texts, ok := a.Value.Any().([]string); ok {
			clean := make([]string, len(texts))
			for i, text := range texts {
				clean[i] = s.text(text)
			}
			a.Value = slog.AnyValue(clean)
		} else {
			a.Value = slog.StringValue(s.text(fmt.Sprint(a.Value.Any())))
		}
	}
	return a
}
