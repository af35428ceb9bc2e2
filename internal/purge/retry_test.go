package purge

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/unstale/unstale/internal/gateway"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Class
	}{
		{code("ServiceUnavailable"), Fast},
		{code("Throttling"), Fast},
		{code("ThrottlingException"), Fast},
		{code("TooManyRequestsException"), Fast},
		{code("RequestTimeout"), Fast},
		{code("NetworkError"), Fast},
		{code("ServiceException"), Fast},
		{&gateway.Error{Code: "Strange", Status: 503}, Fast},
		{&gateway.Error{Code: "Strange", Status: 429}, Fast},
		{&gateway.Error{Code: "Strange", Temporary: true}, Fast},
		{fmt.Errorf("call: %w", code("Throttling")), Fast},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, Fast},
		{code("TooManyInvalidationsInProgress"), Slow},
		{&gateway.Error{Code: "TooManyInvalidationsInProgress", Status: 400, Temporary: true}, Slow},
		{code("AccessDenied"), Never},
		{code("InvalidArgument"), Never},
		{code("NoSuchDistribution"), Never},
		{code("BatchTooLarge"), Never},
		{code("DistributionNotAllowed"), Never},
		{code("ReferenceReused"), Never},
		{code("ExpiredToken"), Never},
		{&gateway.Error{Code: "AccessDenied", Status: 500}, Never},
		{code("NoSuchInvalidation"), Unknown},
		{code("FunctionError"), Unknown},
		{code("BadAnswer"), Unknown},
		{&gateway.Error{Code: "Strange", Status: 400}, Unknown},
		{errors.New("strange"), Unknown},
	} {
		if got := Classify(tt.err); got != tt.want {
			t.Errorf("Classify(%v) = %q; want %q", tt.err, got, tt.want)
		}
	}
}

func TestDelay(t *testing.T) {
	r := Retry{Rand: func() float64 { return 0 }}.orDefault(Schedule{Median: 10 * time.Second})
	for _, tt := range []struct {
		class  Class
		failed int
		want   time.Duration
		again  bool
	}{
		{Fast, 1, 200 * time.Millisecond, true},
		{Fast, 2, 400 * time.Millisecond, true},
		{Fast, 9, 5 * time.Second, true},
		{Fast, 10, 0, false},
		{Slow, 1, 5 * time.Second, true},
		{Slow, 3, 20 * time.Second, true},
		{Slow, 1000, 30 * time.Second, true},
		{Unknown, 2, 400 * time.Millisecond, true},
		{Unknown, 3, 0, false},
		{Never, 1, 0, false},
	} {
		if got, again := r.Delay(tt.class, tt.failed); got != tt.want || again != tt.again {
			t.Errorf("Delay(%q, %d) = %v, %v; want %v, %v", tt.class, tt.failed, got, again, tt.want, tt.again)
		}
	}
}

// Whatever chance says, a wait is between half of its nominal length and all of it.
func TestJitterIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chance := rapid.Float64Range(0, 0.999999).Draw(t, "chance")
		class := rapid.SampledFrom([]Class{Fast, Slow, Unknown}).Draw(t, "class")
		failed := rapid.IntRange(1, 50).Draw(t, "failed")
		exact := Retry{Rand: func() float64 { return 0 }}.orDefault(Schedule{}.orDefault())
		jittered := Retry{Rand: func() float64 { return chance }}.orDefault(Schedule{}.orDefault())
		most, again := exact.Delay(class, failed)
		d, also := jittered.Delay(class, failed)
		if again != also || d > most || d < most/2 {
			t.Fatalf("%v of at most %v", d, most)
		}
	})
}

func TestCreateIsRetriedByClass(t *testing.T) {
	for _, tt := range []struct {
		what    string
		fails   []error
		creates int
		failed  string // code of the failure, "" for success
		least   time.Duration
	}{
		{"busy", times(4, code(gateway.ServiceUnavailable)), 5, "", 3 * time.Second},
		{"throttled for long", times(20, code(gateway.Throttling)), 10, gateway.Throttling, 0},
		{"no room for a while", times(3, code(gateway.TooManyInvalidationsInProgress)), 4, "", 35 * time.Second},
		{"denied", times(1, code(gateway.AccessDenied)), 1, gateway.AccessDenied, 0},
		{"no such distribution", times(1, code(gateway.NoSuchDistribution)), 1, gateway.NoSuchDistribution, 0},
		{"strange once", times(1, code("Strange")), 2, "", 0},
		{"strange", times(9, code("Strange")), 3, "Strange", 0},
		{
			"classes are counted apart",
			append(times(9, code(gateway.Throttling)), append(times(2, code("Strange")), times(2, code(gateway.TooManyInvalidationsInProgress))...)...),
			14, "", 0,
		},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{fails: map[string][]error{"create": tt.fails}}
				p, o := purgeOf(c, fresh())
				began := time.Now()
				v, _ := throughout(t, p, o)
				creates := 0
				for _, call := range c.calls {
					if call == "create" {
						creates++
					}
				}
				if creates != tt.creates || v.OK() != (tt.failed == "") || time.Since(began) < tt.least {
					t.Errorf("%d creates in %v: %v", creates, time.Since(began), v)
				}
				var e *gateway.Error
				if tt.failed != "" && (!errors.As(v.Failure, &e) || e.Code != tt.failed || v.Failure.Try != "do "+tt.failed) {
					t.Errorf("failure %v; want %s", v.Failure, tt.failed)
				}
			})
		})
	}
}

func TestRetriesEndWithTheOrdersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{fails: map[string][]error{"create": times(1000, code(gateway.TooManyInvalidationsInProgress))}}
		p, o := purgeOf(c, fresh())
		o.Until = time.Now().Add(90 * time.Second) // more than one window, less than two
		v, invocations := throughout(t, p, o)
		var e *gateway.Error
		if v.Outcome != Failed || !errors.As(v.Failure, &e) || e.Code != gateway.TooManyInvalidationsInProgress {
			t.Error(v)
		}
		if invocations != 2 {
			t.Errorf("%d invocations: room is waited for in one as long as completion is", invocations)
		}
		if time.Now().After(o.Until) {
			t.Errorf("ended %v late", time.Since(o.Until))
		}
	})
}
