package cli

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	platform := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}}
	commit := append([]debug.BuildSetting{
		{Key: "vcs.revision", Value: "677f406d3b1e2a4c5d6e7f8091a2b3c4d5e6f708"}, {Key: "vcs.time", Value: "2026-11-23T01:02:03Z"},
	}, platform...)
	for _, tt := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"(devel)", platform, "devel (commit not recorded) go1.26.0 linux/arm64"},
		{"", commit, "devel (677f406d3b1e, 2026-11-23) go1.26.0 linux/arm64"},
		{"v1.2.3", commit, "v1.2.3 (677f406d3b1e, 2026-11-23) go1.26.0 linux/arm64"},
		{"v1.2.3", platform, "v1.2.3 go1.26.0 linux/arm64"},
		{"v1.2.4-0.2026+dirty", append([]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, commit...), "devel (677f406d3b1e, 2026-11-23, modified) go1.26.0 linux/arm64"},
	} {
		info := &debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: tt.version}, Settings: tt.settings}
		if got := versionOf(info); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.version, got, tt.want)
		}
	}
}
