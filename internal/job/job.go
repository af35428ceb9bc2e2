// Package job keeps CodePipeline's contract for a Lambda action: whatever happens, the job is
// answered, with success, with a failure and its reason, or with a continuation token. A job that is
// not answered holds its stage for twenty minutes and then fails without a word. The work itself is
// package purge's; this package decodes the job, runs a purge for each target and makes one answer.
package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/release"
	"github.com/unstale/unstale/internal/target"
)

// Artifacts opens a pipeline's artifacts.
type Artifacts interface {
	Artifact(ctx context.Context, bucket, key string) (io.ReaderAt, int64, error)
}

// Config is what a handler works with. Fields without a remark are required.
type Config struct {
	Targets map[string]target.Target // by name
	// Gateway opens the way to a target for the work on a release, which sessions on that way are
	// named after. It is asked in every job and keeps what is dear to make.
	Gateway   func(t target.Target, release string) (purge.Gateway, error)
	Artifacts func(Credentials) Artifacts
	Viewer    purge.Viewer
	State     release.State // nil: nothing is kept between actions, and everything is purged
	Metrics   io.Writer     // gets a line of metrics a target; nil: none are told
	Answerer  Answerer
	Function  string // this function's name or ARN: continuation tokens belong to it
	Log       *slog.Logger
	Secrets   []string // the function's own credentials, which nothing that is said may quote; may be nil

	Schedule purge.Schedule   // the zero value is usable
	Retry    purge.Retry      // likewise
	Now      func() time.Time // nil means time.Now
	Margin   time.Duration    // kept for answering before the deadline; 0 means 3 s
	// Broken, when set, is why this function cannot work. Every job is answered with it: a function
	// that does not start leaves its stage waiting.
	Broken error
}

// defaultMargin is enough for an answer and a few tries of it.
const defaultMargin = 3 * time.Second

// Handler answers jobs. Make it with New. It may be used again and again, as Lambda does.
type Handler struct{ Config }

// New makes a handler.
func New(c Config) *Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Margin == 0 {
		c.Margin = defaultMargin
	}
	return &Handler{c}
}

// Handle takes one event. It returns nil when an answer was accepted or the job is already over, and
// otherwise an error (*EventError or *AnswerError), so that Lambda's own retry tries again.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) error {
	e, err := decodeEvent(raw)
	scrub := newScrubber(e.credentials, h.Secrets...)
	log := scrub.Logger(h.Log)
	if e.id == "" {
		log.Error("no job to answer", "error", err.Error())
		return err
	}
	log = log.With("job", e.id)
	e.parameters = scrub.Text(e.parameters) // what they say travels to other accounts
	a, about := h.decide(ctx, log, e, err)
	return scrub.err(e.id, h.deliver(ctx, log.With(about...), scrub, e.id, a))
}

// decide makes the answer to a job, before the deadline and whatever happens; about is what the log
// says beside it.
func (h *Handler) decide(ctx context.Context, log *slog.Logger, e event, decodeErr error) (a Answer, about []any) {
	switch {
	case decodeErr != nil:
		return h.refuse(log, decodeErr), nil
	case h.Broken != nil:
		return h.refuse(log, &configError{h.Broken}), nil
	}
	ctx, cancel := h.workTime(ctx)
	defer cancel()
	s := newSession(h, log, e)
	done := make(chan Answer, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- h.refuse(log, panicked(log, r))
			}
		}()
		done <- s.work(ctx)
	}()
	select {
	case a = <-done:
		return a, s.about()
	case <-ctx.Done():
	}
	// The work sees the same context and hands over by itself. Something that is deaf to it must not
	// take the answer with it: what is done so far is known.
	select {
	case a = <-done:
		return a, s.about()
	case <-time.After(h.Margin / 3):
		log.Error("work did not stop in time")
		return s.handOver(), s.about()
	}
}

// workTime ends the work a margin before the function does.
func (h *Handler) workTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(h.Margin, left/2))
}

// deliver gives the answer, without credentials.
func (h *Handler) deliver(ctx context.Context, log *slog.Logger, scrub scrubber, id string, a Answer) error {
	err := h.answer(ctx, log, id, scrub.answer(a))
	var refused *AnswerError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case codeTerminal:
		log.Info("job is already over")
		return nil
	case codeInvalid, codeVariables:
		if a.Failure == "" {
			// What was to be said cannot be said. A failure can.
			return h.answer(ctx, log, id, scrub.answer(Answer{
				Failure: JobFailed, External: a.External,
				Message: fmt.Sprintf("CodePipeline refused this answer (%v): %s", err, a.Summary),
			}))
		}
	}
	return err
}

func (h *Handler) answer(ctx context.Context, log *slog.Logger, id string, a Answer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &AnswerError{JobID: id, Err: panicked(log, r)}
		}
	}()
	a = a.fit()
	if err := h.Answerer.Answer(ctx, id, a); err != nil {
		log.Error("answer not accepted", "error", err.Error())
		return err
	}
	switch {
	case a.Failure != "":
		log.Info("answered", "answer", "failure", "type", string(a.Failure), "message", a.Message)
	case a.Token != "":
		log.Info("answered", "answer", "continuation", "summary", a.Summary, "percent", a.Percent)
	default:
		log.Info("answered", "answer", "success", "summary", a.Summary)
	}
	return nil
}

// panicError is a bug that was met.
type panicError struct{ text string }

func (e *panicError) Error() string { return "the function panicked: " + e.text }

// panicked makes an error of what was recovered. The stack goes to the log only.
func panicked(log *slog.Logger, r any) error {
	err := &panicError{fmt.Sprint(r)}
	log.Error("panic", "error", err.text, "stack", string(debug.Stack()))
	return err
}
