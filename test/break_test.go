package test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unstale/unstale/test/stage"
)

// A mistake ends with exit code 1 and tells where it failed, why, and the statement to add, once the story
// was shown. What each mistake ends with is in test/mistakes.
func TestBreakAsText(t *testing.T) {
	t.Parallel()
	got := unstale(t, nil, "rehearse", "--break", "external-id", "--lambdas", stage.Lambdas(t))
	if got.code != 1 || !strings.Contains(got.stderr, "the release failed, as it had to with this mistake") {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	if n := strings.Count(got.stdout, `"Effect"`); n != 1 {
		t.Errorf("the statement to add is printed %d times\n%s", n, got.stdout)
	}
	inOrder(t, got.stdout,
		"unstale rehearse, route assume", "refused by trust", "pipeline unstale Failed",
		"mistake   external-id: the two accounts do not agree", "failed    Deliver/Announce", "said      ", "sts:AssumeRole",
		"decision  no trust policy in account 222222222222 allows sts:AssumeRole", `sts:ExternalId "unstale-`, `the request has "not-the-one-agreed-on"`,
		"lesson    The trust policy asks for an external ID",
		"add in account 222222222222, to the trust policy of arn:aws:iam::222222222222:role/unstale-purge:\n{\n", `"Effect": "Allow"`, `"sts:ExternalId": "not-the-one-agreed-on"`, "\n}\n",
	)
}

// The same as a document: the report as ever, and the finding.
func TestBreakAsDocument(t *testing.T) {
	t.Parallel()
	got := unstale(t, nil, "rehearse", "--break", "no-callback", "--json", "--lambdas", stage.Lambdas(t))
	if got.code != 1 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	d := parse(t, got.stdout)
	var more struct {
		Finding struct {
			Mistake, Route, FailedAt, Said, Why, Lesson string
			Seconds                                     float64
			Changes                                     []struct {
				Do, Account, To string
				Statement       map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &more); err != nil {
		t.Fatal(err)
	}
	f := more.Finding
	// The mistake is made on one route only, so that one was taken; nobody answered for 20 minutes.
	if d.Route != "direct" || f.Route != "direct" || d.Pipeline.Status != "Failed" || f.Mistake != "no-callback" || f.FailedAt != "Deliver/Announce" || f.Seconds < 1200 || f.Lesson == "" {
		t.Errorf("route %s, pipeline %s, finding %+v", d.Route, d.Pipeline.Status, f)
	}
	if len(f.Changes) != 1 || f.Changes[0].Account != "222222222222" || f.Changes[0].Statement["UNSTALE_CALLBACK_ROLE"] != "arn:aws:iam::111111111111:role/unstale-callback" {
		t.Errorf("changes %+v", f.Changes)
	}
}

// The article's second way: a role of the other account is not taken, whatever the policies say. The
// statement that the mistake ends with is the one by which route assume does what was meant.
func TestBreakCrossAccountRole(t *testing.T) {
	t.Parallel()
	got := unstale(t, nil, "rehearse", "--break", "cross-account-role", "--lambdas", stage.Lambdas(t))
	if got.code != 1 {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	inOrder(t, got.stdout, "failed    stack unstale-pipeline-assume", "JobFunction: "+crossAccount, "lesson    A service takes roles of its own account only",
		"add in account 111111111111, to the identity policy of arn:aws:iam::111111111111:role/unstale-job:", `"Action": "sts:AssumeRole"`, `"Resource": "arn:aws:iam::222222222222:role/unstale-purge"`)
	good := parse(t, unstale(t, nil, "rehearse", "--route", "assume", "--json", "--lambdas", stage.Lambdas(t)).stdout)
	for _, c := range good.Calls {
		if c.Action == "sts:AssumeRole" && c.Resource == "arn:aws:iam::222222222222:role/unstale-purge" && strings.HasPrefix(c.Principal, "arn:aws:sts::111111111111:assumed-role/unstale-job/") && c.Decision == "allow" {
			return
		}
	}
	t.Error("the repaired story has no such call")
}
