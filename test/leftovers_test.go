package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// processesOf are the processes that run or work in a directory, also in one that is deleted. The
// rehearsal's functions and builds do, whatever process group they are in. Source: proc(5).
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range []string{"exe", "cwd"} {
		paths, err := filepath.Glob("/proc/[0-9]*/" + link)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if to, err := os.Readlink(path); err == nil && strings.HasPrefix(to, dir+"/") { // an error: it just ended, or is another user's
				found = append(found, path+" -> "+to)
			}
		}
	}
	return found
}

// nothingLeft demands that a program whose TMPDIR was dir left no file and no process.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, p := range processesOf(t, dir) {
		t.Errorf("a process is left: %s", p)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("a file is left: %s", e.Name())
	}
}
