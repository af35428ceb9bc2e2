package main

import (
	"archive/zip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/unstale/unstale/bench/coldstart"
	"github.com/unstale/unstale/bench/lateness"
)

func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		target   target
		met, bad bool
	}{
		{under("under 12 ms", 11.9, 12), true, false},
		{under("under 12 ms", 12.1, 12), false, false},
		{under("under 12 ms", 14.5, 12), false, true},
		{times(10.5, 10), true, false},
		{times(9.5, 10), false, false},
		{times(8, 10), false, true},
		{times(0, 10), false, true},
	} {
		if tt.target.met() != tt.met || tt.target.bad() != tt.bad {
			t.Errorf("%+v: %v, %v", tt.target, tt.target.met(), tt.target.bad())
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	err := write(&out, []row{
		{what: "a", peer: "120 ms", ours: "10 ms", ratio: 12, targets: []target{under("under 12 ms", 10, 12), times(12, 15)}},
		{what: "zip", peer: "1", ours: "20", ratio: 0.05},
		{what: "alone", ours: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `| what  | today  | unstale | ratio | target                                    |
|-------|--------|---------|-------|-------------------------------------------|
| a     | 120 ms | 10 ms   | 12.0x | under 12 ms: PASS; at least 15x less: MISS |
| zip   | 1      | 20      | 0.05x |                                           |
| alone |        | 1       |       |                                           |
`
	if got := out.String(); squeeze(got) != squeeze(want) {
		t.Errorf("\n%s", got)
	}
	for line := range strings.Lines(out.String()) {
		if width := strings.Index(out.String(), "\n"); len(line) != width+1 {
			t.Errorf("columns do not line up: %q", line)
		}
	}
}

// squeeze makes runs of blanks and dashes one.
func squeeze(s string) string {
	for _, c := range []string{" ", "-"} {
		for strings.Contains(s, c+c) {
			s = strings.ReplaceAll(s, c+c, c)
		}
	}
	return s
}

func TestCompare(t *testing.T) {
	sample := func(ms int64, mib int64) []coldstart.Sample {
		d := time.Duration(ms) * time.Millisecond
		return []coldstart.Sample{{First: d, Answered: 2 * d, Event: d / 2, CPU: d, Peak: mib << 20}}
	}
	rows := compare(pairs()[0], sample(10, 10), sample(130, 65), 4<<20, 1<<20)
	verdicts := map[string]string{}
	for _, r := range rows {
		verdicts[strings.TrimPrefix(r.what, "pipeline-job: ")] = r.peer + ", " + r.ours + ", " + r.verdict()
	}
	for what, want := range map[string]string{
		"spawn to AWS's first answer over TLS": "130 ms, 10.0 ms, under 12 ms: PASS; at least 10x less: PASS",
		"spawn to its own answer, calls: 4":    "260 ms, 20.0 ms, at least 10x less: PASS",
		"peak memory":                          "65.0 MiB, 10.0 MiB, under 14 MiB: PASS",
		"zip":                                  "1.0 MiB, 4.0 MiB, ",
	} {
		if verdicts[what] != want {
			t.Errorf("%s: %q of %q", what, verdicts[what], verdicts)
		}
	}
}

func TestLateRows(t *testing.T) {
	results := []lateness.Result{
		{Watcher: "other", Median: usual, Late: 10 * time.Second, Looks: 2},
		{Watcher: "other", Median: 2 * time.Minute, Late: time.Minute, Looks: 5},
		{Watcher: lateness.Ours, Median: usual, Late: 1250 * time.Millisecond, Looks: 5.5},
		{Watcher: lateness.Ours, Median: 2 * time.Minute, Late: 15 * time.Second, Looks: 4},
	}
	rows, err := lateRows(results)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	if r := rows[0]; r.ratio != 8 || r.peer != "10.0 s late, 2.0 looks" || r.verdict() != "under 1.3 s: PASS; at most 5 looks: MISS" {
		t.Errorf("%+v, %s", r, r.verdict())
	}
	if r := rows[1]; r.ratio != 4 || r.targets != nil {
		t.Errorf("%+v", r)
	}
	if _, err := lateRows(results[:3]); err == nil || !strings.Contains(err.Error(), "ours is missing") {
		t.Error(err)
	}
}

func TestStart(t *testing.T) {
	var p played
	text := `{"calls": [{"time": "2026-11-23T00:15:13.0Z", "action": "s3:CreateBucket"}, {"time": "2026-11-23T00:15:13.4Z", "action": "codecommit:GitPush"}]}`
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if d, err := p.start(); err != nil || d != 400*time.Millisecond {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := (played{}).start(); err == nil {
		t.Error("no call: no error")
	}
}

func TestUnpack(t *testing.T) {
	if runtime.GOOS != "linux" {
		if _, _, err := unpack(t.TempDir(), "f", t.TempDir()); err == nil || !strings.Contains(err.Error(), runtime.GOOS) {
			t.Error(err)
		}
		return
	}
	zips, dir := t.TempDir(), t.TempDir()
	if _, _, err := unpack(zips, "f", dir); err == nil || !strings.Contains(err.Error(), "run make lambdas") {
		t.Errorf("no zip: %v", err)
	}
	for _, arch := range []string{"x86_64", "arm64"} {
		file, err := os.Create(filepath.Join(zips, "f_"+arch+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(file)
		w, err := z.Create("bootstrap")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("code")); err != nil || z.Close() != nil || file.Close() != nil {
			t.Fatal(err)
		}
	}
	path, size, err := unpack(zips, "f", dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != 4 || info.Mode()&0o100 == 0 || size < 100 {
		t.Errorf("%v, %v, %d", info, err, size)
	}
}

func TestZipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.js")
	if err := os.WriteFile(path, []byte(strings.Repeat("same ", 10000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := zipped(path); err != nil || n < 100 || n > 5000 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := zipped(path + "x"); err == nil {
		t.Error("no file: no error")
	}
}
