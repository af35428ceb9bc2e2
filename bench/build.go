package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// nodeDir is where the handlers for Node are.
const nodeDir = "bench/node"

// bundle installs and bundles the handlers for Node. What is installed is kept as long as the lock
// file is no newer.
func bundle(ctx context.Context) error {
	lock, err := os.Stat(filepath.Join(nodeDir, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("find the handlers for Node: %w; run make bench in the root of the repository", err)
	}
	installed, err := os.Stat(filepath.Join(nodeDir, "node_modules", ".package-lock.json"))
	if err != nil || installed.ModTime().Before(lock.ModTime()) {
		if err := npm(ctx, "ci"); err != nil {
			return err
		}
	}
	return npm(ctx, "run", "build")
}

func npm(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "npm", append([]string{"--silent"}, args...)...)
	cmd.Dir = nodeDir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm %v in %s: %w\n%s", args, nodeDir, err, out)
	}
	return nil
}

// publicRoots are the authorities that Node trusts, Mozilla's list, as PEM: the same for both sides,
// whatever this machine has.
func publicRoots(ctx context.Context) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "node", "-p", `require("node:tls").rootCertificates.join("\n") + "\n"`).Output()
	if err != nil {
		return nil, fmt.Errorf("ask node for its authorities: %w", err)
	}
	return out, nil
}

// unpack takes the executable out of a function's zip for this machine's processor, and gives its
// path and the zip's size.
func unpack(lambdas, function, dir string) (string, int64, error) {
	arch := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS != "linux" || arch == "" {
		return "", 0, fmt.Errorf("start %s: Lambda's executables run on Linux for amd64 or arm64, not on %s/%s", function, runtime.GOOS, runtime.GOARCH)
	}
	path := filepath.Join(lambdas, function+"_"+arch+".zip")
	z, err := zip.OpenReader(path)
	if err != nil {
		return "", 0, fmt.Errorf("open %s: %w; run make lambdas", path, err)
	}
	defer z.Close()
	code, err := z.Open("bootstrap")
	if err != nil {
		return "", 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer code.Close()
	out := filepath.Join(dir, function)
	file, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		return "", 0, err
	}
	_, err = io.Copy(file, code)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", 0, fmt.Errorf("unpack %s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return out, info.Size(), nil
}

// zipped is how large a zip of a file is, compressed as ours are.
func zipped(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create(filepath.Base(path))
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(text); err != nil {
		return 0, err
	}
	if err := z.Close(); err != nil {
		return 0, err
	}
	return int64(out.Len()), nil
}
