package job

import (
	"errors"
	"slices"

	"github.com/unstale/unstale/internal/scrub"
)

// scrubber takes credentials, a job's and the function's own, out of all that is said about the job.
type scrubber struct{ scrub.Scrubber }

func newScrubber(c Credentials, own ...string) scrubber {
	return scrubber{scrub.New(slices.Concat([]string{c.token, c.secret, c.keyID}, own)...)}
}

func (s scrubber) answer(a Answer) Answer {
	a.Message, a.Summary, a.External = s.Text(a.Message), s.Text(a.Summary), s.Text(a.External)
	clean := make(map[string]string, len(a.Variables))
	for name, value := range a.Variables {
		clean[name] = s.Text(value)
	}
	a.Variables = clean
	return a
}

// err cleans what Lambda writes to the log of a function that failed.
func (s scrubber) err(id string, err error) error {
	if err == nil || s.Text(err.Error()) == err.Error() {
		return err
	}
	return &AnswerError{JobID: id, Err: errors.New(s.Text(err.Error()))}
}
