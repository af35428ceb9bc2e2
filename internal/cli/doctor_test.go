package cli

import (
	"errors"
	"os"
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
	named := rungs(doctor.Broken)
	named.Rungs[0].Changes, named.Rungs[0].Try = nil, "another name"
	for _, tt := range []struct {
		report    doctor.Report
		lenient   bool
		says, try string // empty: no error
	}{
		{rungs(doctor.OK), false, "", ""},
		{rungs(doctor.OK, doctor.Broken, doctor.Unknown), true, "1 of 3 checks is broken, first: the broken one", "in account 222222222222"},
		{rungs(doctor.Unknown, doctor.OK), false, "1 of 2 checks is unknown, first: the unknown one", "--allow-unknown"},
		{rungs(doctor.Unknown, doctor.OK), true, "", ""},
		{advice, false, "1 of 1 check is broken", "as said above"},
		{named, false, "1 of 1 check is broken", "another name"},
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

// Who has to do something else is told so, not to ask for more permissions.
func TestJudgeWhatNoPermissionMends(t *testing.T) {
	for r, want := range map[*doctor.Report]string{
		new(rungs(doctor.OK, doctor.Unknown)):      "your pipeline; or",
		new(rungs(doctor.Unknown, doctor.Unknown)): "your pipeline, and profiles",
	} {
		r.First(doctor.Unknown).Try = "unstale doctor --pipeline NAME, with the name of your pipeline"
		var h hinted
		if err := judge(*r, false); !errors.As(err, &h) || !strings.Contains(h.try, "--pipeline NAME") || !strings.Contains(h.try, want) {
			t.Errorf("%v, try %s", err, h.try)
		}
	}
}

func TestDoctorOfTarget(t *testing.T) {
	t.Chdir(t.TempDir())
	take := func() (doctorFlags, error) {
		var f doctorFlags
		err := f.take("shop", nil)
		return f, err
	}
	var h hinted
	if _, err := take(); !errors.As(err, &h) || !strings.Contains(h.try, "--distribution ID") {
		t.Errorf("without a file: %v", err)
	}
	const text = "version: 1\ntargets:\n  shop:\n    route: same-account\n    distribution: E2EXAMPLE\n    profile: site\n"
	if err := os.WriteFile("unstale.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := take()
	if err != nil || f.pipelineProfile != "site" {
		t.Fatalf("%+v, %v", f, err)
	}
	if q, err := f.question(); err != nil || q.Target == nil || q.Target.Distribution != "E2EXAMPLE" || q.Name != "" {
		t.Errorf("%+v, %v", q, err)
	}
	if err := f.take("shop", []string{"--name"}); err == nil || !strings.Contains(err.Error(), "--name") {
		t.Errorf("err = %v", err)
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
	if got := doctorText(rungs(doctor.OK, doctor.Unknown, doctor.Broken), false, printer{color: false}); got != want {
		t.Errorf("%s", got)
	}
	noted := rungs(doctor.OK, doctor.Note)
	noted.Rungs[1].Changes = rungs(doctor.Broken).Rungs[0].Changes
	for _, part := range []string{"note     111111111111  the note one: arn:x\n           because\n", "\noptional: add in account 222222222222, ", "\nall well: 1 check, 1 to note\n"} {
		if got := doctorText(noted, false, printer{color: false}); !strings.Contains(got, part) {
			t.Errorf("not %q: %s", part, got)
		}
	}
	if err := judge(noted, false); err != nil {
		t.Errorf("a note is judged: %v", err)
	}
	verbose := doctorText(rungs(doctor.OK), true, printer{color: true})
	for _, part := range []string{"\x1b[32mok     \x1b[0m  1", "           because\n           read: iam:GetRole x\n", "\nall well: 1 check\n"} {
		if !strings.Contains(verbose, part) {
			t.Errorf("not %q: %s", part, verbose)
		}
	}
}

// On a terminal lines are folded between words, so that whatever can be pasted stays in one piece, and statements
// stay as they are.
func TestDoctorTextOnTerminal(t *testing.T) {
	const key = "arn:aws:kms:us-east-1:111111111111:key/0ca4243c-2e39-4cd5-bf47-9f8daa78fbe7"
	r := rungs(doctor.OK, doctor.Unknown, doctor.Broken)
	r.Rungs[0].Name, r.Rungs[0].Subject = "the job function knows its targets", "arn:aws:lambda:us-east-1:111111111111:function:unstale-job"
	r.Rungs[1].Name, r.Rungs[1].Subject, r.Rungs[1].Why = "the role may use the key", key, "it may not be read what role/unstale-deploy may do on "+key+": no profile was given"
	r.Rungs[2].Changes[0].To = "arn:aws:iam::222222222222:role/unstale-purge"
	r.Rungs[2].Changes[0].Statement = []byte(`{"Resource":"arn:aws:iam::111111111111:role/` + strings.Repeat("x", 80) + `"}`)
	const want = `route assume

ok       111111111111  the job function knows its targets
           arn:aws:lambda:us-east-1:111111111111:function:unstale-job
unknown  111111111111  the role may use the key
     arn:aws:kms:us-east-1:111111111111:key/0ca4243c-2e39-4cd5-bf47-9f8daa78fbe7
           it may not be read what role/unstale-deploy may do on
    arn:aws:kms:us-east-1:111111111111:key/0ca4243c-2e39-4cd5-bf47-9f8daa78fbe7:
           no profile was given
broken   111111111111  the broken one: arn:x
           because

add in account 222222222222, to the trust policy of
  arn:aws:iam::222222222222:role/unstale-purge:
{
  "Resource": "arn:aws:iam::111111111111:role/XX"
}

1 broken, 1 unknown, 1 ok
`
	if got := doctorText(r, false, printer{width: 80}); got != strings.Replace(want, "XX", strings.Repeat("x", 80), 1) {
		t.Errorf("%s", got)
	}
	painted := doctorText(r, true, printer{width: 80, color: true})
	for _, style := range styles() {
		painted = strings.ReplaceAll(painted, style, "")
	}
	if plain := doctorText(r, true, printer{width: 80}); painted != plain {
		t.Errorf("colours change more than colours: %s", painted)
	}
	piped := doctorText(r, true, printer{})
	if plain := doctorText(r, true, printer{width: 80}); strings.Join(strings.Fields(strings.ReplaceAll(piped, ": arn", " arn")), " ") != strings.Join(strings.Fields(strings.ReplaceAll(plain, ": arn", " arn")), " ") {
		t.Errorf("a terminal shows something else: %s", plain)
	}
}
