package ablation

import (
	"testing"

	"github.com/unstale/unstale/test/stage"
)

// readLog reads a log group as the root of its account.
func readLog(t *testing.T, w *world, account, group string) []stage.Logged {
	t.Helper()
	return stage.Log(t, w.Config(account), map[string]any{"logGroupName": group})
}
