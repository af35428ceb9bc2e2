// Command unstale clears CloudFront caches across AWS accounts and proves that viewers see the new
// release.
package main

import (
	"context"
	"os"

	"github.com/unstale/unstale/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
