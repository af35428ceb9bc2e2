package story

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/unstale/unstale/rehearsal/codepipeline"
)

// Narrator shows a story as it happens. Its zero value shows nothing.
type Narrator struct{ p *printer }

// Screen is where a story is shown.
type Screen struct {
	Out   io.Writer
	Color bool
	Width int // columns of the terminal; 0: it is none, lines are as long as they are and nothing is shortened
	// Brief leaves out why something is refused and how to mend it: somebody else says so at the end.
	Brief bool
	// Builds says that what builds print is shown too: then nothing has to say that one goes on.
	Builds bool
}

// printer serialises what the rehearsal's goroutines tell.
type printer struct {
	Screen
	mu     sync.Mutex
	began  time.Time
	seen   map[string]bool // what was told in this release
	silent bool
	failed error // of the first write that failed

	building time.Time // since when; zero: nothing is built
	beat     *time.Timer
	shown    bool // the line about it is the last one of the terminal
}

// NewNarrator writes a story to out, which is no terminal, with colours if asked.
func NewNarrator(out io.Writer, color bool) Narrator {
	return Screen{Out: out, Color: color}.Narrator()
}

// Narrator shows a story on the screen.
func (s Screen) Narrator() Narrator {
	return Narrator{&printer{Screen: s, began: time.Now(), seen: map[string]bool{}}}
}

// The colours mean: bold a heading, dim a detail, green done, red failed, cyan the border.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	amber = "33"
	cyan  = "36"
)

func (n Narrator) paint(code, text string) string {
	if n.p == nil || !n.p.Color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (n Narrator) brief() bool { return n.p != nil && n.p.Brief }

// Silence ends the show: nothing is written any more.
func (n Narrator) Silence() {
	if n.p == nil {
		return
	}
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	n.p.rest()
	n.p.silent = true
}

// Err is why the story could not be shown to its end.
func (n Narrator) Err() error {
	if n.p == nil {
		return nil
	}
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	if n.p.failed != nil {
		return fmt.Errorf("show the story: %w", n.p.failed)
	}
	return nil
}

// margin is what stands before the text of every line: the time.
const margin = 8

// line shows one line, or as many as the terminal needs for it: the further ones are indented.
func (n Narrator) line(indent int, format string, args ...any) {
	if n.p == nil {
		return
	}
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if n.p.Width > 0 {
		text = Short(text)
	}
	at := n.paint(dim, fmt.Sprintf("%6.2fs", time.Since(n.p.began).Seconds()))
	start := strings.Repeat("  ", indent)
	n.p.write(at + " " + start + Fold(text, n.p.Width-margin-len(start), strings.Repeat(" ", margin+len(start)+2)) + "\n")
}

// verbatim shows lines as they are: they are to be copied, or are somebody else's.
func (n Narrator) verbatim(indent int, lines []string) {
	if n.p == nil {
		return
	}
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	for _, line := range lines {
		n.p.write(strings.Repeat(" ", margin+2*indent) + line + "\n")
	}
}

// write is called with mu held. What cannot be shown ends the show, not the story.
func (p *printer) write(text string) {
	if p.silent {
		return
	}
	if p.shown {
		text = "\r\x1b[K" + text
		p.shown = false
	}
	if _, err := io.WriteString(p.Out, text); err != nil && p.failed == nil {
		p.failed = err
	}
}

// A build may say nothing for long. A terminal shows every second that it goes on, in a line that the next one
// replaces; others get a line now and then.
const (
	beatLive = time.Second
	beatLine = 15 * time.Second
)

// work follows a build: it has begun or ended.
func (n Narrator) work(a codepipeline.ActionState) {
	if n.p == nil || a.Provider != "CodeBuild" {
		return
	}
	p := n.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest()
	if a.Status == codepipeline.InProgress && !p.Builds {
		p.building = time.Now()
		p.beat = time.AfterFunc(p.pace(), n.pulse)
	}
}

func (p *printer) pace() time.Duration {
	if p.Width > 0 {
		return beatLive
	}
	return beatLine
}

// pulse shows that a build goes on.
func (n Narrator) pulse() {
	p := n.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.building.IsZero() || p.silent {
		return
	}
	text := fmt.Sprintf("%s building for %.0f s", n.paint(dim, fmt.Sprintf("%6.2fs  ", time.Since(p.began).Seconds())), time.Since(p.building).Seconds())
	if p.Width > 0 {
		p.write(text)
		p.shown = true
	} else {
		p.write(text + "\n")
	}
	p.beat.Reset(p.pace())
}

// rest is called with mu held, when nothing is built any more.
func (p *printer) rest() {
	if p.beat != nil {
		p.beat.Stop()
	}
	if p.shown {
		p.write("")
	}
	p.building = time.Time{}
}

// news says whether key was not told yet in this release.
func (n Narrator) news(key string) bool {
	if n.p == nil {
		return false
	}
	n.p.mu.Lock()
	defer n.p.mu.Unlock()
	known := n.p.seen[key]
	n.p.seen[key] = true
	return !known
}

var (
	escape = regexp.MustCompile("\x1b\\[[0-9;]*m")
	arn    = regexp.MustCompile(`arn:aws:([a-z0-9-]+):[a-z0-9-]*:(\d{12})?:([^\s",;]+)`)
)

// Short writes ARNs of the story's accounts as "A:role/NAME" and those without an account as what
// they name.
func Short(text string) string {
	return arn.ReplaceAllStringFunc(text, func(whole string) string {
		m := arn.FindStringSubmatch(whole)
		switch m[2] {
		case "":
			return m[3]
		case PipelineAccount, DeliveryAccount:
			return letter(m[2]) + ":" + m[3]
		}
		return whole
	})
}

// Fold breaks text between words into lines of at most width columns; further lines begin with an
// indent, which does not count. With a width below 20 only the line ends of the text itself break it.
func Fold(text string, width int, indent string) string {
	var out strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			out.WriteString("\n" + indent)
		}
		if width < 20 {
			out.WriteString(line)
			continue
		}
		fold(&out, line, width, indent, i > 0)
	}
	return out.String()
}

// fold writes one line. All lines but the first of the text have two columns less: the indent hangs.
func fold(out *strings.Builder, line string, width int, indent string, hanging bool) {
	column, gap := 0, ""
	room := func() int {
		if hanging {
			return width - 2
		}
		return width
	}
	for _, word := range strings.SplitAfter(line, " ") {
		bare := strings.TrimRight(word, " ")
		if bare == "" {
			gap += word
			continue
		}
		n := utf8.RuneCountInString(escape.ReplaceAllString(bare, ""))
		if column > 0 && column+len(gap)+n > room() {
			out.WriteString("\n" + indent)
			column, gap, hanging = 0, "", true
		}
		out.WriteString(gap + bare)
		column += len(gap) + n
		gap = word[len(bare):]
	}
}
