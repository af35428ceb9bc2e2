package oracle

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	soakFor = flag.Duration("soak", time.Second, "how long to soak")
	seed    = flag.Uint64("seed", 0, "of the soak; without one, a soak that is asked for draws one")
)

// portion is how many days are tried under one seed. A failure names that seed.
const portion = 200

// TestSoak plays random days for a while. make soak SOAK=2m makes it longer, SEED=n the same again.
func TestSoak(t *testing.T) {
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "soak" })
	if asked && *seed == 0 {
		*seed = rand.Uint64N(1<<53) + 1
	}
	first := max(*seed, 1) // to rapid, 0 means any
	if asked {
		fmt.Printf("seed %d\n", first)
	}
	checks := flag.Lookup("rapid.checks").Value.String()
	set := func(name, value string) {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	defer set("rapid.checks", checks)
	defer set("rapid.seed", flag.Lookup("rapid.seed").Value.String())
	set("rapid.checks", strconv.Itoa(portion))
	days := 0
	for until := time.Now().Add(*soakFor); days == 0 || time.Now().Before(until); days += portion {
		set("rapid.seed", strconv.FormatUint(first+uint64(days/portion), 10))
		if !t.Run("seed "+flag.Lookup("rapid.seed").Value.String(), func(t *testing.T) { rapid.Check(t, day) }) {
			break
		}
	}
	if asked {
		fmt.Printf(`{"days":%d,"stale":%t}`+"\n", days, t.Failed())
	}
}
