package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/plan"
)

func TestAPlanIsKeptOnce(t *testing.T) {
	m := newMemory()
	s := m.state(t, "")
	d := plan.Distribution{ID: "EDIST", Account: "222222222222"}
	if _, found, err := s.Plan(t.Context(), "EDIST", "r1"); found || err != nil {
		t.Fatalf("a plan before there is one: %v, %v", found, err)
	}
	first := plan.Everything(d, "first")
	first.WaitOut, first.Price = time.Second, 5000
	for i, p := range []plan.Plan{first, plan.Everything(d, "second")} {
		kept, err := s.KeepPlan(t.Context(), "EDIST", "r1", Known{}, p)
		if err != nil || !cmp.Equal(kept, first) {
			t.Errorf("try %d keeps %v, %v", i, kept, err)
		}
	}
	if got, found, err := s.Plan(t.Context(), "EDIST", "r1"); !found || err != nil || !cmp.Equal(got, first) {
		t.Errorf("%v, %v, %v", got, found, err)
	}
	// Several sites of one distribution, and several targets of one action, keep plans of their own.
	if _, found, err := s.Plan(t.Context(), "EDIST/bucket/docs", "r1"); found || err != nil {
		t.Errorf("another site's plan: %v, %v", found, err)
	}
	for _, body := range []string{"", "{}", `{"site":"EOTHER","plan":{}}`, "<html>"} {
		m.objects["plans/EDIST/r1.json"] = []byte(body)
		_, _, err := s.Plan(t.Context(), "EDIST", "r1")
		if err == nil || err.Error() != "read s3://state/plans/EDIST/r1.json: it is no plan of this site" {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestUsedCountsAMonth(t *testing.T) {
	s := newMemory().state(t, "s3://state/some/prefix/")
	may := time.Date(2026, 5, 31, 23, 59, 59, 0, time.UTC)
	june := may.Add(time.Second)
	berlin := time.FixedZone("", 2*60*60)
	for _, run := range []struct {
		account, target, attempt string
		paths                    int
		at                       time.Time
	}{
		{"222222222222", "site", "a-1", 3, may},
		{"222222222222", "site", "a-2", 0, may},
		{"222222222222", "site", "a-3", 40, may.Add(-24 * time.Hour)},
		{"222222222222", "docs", "a-3", 1, may.In(berlin)}, // which is June there
		{"222222222222", "site", "a-4", 500, june},
		{"333333333333", "site", "a-5", 7000, may},
		{"222222222222", "site", "a-1", 3, may}, // recorded twice
	} {
		key := EvidenceKey(run.account, "EDIST", run.target, run.attempt, run.paths, run.at)
		if err := s.Evidence(t.Context(), key, map[string]int{"paths": run.paths}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		account string
		at      time.Time
		want    int
	}{
		{"222222222222", may, 44},
		{"222222222222", june, 500},
		{"222222222222", june.In(berlin), 500},
		{"333333333333", may, 7000},
		{"444444444444", may, 0},
	} {
		if got, err := s.Used(t.Context(), tt.account, tt.at); got != tt.want || err != nil {
			t.Errorf("%s in %s: %d, %v; want %d", tt.account, tt.at, got, err, tt.want)
		}
	}
}

func TestKeysAndURIs(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key := EvidenceKey("222222222222", "EDIST", "site", "0b9d-7", 12, at)
	if want := "evidence/222222222222/2026-01/EDIST/site/0b9d-7-12.json"; key != want {
		t.Errorf("%s; want %s", key, want)
	}
	for _, tt := range []struct{ location, uri, stored string }{
		{"state", "s3://state/k.json", "k.json"},
		{"s3://state", "s3://state/k.json", "k.json"},
		{"s3://state/", "s3://state/k.json", "k.json"},
		{"s3://state/a/b/", "s3://state/a/b/k.json", "a/b/k.json"},
	} {
		m := newMemory()
		s := m.state(t, tt.location)
		if err := s.Evidence(t.Context(), "k.json", 1); err != nil || s.URI("k.json") != tt.uri || string(m.objects[tt.stored]) != "1" {
			t.Errorf("%s: %v, %s, %v", tt.location, err, s.URI("k.json"), m.objects)
		}
	}
}

func TestLocationsThatAreNone(t *testing.T) {
	for _, location := range []string{"", "s3://", "ab", "Upper", "s3://a_b", "arn:aws:s3:::state", strings.Repeat("x", 64)} {
		if _, err := NewState(aws.Config{}, location); err == nil || !strings.Contains(err.Error(), "it is not a bucket, such as s3://") {
			t.Errorf("%q: %v", location, err)
		}
	}
}

func TestDenials(t *testing.T) {
	for _, tt := range []struct {
		denied, says string
		do           func(*State) error
	}{
		{"s3:GetObject", `read s3://state/history/EDIST/index.json: AccessDenied: User: `, func(s *State) error {
			_, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "r1", Snapshot: one(1), At: time.Time{}})
			return err
		}},
		{"s3:PutObject", "write s3://state/history/EDIST/", func(s *State) error {
			_, err := s.Begin(t.Context(), "EDIST", Deploy{Attempt: "r1", Snapshot: one(1), At: time.Time{}})
			return err
		}},
		{"s3:ListBucket", "list s3://state/evidence/222222222222/", func(s *State) error {
			_, err := s.Used(t.Context(), "222222222222", time.Now())
			return err
		}},
		{"s3:PutObject", "write s3://state/plans/EDIST/r1.json: ", func(s *State) error {
			_, err := s.KeepPlan(t.Context(), "EDIST", "r1", Known{}, plan.Plan{})
			return err
		}},
		{"s3:PutObject", "write s3://state/k.json: ", func(s *State) error { return s.Evidence(t.Context(), "k.json", 1) }},
		{"s3:GetObject", "read s3://state/plans/EDIST/r1.json: ", func(s *State) error {
			_, err := s.Finish(t.Context(), "EDIST", "r1")
			return err
		}},
	} {
		m := newMemory()
		m.denied = tt.denied
		err := tt.do(m.state(t, ""))
		var failed *Error
		if !errors.As(err, &failed) || failed.Code != "AccessDenied" || !strings.HasPrefix(err.Error(), tt.says) ||
			!strings.Contains(err.Error(), "is not authorized to perform: "+tt.denied) {
			t.Errorf("%s: %v", tt.denied, err)
		}
	}
}
