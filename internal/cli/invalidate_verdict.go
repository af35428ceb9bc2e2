package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/plural"
)

// err is why the exit code is not 0. told says that each of several targets has its error printed already: then it
// names those that decided, and does not say the same again.
func (d invalidateDocument) err(told bool) error {
	if d.Outcome == fleet.Done {
		return nil
	}
	var deciding, left []invalidateTarget
	for _, t := range d.Targets {
		switch {
		case t.Outcome == d.Outcome:
			deciding = append(deciding, t)
		case d.Outcome == fleet.Failed && t.Outcome == fleet.Skipped:
			left = append(left, t)
		}
	}
	err := errors.New(d.says(deciding, left, told))
	switch d.Outcome {
	case fleet.InProgress:
		return coded{withTry(err, "unstale status --run %s, or unstale invalidate --resume %s", d.Run, d.Run), exitInProgress}
	case fleet.Stale:
		return coded{withTry(err, "%s", d.next(deciding, told)), exitStale}
	}
	return withTry(err, "%s", d.next(append(deciding, left...), told))
}

// says puts into words what came of the targets that decide, and of those that were left for them.
func (d invalidateDocument) says(deciding, left []invalidateTarget, told bool) string {
	what := map[fleet.Outcome]string{
		fleet.Failed: "failed", fleet.Stale: "completed, but viewers still see the old release", fleet.InProgress: "still in progress when the wait ended",
	}[d.Outcome]
	if d.Outcome == fleet.InProgress && d.Interrupted {
		what = "interrupted"
	}
	if len(deciding) == 0 { // one that was stale stopped them
		what, deciding, left = "not begun", left, nil
	}
	why := strings.TrimSpace(deciding[0].Error)
	switch {
	case len(d.Targets) == 1 && d.Outcome == fleet.Failed:
		return why
	case len(d.Targets) == 1:
		return what + ": " + why
	}
	names := make([]string, len(deciding))
	for i, t := range deciding {
		names[i] = t.Name
	}
	of := fmt.Sprintf("%d of %d targets ", len(deciding), len(d.Targets))
	if told {
		of += "(" + someNames(names) + ") "
	}
	text := of + what
	if len(left) > 0 {
		text += fmt.Sprintf(", %d %s not begun", len(left), plural.Word(len(left), "was", "were"))
	}
	switch {
	case told:
		return text
	case d.Outcome == fleet.Failed:
		return text + "; " + names[0] + ": " + why
	}
	return text + ": " + why
}

// mostNamed is how many targets an error names.
const mostNamed = 5

// someNames lists the first names.
func someNames(names []string) string {
	text := strings.Join(names[:min(len(names), mostNamed)], ", ")
	if more := len(names) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// next is what to do about the first of the targets that decide, or where each has its own that stands above.
func (d invalidateDocument) next(targets []invalidateTarget, told bool) string {
	again := "unstale invalidate --resume " + d.Run
	if d.DryRun {
		again = "the same command again"
	}
	first := targets[0]
	for _, t := range targets {
		if told && t.Outcome == first.Outcome && t.Try != first.Try {
			return "what stands above for each of them, then " + again
		}
	}
	switch {
	case first.Try != "":
		return first.Try
	case d.Outcome == fleet.Failed && (d.DryRun || first.Invalidation == ""): // there is nothing to go on with
		return "unstale doctor"
	}
	return again
}
