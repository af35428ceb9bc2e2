package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/unstale/unstale/internal/doctor"
	"github.com/unstale/unstale/internal/doctor/repair"
)

func rungs(states ...doctor.State) doctor.Report {
	r := doctor.Report{Route: "assume"}
	for _, s := range states {
		rung := doctor.Rung{Name: "the " + string(s) + " one", Account: "111111111111", Subject: "arn:x", State: s, Why: "because", Read: []string{"iam:GetRole x"}}
		switch s {
		case doctor.Broken:
			r.Broken++
			rung.Changes = []repair.Change{{Do: repair.Add, Account: "222222222222", To: "r", Layer: "trust", Statement: []byte(`{}`)}}
		case doctor.Unknown:
			r.Unknown++
		}
		r.Rungs = append(r.Rungs, rung)
	}
	return r
}

func TestJudge(t *testing.T) {
	advice := rungs(doctor.Broken)
	advice.Rungs[0].Changes = nil
	for _, tt := range []struct {
		report    doctor.Report
		lenient   bool
		says, try string // empty: no error
	}{
		{rungs(doctor.OK), false, "", ""},
		{rungs(doctor.OK, doctor.Broken, doctor.Unknown), true, "1 of 3 checks are broken, first: the broken one", "in account 222222222222"},
		{rungs(doctor.Unknown, doctor.OK), false, "1 of 2 checks are unknown, first: the unknown one", "--allow-unknown"},
		{rungs(doctor.Unknown, doctor.OK), true, "", ""},
		{advice, false, "1 of 1 checks are broken", "as said above"},
	} {
		err := judge(tt.report, tt.lenient)
		if (err == nil) != (tt.says == "") {
			t.Errorf("%v", err)
		}
		var h hinted
		if err != nil && (!errors.As(err, &h) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(h.try, tt.try)) {
			t.Errorf("%v, try %s", err, h.try)
		}
	}
}

func TestDoctorText(t *testing.T) {
	const want = `route assume

ok       111111111111  the ok one: arn:x
unknown  111111111111  the unknown one: arn:x
           because
broken   111111111111  the broken one: arn:x
           because

add in account 222222222222, to the trust policy of r:
{}

1 broken, 1 unknown, 1 ok
`
	if got := doctorText(rungs(doctor.OK, doctor.Unknown, doctor.Broken), false, false); got != want {
		t.Errorf("%s", got)
	}
	noted := rungs(doctor.OK, doctor.Note)
	noted.Rungs[1].Changes = rungs(doctor.Broken).Rungs[0].Changes
	for _, part := range []string{"note     111111111111  the note one: arn:x\n           because\n", "\noptional: add in account 222222222222, ", "\nall well: 1 checks, 1 to note\n"} {
		if got := doctorText(noted, false, false); !strings.Contains(got, part) {
			t.Errorf("not %q: %s", part, got)
		}
	}
	if err := judge(noted, false); err != nil {
		t.Errorf("a note is judged: %v", err)
	}
	verbose := doctorText(rungs(doctor.OK), true, true)
	for _, part := range []string{"\x1b[32mok     \x1b[0m  1", "           because\n           read: iam:GetRole x\n", "\nall well: 1 checks\n"} {
		if !strings.Contains(verbose, part) {
			t.Errorf("not %q: %s", part, verbose)
		}
	}
}
