// Command synth writes the committed templates: run it as `go run ./cmd/synth` in infra/ after a change there. It needs
// Node. The argument is the directory to write, ../templates by default.
package main

import (
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"

	"github.com/unstale/unstale/infra"
)

func main() {
	dir := "../templates"
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := run(dir); err != nil {
		fmt.Fprintln(os.Stderr, "synth:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	defer jsii.Close()
	files, err := infra.Synthesize()
	if err != nil {
		return err
	}
	return infra.Write(dir, files)
}
