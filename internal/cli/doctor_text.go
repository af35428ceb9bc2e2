package cli

import (
	"fmt"
	"strings"

	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/internal/plural"
)

// doctorText is a report for a person: the ladder, then what to change, in the order of the ladder.
func doctorText(r doctor.Report, verbose, color bool) string {
	var b strings.Builder
	if r.Route != "" {
		fmt.Fprintf(&b, "route %s\n\n", r.Route)
	}
	for _, rung := range r.Rungs {
		line := fmt.Sprintf("%-12s  %s", rung.Account, rung.Name)
		if !strings.Contains(rung.Name, rung.Subject) {
			line += ": " + rung.Subject
		}
		fmt.Fprintf(&b, "%s  %s\n", painted(rung.State, color), line)
		if verbose || rung.State != doctor.OK {
			fmt.Fprintf(&b, "           %s\n", rung.Why)
		}
		if verbose && len(rung.Read) > 0 {
			fmt.Fprintf(&b, "           read: %s\n", strings.Join(rung.Read, ", "))
		}
	}
	for _, rung := range r.Rungs {
		for _, c := range rung.Changes {
			optional := ""
			if rung.State == doctor.Note {
				optional = "optional: "
			}
			fmt.Fprintf(&b, "\n%s%s", optional, c)
		}
	}
	b.WriteString("\n" + verdict(r) + "\n")
	return b.String()
}

func verdict(r doctor.Report) string {
	well, notes := 0, ""
	for _, rung := range r.Rungs {
		if rung.State == doctor.OK {
			well++
		}
	}
	if n := len(r.Rungs) - r.Broken - r.Unknown - well; n > 0 {
		notes = fmt.Sprintf(", %d to note", n)
	}
	switch {
	case r.Broken+r.Unknown == 0:
		return "all well: " + plural.Of(well, "check") + notes
	case r.Broken == 0:
		return fmt.Sprintf("nothing broken that can be seen, %d unknown, %d ok%s", r.Unknown, well, notes)
	}
	return fmt.Sprintf("%d broken, %d unknown, %d ok%s", r.Broken, r.Unknown, well, notes)
}

// painted is a state in seven columns.
func painted(s doctor.State, color bool) string {
	text := fmt.Sprintf("%-7s", s)
	if !color {
		return text
	}
	return map[doctor.State]string{doctor.OK: "\x1b[32m", doctor.Broken: "\x1b[31m", doctor.Unknown: "\x1b[33m", doctor.Note: "\x1b[36m"}[s] + text + "\x1b[0m"
}
