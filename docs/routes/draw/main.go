// Command draw writes the diagrams of docs/routes.md, one SVG a route, so that they keep one hand and
// change with a line of Go:
//
//	go run ./docs/routes/draw docs/routes
//
// The same input gives the same bytes; a test holds the committed files against it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ..

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: draw DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "draw:", err)
		os.Exit(1)
	}
}

// write puts every diagram into a directory as ROUTE.svg.
func write(dir string) error {
	for _, d := range diagrams() {
		if err := os.WriteFile(filepath.Join(dir, d.name+".svg"), d.svg(), 0o644); err != nil {
			return fmt.Errorf("write the diagram of route %s: %w", d.name, err)
		}
	}
	return nil
}
