package invalidation

import (
	"fmt"
	"strings"
)

// Money is an amount in millionths of a US dollar.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000

// What paths cost. A wildcard or a tag is one path; putting paths into one batch saves nothing. The
// free paths are per account and month, across distributions.
// Source: CloudFront developer guide, "Paying for file invalidation"; CloudFront pricing page.
const (
	FreePaths          = 1000
	PathPrice    Money = 5000
	centsDigits        = 2
	moneyDigits        = 6
	moneyDivisor       = int64(Dollar)
)

// Cost is the price of n items when used paths were already invalidated in the account this month.
// Negative numbers count as none.
func Cost(n, used int) Money {
	return PathPrice * Money(max(n, 0)-min(max(n, 0), FreeLeft(used)))
}

// FreeLeft is how many paths of this month are still free after used ones.
func FreeLeft(used int) int { return max(0, FreePaths-max(used, 0)) }

// String writes dollars with at least two decimals: "$0.00", "$0.015", "-$1.50".
func (m Money) String() string {
	sign := ""
	whole, part := int64(m)/moneyDivisor, int64(m)%moneyDivisor
	if m < 0 {
		sign, whole, part = "-", -whole, -part
	}
	decimals := fmt.Sprintf("%0*d", moneyDigits, part)
	trimmed := strings.TrimRight(decimals, "0")
	return fmt.Sprintf("%s$%d.%s", sign, whole, decimals[:max(len(trimmed), centsDigits)])
}
