package cli

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// helpWidth is how many columns help takes at most, on a terminal or not: the narrowest that people have.
const helpWidth = 80

// folding has a command and those below it tell their help within helpWidth. Cobra's own leaves lines as long as
// they were written.
func folding(root *cobra.Command) {
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprintln(cmd.OutOrStderr(), strings.TrimSpace(usageText(cmd)))
		return err
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		p := printer{width: helpWidth}
		long := cmd.Long
		if long == "" {
			long = cmd.Short
		}
		p.paragraphs(strings.TrimRightFunc(long, unicode.IsSpace))
		if cmd.Runnable() || cmd.HasSubCommands() {
			p.WriteString("\n" + cmd.UsageString())
		}
		cmd.Print(p.String()) // helping hears of what comes of it
	})
}

// usageText is how a command is used: its parts in cobra's order and words.
func usageText(cmd *cobra.Command) string {
	p := printer{width: helpWidth}
	p.WriteString("Usage:\n")
	if cmd.Runnable() {
		p.wrapped("  ", "    ", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&p, "  %s [command]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		p.WriteString("\nExamples:\n")
		p.examples(cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		p.WriteString("\nAvailable Commands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				start := fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name())
				p.wrapped(start, strings.Repeat(" ", len(start)), sub.Short)
			}
		}
	}
	if cmd.HasAvailableLocalFlags() {
		p.WriteString("\nFlags:\n" + cmd.LocalFlags().FlagUsagesWrapped(helpWidth))
	}
	if cmd.HasAvailableInheritedFlags() {
		p.WriteString("\nGlobal Flags:\n" + cmd.InheritedFlags().FlagUsagesWrapped(helpWidth))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&p, "\nUse \"%s [command] --help\" for more information about a command.\n", cmd.CommandPath())
	}
	return p.String()
}

// paragraphs writes a text whose paragraphs are wrapped anew. What is indented stays as it is.
func (p *printer) paragraphs(text string) {
	var words []string
	end := func() {
		if len(words) > 0 {
			p.wrapped("", "", strings.Join(words, " "))
			words = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && !unicode.IsSpace(rune(line[0])) {
			words = append(words, line)
			continue
		}
		end()
		p.WriteString(strings.ReplaceAll(line, "\t", "    ") + "\n")
	}
	end()
}

// examples writes command lines. One that is too long goes on in further lines, as shells take it, and has its
// comment above it.
func (p *printer) examples(text string) {
	var lines []string // of one command
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, line)
		if !strings.HasSuffix(line, "\\") {
			p.example(lines)
			lines = nil
		}
	}
}

func (p *printer) example(lines []string) {
	fits := true
	for _, line := range lines {
		fits = fits && shown(line) <= helpWidth
	}
	if fits {
		p.WriteString(strings.Join(lines, "\n") + "\n")
		return
	}
	command, comment, _ := strings.Cut(strings.ReplaceAll(strings.Join(lines, "\n"), "\\\n", ""), " #")
	if comment != "" {
		p.wrapped("  # ", "  # ", comment)
	}
	const indent, broken = "  ", " \\"
	at := 0
	for i, part := range parts(command) {
		switch {
		case i == 0:
			part = indent + part
		case at+1+shown(part) > helpWidth-len(broken):
			p.WriteString(broken + "\n")
			part, at = indent+indent+part, 0
		default:
			part = " " + part
		}
		p.WriteString(part)
		at += shown(part)
	}
	p.WriteByte('\n')
}

// parts are a command line's, between which it may be broken: a flag stays with its value, and what is piped to
// with its arguments.
func parts(command string) (all []string) {
	var quote rune
	words := strings.FieldsFunc(command, func(r rune) bool {
		switch {
		case r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		}
		return quote == 0 && r == ' '
	})
	for _, word := range words {
		if len(all) == 0 || strings.HasPrefix(word, "--") || word == "|" || word == ">" {
			all = append(all, word)
			continue
		}
		all[len(all)-1] += " " + word
	}
	return all
}
