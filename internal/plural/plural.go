// Package plural puts the right noun beside a number, so that people never read of "1 pages".
package plural

import "strconv"

// Of writes a number with a noun whose plural takes an s: "1 page", "2 pages".
func Of(n int, noun string) string {
	return strconv.Itoa(n) + " " + Word(n, noun, noun+"s")
}

// Word is the one of two words that goes with a number.
func Word(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
