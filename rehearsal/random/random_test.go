package random_test

import (
	"regexp"
	"testing"

	"github.com/unstale/unstale/rehearsal/random"
)

func TestIdentifiers(t *testing.T) {
	for _, tt := range []struct {
		make func() string
		want string
	}{
		{random.UUID, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		{func() string { return random.ID("AROA", 17) }, `^AROA[A-Z2-7]{17}$`},
		{func() string { return random.ID("", 32) }, `^[A-Z2-7]{32}$`},
	} {
		a, b := tt.make(), tt.make()
		if a == b || !regexp.MustCompile(tt.want).MatchString(a) {
			t.Errorf("%s and %s, want two different ones like %s", a, b, tt.want)
		}
	}
}
