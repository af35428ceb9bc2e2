// Package scrub takes credentials out of text. Nothing of ours writes them; but what a library, a
// panic or an error of AWS quotes is not known (a refused signature is answered with the canonical
// request, session token and all), and logs and pipelines are read by many.
package scrub

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Hidden stands where a credential stood.
const Hidden = "[credentials]"

// shortest is the least length of what is taken for a credential: AWS's key IDs have 16 characters
// and more, and replacing short texts would garble others.
const shortest = 12

// Scrubber knows what to take out. Its zero value takes out nothing.
type Scrubber struct{ replacer *strings.Replacer }

// New makes a scrubber of credentials: key IDs, secret keys, session tokens. Of two that begin alike
// the first given wins. Those of fewer than 12 characters are left alone.
func New(secrets ...string) Scrubber {
	var pairs []string
	for _, secret := range secrets {
		if len(secret) >= shortest {
			pairs = append(pairs, secret, Hidden)
		}
	}
	return Scrubber{strings.NewReplacer(pairs...)}
}

// Text is t without the credentials.
func (s Scrubber) Text(t string) string {
	if s.replacer == nil {
		return t
	}
	return s.replacer.Replace(t)
}

// Logger wraps a logger so that all it writes is scrubbed.
func (s Scrubber) Logger(log *slog.Logger) *slog.Logger {
	return slog.New(scrubbing{log.Handler(), s})
}

type scrubbing struct {
	slog.Handler
	scrub Scrubber
}

// Handle implements slog.Handler.
func (h scrubbing) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.scrub.Text(r.Message), r.PC)
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

func (s Scrubber) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(s.Text(a.Value.String()))
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
				clean[i] = s.Text(text)
			}
			a.Value = slog.AnyValue(clean)
		} else {
			a.Value = slog.StringValue(s.Text(fmt.Sprint(a.Value.Any())))
		}
	}
	return a
}
