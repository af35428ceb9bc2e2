package cli

import (
	"fmt"
	"strings"

	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/internal/plural"
)

// doctorText is a report for a person: the ladder, then what to change, in the order of the ladder. On a terminal
// lines are folded, but for what is to be pasted.
func doctorText(r doctor.Report, verbose bool, p printer) string {
	if r.Route != "" {
		fmt.Fprintf(&p, "route %s\n\n", r.Route)
	}
	for _, rung := range r.Rungs {
		p.rung(rung, verbose)
	}
	for _, rung := range r.Rungs {
		for _, c := range rung.Changes {
			optional := ""
			if rung.State == doctor.Note {
				optional = "optional: "
			}
			where, statement, _ := strings.Cut(c.String(), "\n")
			p.WriteByte('\n')
			p.folded(optional, "  ", where)
			p.WriteString(statement)
		}
	}
	p.WriteString("\n" + verdict(r) + "\n")
	return p.String()
}

// under is the indent of what belongs to a rung, which begins below its account.
const under = "           "

// rung writes one, and why it is as it is where that is wanted.
func (p *printer) rung(r doctor.Rung, verbose bool) {
	start, name, subject := fmt.Sprintf("%s  %-12s  ", painted(r.State, p.color), r.Account), r.Name, r.Subject
	if strings.Contains(name, subject) {
		subject = ""
	}
	switch {
	case subject == "":
		p.folded(start, under, name)
	case p.width > 0 && shown(start+name+": "+subject) > p.room():
		p.folded(start, under, name)
		p.beneath(p.paint(dim, subject))
	default:
		p.folded(start, under, name+": "+subject)
	}
	if verbose || r.State != doctor.OK {
		p.beneath(r.Why)
	}
	if verbose && len(r.Read) > 0 {
		p.folded(under, under+"      ", "read: "+strings.Join(r.Read, ", "))
	}
}

// beneath writes what belongs to a rung. On a terminal a long word that it begins with is indented less.
func (p *printer) beneath(text string) {
	start := under
	if word, _, _ := strings.Cut(text, " "); p.width > 0 {
		start = under[:min(len(under), max(0, p.room()-shown(word)))]
	}
	p.folded(start, under, text)
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
	return map[doctor.State]string{doctor.OK: green, doctor.Broken: red, doctor.Unknown: yellow, doctor.Note: cyan}[s] + text + plain
}
