// Command lambdazip builds the Lambda functions and packs each as AWS wants it: a zip with one
// executable named bootstrap. The same source gives the same bytes.
package main

import (
	"archive/zip"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// architectures are Lambda's names and Go's.
var architectures = map[string]string{"arm64": "arm64", "x86_64": "amd64"}

func main() {
	root := flag.String("C", ".", "directory of the module to build")
	out := flag.String("o", "dist/lambda", "directory for the zips, in the module's")
	flag.Parse()
	if err := run(*root, filepath.Join(*root, *out), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "lambdazip:", err)
		os.Exit(1)
	}
}

func run(root, out string, commands []string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "lambdazip-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	for _, command := range commands {
		for name, goarch := range architectures {
			bootstrap := filepath.Join(tmp, "bootstrap")
			// lambda.norpc leaves out the go1.x runtime's RPC server, which provided.al2023 never calls.
			cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", bootstrap, command)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+goarch, "CGO_ENABLED=0")
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("build %s for %s: %w", command, name, err)
			}
			if err := pack(filepath.Join(out, filepath.Base(command)+"_"+name+".zip"), bootstrap); err != nil {
				return err
			}
		}
	}
	return nil
}

func pack(path, bootstrap string) error {
	code, err := os.ReadFile(bootstrap)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	z := zip.NewWriter(file)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := w.Write(code); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return file.Close()
}
