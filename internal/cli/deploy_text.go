package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/internal/plural"
)

// deploySession is a deployment as people follow it, and where they answer.
type deploySession struct {
	out io.Writer
	in  *bufio.Reader
	yes bool
}

// ask waits for yes or no; the end of the input is a no.
func (s *deploySession) ask(question string) (bool, error) {
	if s.yes {
		return true, nil
	}
	if _, err := fmt.Fprintf(s.out, "%s [y/N] ", question); err != nil {
		return false, fmt.Errorf("ask: %w", err)
	}
	line, err := s.in.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		_, _ = fmt.Fprintln(s.out) // the question's line ends here, whatever stands on it
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// print writes lines; a reader that went away ends the deployment, since nobody sees what is agreed to.
func (s *deploySession) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(s.out, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// marks say in one character what becomes of a resource.
func mark(c deploy.Change) (sign, note string) {
	switch {
	case c.Action == "Add":
		return "+", ""
	case c.Action == "Remove":
		return "-", c.PhysicalID
	case c.Replacement == "True":
		return "!", "REPLACED: " + strings.Join(c.Properties, ", ")
	case c.Replacement == "Conditional":
		return "!", "may be REPLACED: " + strings.Join(c.Properties, ", ")
	}
	return "~", strings.Join(c.Properties, ", ")
}

func (s *deploySession) confirm(p deploy.Proposal) (bool, error) {
	verb := "change"
	if p.Create {
		verb = "make"
	}
	if err := s.print("\naccount %s: %s stack %s\n", p.Account, verb, p.Stack); err != nil {
		return false, err
	}
	if len(p.Changes) == 0 {
		if err := s.print("  no resource changes, only tags or outputs\n"); err != nil {
			return false, err
		}
	}
	var rows []string
	for _, c := range p.Changes {
		sign, note := mark(c)
		rows = append(rows, fmt.Sprintf("  %s %s\t%s\t%s", sign, c.LogicalID, c.Type, note))
	}
	if err := s.table(rows); err != nil {
		return false, err
	}
	return s.ask("Do it?")
}

func (s *deploySession) remove(r deploy.Removal) (bool, error) {
	var staying int
	for _, stack := range r.Stacks {
		if err := s.print("\naccount %s: delete stack %s\n", stack.Account, stack.Stack); err != nil {
			return false, err
		}
		var rows []string
		for _, i := range stack.Goes {
			rows = append(rows, itemRow("-", i, contents(i, true)))
		}
		for _, i := range stack.Stays {
			rows = append(rows, itemRow("=", i, "STAYS "+contents(i, false)))
		}
		staying += len(stack.Stays)
		if err := s.table(rows); err != nil {
			return false, err
		}
	}
	for _, l := range r.Left {
		if !l.Goes {
			continue
		}
		if err := s.print("\naccount %s: delete what an earlier stack left\n", l.Account); err != nil {
			return false, err
		}
		if err := s.table([]string{itemRow("-", l.Item, contents(l.Item, true))}); err != nil {
			return false, err
		}
	}
	if staying > 0 {
		if err := s.print("\nWhat stays has your content, or protects it. --delete NAME deletes it, too.\n"); err != nil {
			return false, err
		}
	}
	if err := s.warn(r.Callers); err != nil {
		return false, err
	}
	return s.ask("Delete all this?")
}

func itemRow(sign string, i deploy.Item, note string) string {
	return fmt.Sprintf("  %s %s\t%s\t%s\t%s", sign, i.LogicalID, i.Type, i.Name, note)
}

// warn names the actions that will have nothing to work with.
func (s *deploySession) warn(callers []deploy.Caller) error {
	if len(callers) == 0 {
		return nil
	}
	var rows []string
	for _, c := range callers {
		rows = append(rows, fmt.Sprintf("  ! pipeline %s\tstage %s, action %s\tuses %s", c.Pipeline, c.Stage, c.Action, c.Uses))
	}
	n := len(callers)
	if err := s.print("\nWARNING: %s in account %s %s with what is deleted; the next release fails there.\nTake %s out first:\n",
		plural.Of(n, "action"), callers[0].Account, plural.Word(n, "works", "work"), plural.Word(n, "it", "them")); err != nil {
		return err
	}
	return s.table(rows)
}

// contents says what is lost, or kept, beyond the resource itself.
func contents(i deploy.Item, goes bool) string {
	switch {
	case i.Objects > 0 && goes:
		return fmt.Sprintf("(%s %s deleted)", plural.Of(i.Objects, "object"), plural.Word(i.Objects, "is", "are"))
	case i.Objects > 0:
		return "(" + plural.Of(i.Objects, "object") + ")"
	case i.Type == deploy.KeyType && goes:
		return "(a key is deleted 30 days after CloudFormation schedules it)"
	}
	return ""
}

func (s *deploySession) event(account string, e deploy.Event) {
	text := ""
	if e.Text != "" {
		text = "  " + e.Text
	}
	// A reader that went away is noticed at the next question or at the end.
	_, _ = fmt.Fprintf(s.out, "  %s %s %s  %s %s%s\n", e.Time.UTC().Format("15:04:05"), account, e.Stack, e.LogicalID, e.Status, text)
}

func (s *deploySession) say(text string) {
	_, _ = fmt.Fprintf(s.out, "  %s\n", text) // as with events
}

// table prints rows whose cells are between tabs, without blanks at the ends of lines.
func (s *deploySession) table(rows []string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, row) // a builder takes all
	}
	_ = w.Flush()
	for line := range strings.Lines(text.String()) {
		if err := s.print("%s\n", strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// done prints what the stacks made, or what to add to a pipeline of one's own.
func (s *deploySession) done(outputs map[string]string, ownPipeline bool) error {
	if err := s.print("\nDone.\n"); err != nil {
		return err
	}
	if ownPipeline {
		for _, piece := range []struct{ where, what string }{
			{"Add this action to your pipeline, before the deploying action in the same stage", outputs["AnnounceAction"]},
			{"Add this action to your pipeline, after the deploying action in the same stage", outputs["Action"]},
			{"And this policy to your pipeline's role", outputs["ActionPolicy"]},
		} {
			if piece.what == "" { // route states announces nothing
				continue
			}
			if err := s.print("\n%s:\n%s\n", piece.where, piece.what); err != nil {
				return err
			}
		}
		order := ""
		if outputs["AnnounceAction"] != "" {
			order = "Give the deploying action a runOrder between those of the two (2), and in place of BUILD-OUTPUT\nwrite the artifact that it takes. "
		}
		return s.print("\n%sThen: unstale doctor --pipeline NAME, with the same profiles\n", order)
	}
	for _, o := range []struct{ name, text string }{
		{"RepositoryCloneUrl", "push your site to"}, {"PipelineName", "pipeline"}, {"DistributionDomain", "the site is at https://"}, {"DistributionId", "distribution"},
	} {
		if v := outputs[o.name]; v != "" {
			separator := " "
			if strings.HasSuffix(o.text, "/") {
				separator = ""
			}
			if err := s.print("  %s%s%s\n", o.text, separator, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// gone tells what is left, or what was looked for.
func (s *deploySession) gone(r deploy.Removal, sought string) error {
	head := "\nGone.\n"
	if len(r.Stacks) == 0 && !slices.ContainsFunc(r.Left, func(l deploy.Leftover) bool { return l.Goes }) {
		head = "There is nothing to delete. Looked for: " + sought + ".\n"
	}
	if err := s.print("%s", head); err != nil {
		return err
	}
	for _, stack := range r.Stacks {
		for _, i := range stack.Goes {
			if i.Type == deploy.KeyType {
				if err := s.print("  %s: CloudFormation has scheduled the key %s for deletion in 30 days\n", stack.Account, i.PhysicalID); err != nil {
					return err
				}
			}
		}
		for _, i := range stack.Stays {
			name := ""
			if i.Type != deploy.KeyType {
				name = "; until it is gone, its name is taken"
			}
			if err := s.print("  %s: %s %s stays, and is now nobody's but yours%s\n", stack.Account, i.Type, i.Name, name); err != nil {
				return err
			}
		}
	}
	for _, l := range r.Left {
		if l.Goes {
			continue
		}
		if err := s.print("  %s: %s %s is there, left by an earlier stack; --delete %s deletes it\n", l.Account, l.Type, l.Name, r.Word(l.Item)); err != nil {
			return err
		}
	}
	for _, i := range r.Missing {
		why := "there is none, or none that you may see"
		if i.Type == deploy.KeyType {
			why = "its stack is gone, and a key has no name to find it by; aws kms schedule-key-deletion takes the ID that --destroy printed"
		}
		if err := s.print("  %s: %s\n", i.LogicalID, why); err != nil {
			return err
		}
	}
	return nil
}
