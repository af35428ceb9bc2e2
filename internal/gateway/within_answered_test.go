package gateway

import (
	"context"
	"errors"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"
)

// What takes many answers has its time while they come, and is ended once they do not.
func TestAnswered(t *testing.T) {
	for _, tt := range []struct {
		what    string
		answers int
		between time.Duration
		hangs   bool
		took    time.Duration
	}{
		{"many", 100, 9 * time.Second, false, 900 * time.Second},
		{"none is needed", 0, 0, false, 0},
		{"none", 0, 0, true, 10 * time.Second},
		{"no more", 3, 4 * time.Second, true, 22 * time.Second},
		{"too late", 1, 11 * time.Second, false, 10 * time.Second},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				n, err := Answered(t.Context(), 10*time.Second, func(ctx context.Context) (int, error) {
					for i := range tt.answers {
						select {
						case <-ctx.Done():
							return i, ctx.Err()
						case <-time.After(tt.between):
						}
						httptrace.ContextClientTrace(ctx).GotFirstResponseByte()
					}
					if tt.hangs {
						<-ctx.Done()
						return tt.answers, ctx.Err()
					}
					return tt.answers, nil
				})
				if took := time.Since(began); took != tt.took {
					t.Errorf("it took %s, not %s", took, tt.took)
				}
				e := (*Error)(nil)
				switch complete := !tt.hangs && tt.between <= 10*time.Second; {
				case complete && (n != tt.answers || err != nil):
					t.Errorf("%d answers, %v", n, err)
				case !complete && (!errors.As(err, &e) || e.Code != RequestTimeout || e.Message != "no answer within 10s"):
					t.Errorf("%v", err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // the caller's own end is told apart
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Answered(ctx, 10*time.Second, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*Error)) {
			t.Errorf("%#v", err)
		}
	})
}
