package runs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ErrRunning says that another process works on the run.
var ErrRunning = errors.New("it is running")

// A run is locked while it goes on: the system lets go of the lock when the process ends, however it ends.
// The lock is a file of its own, since the record is replaced with every write.
func (d Dir) lockFile(id string) string { return filepath.Join(string(d), id+".lock") }

// Running reports whether a process works on a run. Where files cannot be locked that is not known: false.
func (d Dir) Running(id string) bool {
	if !ValidID(id) {
		return false
	}
	f, err := os.OpenFile(d.lockFile(id), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(flock(f, true), ErrRunning)
}

// A look at a lock holds it for a moment, so one that is held is tried again.
const (
	lockTries = 5
	lockPause = 10 * time.Millisecond
)

// lock locks a run. The error is ErrRunning where another process has it.
func (d Dir) lock(id string) (*os.File, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("lock run %s: %w", id, err)
	}
	for try := 1; ; try++ {
		f, err := os.OpenFile(d.lockFile(id), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock run %s: %w", id, err)
		}
		if err = flock(f, false); err == nil && !d.same(f, id) {
			err = ErrRunning // whoever had it took the file away meanwhile
		}
		if err == nil {
			return f, nil
		}
		_ = f.Close()
		if !errors.Is(err, ErrRunning) || try == lockTries {
			return nil, fmt.Errorf("lock run %s: %w", id, err)
		}
		time.Sleep(lockPause)
	}
}

// same reports whether a file is still the run's lock.
func (d Dir) same(f *os.File, id string) bool {
	mine, err1 := f.Stat()
	now, err2 := os.Stat(d.lockFile(id))
	return err1 == nil && err2 == nil && os.SameFile(mine, now)
}

// unlock takes the lock's file away while it is still locked. One that stays harms nobody.
func (d Dir) unlock(f *os.File, id string) {
	if f != nil {
		_ = os.Remove(d.lockFile(id))
		_ = f.Close()
	}
}
