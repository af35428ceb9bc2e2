package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/internal/store"
	"github.com/unstale/unstale/invalidation"
)

// conclude makes one answer of all targets' verdicts. One that failed fails the job at once, though
// the others have gone as far as they could; all seen is success; anything else is handed over.
func (s *session) conclude(verdicts []purge.Verdict) Answer {
	var failed, lines []string
	var kind FailureType
	done := 0
	for _, v := range verdicts {
		lines = append(lines, v.String())
		switch {
		case achieved(v):
			done++
		case v.Outcome != purge.Unfinished:
			failed = append(failed, describe(v))
			if kind == "" && v.Failure != nil {
				kind = failureType(v.Failure)
			}
		}
	}
	s.mu.Lock()
	progress := append([]purge.Progress(nil), s.token.progress...)
	s.mu.Unlock()
	switch {
	case len(failed) > 0:
		if kind == "" {
			kind = JobFailed
		}
		for i, v := range verdicts {
			if achieved(v) || v.Outcome == purge.Unfinished {
				failed = append(failed, "besides, "+lines[i])
			}
		}
		return Answer{Failure: kind, Message: strings.Join(failed, "\n"), External: externalID(progress)}
	case done < len(verdicts):
		return s.handOver()
	case s.params.Announce:
		return Answer{Summary: strings.Join(lines, "; "), Percent: 100}
	}
	return Answer{
		Summary: strings.Join(lines, "; "), External: externalID(progress), Percent: 100,
		Variables: map[string]string{
			"InvalidationIds": strings.Join(ids(progress), " "),
			"Items":           strings.Join(s.itemsOf(verdicts), " "),
			"Verified":        verified(progress),
			"Verdict":         s.verdict(lines),
		},
	}
}

// achieved reports whether a target has come as far as its job asked for.
func achieved(v purge.Verdict) bool { return v.OK() || v.Outcome == purge.Announced }

// verdict names the evidence of every target, or tells the verdict itself where none is kept.
func (s *session) verdict(lines []string) string {
	all := slices.Clone(s.records)
	for i, uri := range all {
		if uri == "" {
			return strings.Join(lines, "; ")
		}
		all[i] = uri
	}
	return strings.Join(all, " ")
}

// verified says how the release was recognised: "content" when pages of every target were compared
// with it, "age" when those of some could only be judged by their age, "completion" when some pages of some
// could not be looked at without a signature or a password.
func verified(all []purge.Progress) string {
	how := "content"
	for _, p := range all {
		switch {
		case p.Hidden > 0:
			return "completion"
		case p.Compared == 0:
			how = "age"
		}
	}
	return how
}

// describe tells a failed verdict, and for a refusal who was refused what.
func describe(v purge.Verdict) string {
	var e *gateway.Error
	if v.Failure == nil || !errors.As(v.Failure, &e) || e.Code != gateway.AccessDenied || e.Caller == "" {
		return v.String()
	}
	return fmt.Sprintf("%s\ncaller: %s\naction: %s\nresource: %s", v, e.Caller, orUnknown(e.Action), orUnknown(e.Resource))
}

func orUnknown(s string) string {
	if s == "" {
		return "(not named by AWS)"
	}
	return s
}

// refuse makes the answer to a job that cannot be worked on.
func (h *Handler) refuse(log *slog.Logger, err error) Answer {
	kind := failureType(err)
	log.Error("failed", "type", string(kind), "error", err.Error())
	message := err.Error()
	var stored *store.Error
	if errors.As(err, &stored) && stored.Code == "AccessDenied" {
		message += "; try: allow s3:GetObject on the artifact and kms:Decrypt on the artifact key in the pipeline action's role"
	}
	return Answer{Failure: kind, Message: message}
}

// failureType is CodePipeline's word for an error.
func failureType(err error) FailureType {
	var reached *gateway.Error
	var stored *store.Error
	switch {
	case errors.As(err, new(*panicError)), errors.As(err, new(*TokenError)):
		return JobFailed
	case errors.As(err, new(*ParameterError)), errors.As(err, new(*configError)), errors.As(err, new(*EventError)),
		errors.As(err, new(*invalidation.ItemError)), errors.As(err, new(*invalidation.BatchError)):
		return ConfigurationError
	case errors.As(err, &reached):
		return typeOf(reached.Code, purge.Classify(reached))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return SystemUnavailable
	case errors.As(err, &stored):
		return typeOf(stored.Code, purge.Classify(&gateway.Error{Code: stored.Code})) // S3's codes for being busy are the same
	}
	return JobFailed
}

func typeOf(code string, class purge.Class) FailureType {
	switch code {
	case gateway.AccessDenied, "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
		"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidAccessKeyId":
		return PermissionError
	case gateway.NoSuchDistribution, gateway.InvalidArgument, gateway.BatchTooLarge, gateway.ResourceNotFoundException,
		gateway.DistributionNotAllowed, gateway.BadRequest, "NoSuchKey", "NoSuchBucket":
		return ConfigurationError
	}
	if class == purge.Fast || class == purge.Slow {
		return SystemUnavailable
	}
	return JobFailed
}
