package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/plural"
	"github.com/unstale/unstale/internal/purge"
)

// show tells how a run goes while it does: a bar for each target on a terminal, else a line for each step.
type show interface {
	event(e fleet.Event)
	close()
	broken() error // why it could not be told any more
}

// show chooses how. Nothing is shown beside a document.
func (i *invalidator) show(*work) show {
	if i.json {
		return silent{}
	}
	file, ok := i.stdout.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(file.Fd())) {
		return &lines{out: i.stdout, alone: len(i.targets) == 1}
	}
	_, height, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return &lines{out: i.stdout, alone: len(i.targets) == 1}
	}
	names := make([]string, len(i.targets))
	for n, t := range i.targets {
		names[n] = t.Name
	}
	return newBars(file, names, height)
}

type silent struct{}

func (silent) event(fleet.Event) {}
func (silent) close()            {}
func (silent) broken() error     { return nil }

// lines prints a line for each step.
type lines struct {
	out   io.Writer
	alone bool // there is one target, whose failure ends the program and is told then
	mu    sync.Mutex
	err   error
}

func (l *lines) event(e fleet.Event) {
	text := stepText(e)
	if text == "" || e.Result != nil && l.alone {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.out, "%s: %s\n", e.Target, text)
	}
}

func (l *lines) close() {}

func (l *lines) broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// stepText says what happened.
func stepText(e fleet.Event) string {
	p := e.Progress
	if r := e.Result; r != nil {
		if r.Outcome == fleet.Done {
			return ""
		}
		return words[r.Outcome] + ": " + r.Err.Error()
	}
	switch {
	case e.Doing == fleet.Awaiting:
		return "waiting for the origin to serve the release"
	case e.Doing != "":
		return ""
	case p.Stage == purge.Created:
		return fmt.Sprintf("created %s on %s, %s", p.ID, p.Distribution, plural.Of(p.Paths, "path"))
	case p.Stage == purge.Completed && p.Spared():
		return "nothing to purge"
	case p.Stage == purge.Completed:
		return "completed " + p.ID
	case p.Stage == purge.Restricted:
		return "not seen: viewers need signed URLs, signed cookies or a password"
	case p.Stage == purge.Seen:
		return fmt.Sprintf("seen from %s, %s", or(p.POP, "an unnamed point of presence"), plural.Of(p.Pages, "page"))
	}
	return ""
}

// steps is how many there are on the way of a target.
const steps = 3

// stepsDone is how many of them a stage is.
var stepsDone = map[purge.Stage]int64{purge.Created: 1, purge.Completed: 2, purge.Seen: steps, purge.Restricted: steps}

// doing is what comes after a stage.
var doing = map[purge.Stage]string{
	purge.Planned: "planning", purge.Created: "completing", purge.Completed: "verifying", purge.Seen: "seen", purge.Restricted: "restricted",
}

// bars draws a bar for each target, or one for all where the terminal has not the room.
type bars struct {
	progress *mpb.Progress
	bars     []*mpb.Bar // one: for all
	says     []atomic.Value
	done     []int64 // steps, of each target
}

func newBars(out io.Writer, names []string, height int) *bars {
	b := &bars{progress: mpb.New(mpb.WithOutput(out), mpb.WithWidth(40), mpb.WithAutoRefresh()), done: make([]int64, len(names))}
	shown, total := names, int64(steps)
	if len(names) > height-2 {
		shown, total = []string{plural.Of(len(names), "target")}, int64(steps*len(names))
	}
	b.says = make([]atomic.Value, len(shown))
	for i, name := range shown {
		b.says[i].Store(doing[purge.Planned])
		b.bars = append(b.bars, b.progress.AddBar(
			total, mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO, decor.WC{W: 5}), decor.Any(func(decor.Statistics) string {
				return " " + b.says[i].Load().(string)
			})),
		))
	}
	return b
}

func (b *bars) event(e fleet.Event) {
	at := e.Index
	if len(b.bars) == 1 {
		at = 0
	}
	b.done[e.Index] = max(b.done[e.Index], stepsDone[e.Progress.Stage])
	switch {
	case e.Result != nil && e.Result.Outcome == fleet.Done:
		b.done[e.Index] = steps
		b.says[at].Store(words[fleet.Done])
	case e.Result != nil && len(b.bars) == len(b.done):
		b.says[at].Store(words[e.Result.Outcome])
	case e.Result != nil:
		b.says[at].Store(e.Target + " " + words[e.Result.Outcome])
	case e.Doing != "":
		b.says[at].Store(string(e.Doing))
	default:
		b.says[at].Store(doing[e.Progress.Stage])
	}
	sum := b.done[e.Index]
	if len(b.bars) != len(b.done) {
		sum = 0
		for _, n := range b.done {
			sum += n
		}
	}
	b.bars[at].SetCurrent(sum)
	if e.Result != nil && e.Result.Outcome != fleet.Done && len(b.bars) == len(b.done) {
		b.bars[at].Abort(false) // it stays as it is
	}
}

// close leaves the bars on the screen as they are.
func (b *bars) close() {
	for _, bar := range b.bars {
		bar.Abort(false)
	}
	b.progress.Wait()
}

func (b *bars) broken() error { return nil }
