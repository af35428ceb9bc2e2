package stage

import (
	"os"
	"path/filepath"
	"testing"
)

// Impatient is an entry of the AWS CLI's environment with which its wait commands look each second, and not
// every 20 or 30 seconds as on AWS, where nothing is done sooner. The commands stay as people type them. A CLI
// that does not know such files takes its time. Source: botocore's loaders, AWS_DATA_PATH and extras of models.
func Impatient(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for model, waiters := range map[string]string{
		"cloudformation/2010-05-15": `{"StackCreateComplete": {"delay": 1}}`,
		"cloudfront/2020-05-31":     `{"InvalidationCompleted": {"delay": 1}}`,
	} {
		path := filepath.Join(dir, filepath.FromSlash(model))
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		text := `{"version": 1.0, "merge": {"waiters": ` + waiters + `}}`
		if err := os.WriteFile(filepath.Join(path, "waiters-2.sdk-extras.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "AWS_DATA_PATH=" + dir
}
