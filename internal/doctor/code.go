package doctor

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Code tells the functions of a release by the zips of a directory, FUNCTION_ARCHITECTURE.zip each, as
// [Question.Code] has them. Source of the form: Lambda API Reference, FunctionConfiguration, CodeSha256.
func Code(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*_*.zip"))
	if err != nil {
		return nil, fmt.Errorf("list the Lambda zips: %w", err)
	}
	out := map[string]string{}
	for _, path := range paths {
		zip, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the Lambda zips: %w", err)
		}
		sum := sha256.Sum256(zip)
		function, _, _ := strings.Cut(filepath.Base(path), "_")
		out[base64.StdEncoding.EncodeToString(sum[:])] = function
	}
	return out, nil
}
