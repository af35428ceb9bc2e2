package matrix

import (
	"testing"

	"github.com/unstale/unstale/rehearsal/faults"
)

// assumeRole is the call by which a function crosses the border.
const assumeRole = "AssumeRole"

func expired() faults.Action {
	return faults.Fail(403, "ExpiredToken", "The security token included in the request is expired")
}

func denied() faults.Action {
	return faults.Fail(403, "AccessDenied", "User: arn:aws:sts::222222222222:assumed-role/unstale-purge/x is not authorized to perform: cloudfront:CreateInvalidation")
}

// anyone strikes whoever makes the call.
func anyone(service, operation string, from, to int, do faults.Action) row {
	return rules(faults.Rule{Service: service, Operation: operation, From: from, To: to, Do: do})
}

// crossings are the faults that only one route knows, by its name. The others are the same on every
// route, and the relay's tables have them.
var crossings = map[string][]fault{
	"assume": {
		{
			proves: "STS is throttled three times: asked again soon", before: cold(job), row: anyone("sts", assumeRole, 1, 3, throttled()),
			classes: []string{"fast"}, calls: map[string]int{"job " + assumeRole: 4, create: 1},
		},
		{
			proves: "STS is throttled without end: fails with AWS's word and the role's name", before: cold(job),
			row:  row{rules: anyone("sts", assumeRole, 1, 0, throttled()).rules, parameters: `"wait":"1s"`},
			code: "SystemUnavailable", says: []string{"assume role arn:aws:iam::222222222222:role/", ": Rate exceeded"},
			classes: []string{"fast"}, invalidations: -1,
		},
		{
			proves: "the session is over at create: another one is taken", row: anyone(cloudFront, create, 1, 1, expired()),
			calls: map[string]int{"job " + assumeRole: 2, create: 2},
		},
		{
			proves: "the session is over while it looks: another one is taken", row: anyone(cloudFront, get, 1, 1, expired()),
			calls: map[string]int{"job " + assumeRole: 2, create: 1}, atLeast: map[string]int{get: 2},
		},
	},
	"direct": {
		{
			proves: "STS is throttled twice when the callback role is taken: asked again", before: cold(job), row: anyone("sts", assumeRole, 1, 2, throttled()),
			classes: []string{}, calls: map[string]int{"job " + assumeRole: 3, "job " + success: 1, create: 1},
		},
		{
			proves: "the callback role cannot be had in a whole attempt: Lambda's retry answers", before: cold(job),
			row:     anyone("sts", assumeRole, 1, 1, faults.Fail(403, "AccessDenied", "not now")),
			classes: []string{}, calls: map[string]int{"job " + assumeRole: 2, "job " + success: 1, create: 2},
		},
		{
			proves: "the callback role can never be had: AWS's own word after 20 minutes", before: cold(job), unanswered: true,
			row:  anyone("sts", assumeRole, 1, 0, faults.Fail(403, "AccessDenied", "never")),
			code: "JobFailed", says: []string{silence}, classes: []string{}, calls: map[string]int{"job " + assumeRole: 3, create: 3},
		},
		{
			proves: "the callback session is over when it answers: another one is taken", row: anyone("codepipeline", success, 1, 1, faults.Fail(400, "ExpiredTokenException", "The security token included in the request is expired")),
			classes: []string{}, calls: map[string]int{"job " + success: 2, create: 1},
		},
	},
	"states": {
		{proves: "throttled three times at create: retried soon", row: anyone(cloudFront, create, 1, 3, throttled()), calls: map[string]int{create: 4}},
		{proves: "503 three times at a look: retried soon", row: anyone(cloudFront, get, 1, 3, busy()), calls: map[string]int{create: 1}, atLeast: map[string]int{get: 4}},
		{proves: "no room twice: retried slowly", row: anyone(cloudFront, create, 1, 2, full()), calls: map[string]int{create: 3}},
		{
			proves: "no room ever: fails and says what to do", row: anyone(cloudFront, create, 1, 0, full()), invalidations: -1,
			code: "JobFailed", says: []string{"Too many invalidations are in progress", "then retry the stage"}, calls: map[string]int{create: 16},
		},
		{
			proves: "CloudFront refuses: never tried again, and it says what to allow", row: anyone(cloudFront, create, 1, 0, denied()), invalidations: -1,
			code: "JobFailed", says: []string{"CloudFront denies role arn:aws:iam::222222222222:role/unstale-purge", "allow cloudfront:CreateInvalidation"}, calls: map[string]int{create: 1},
		},
	},
}

// TestCrossings plays the bad days of single routes, as TestFaults does those of all.
func TestCrossings(t *testing.T) {
	t.Parallel()
	for name, table := range crossings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := on(name)
			on.fallback = "0"
			w := newWorld(t, on, nil)
			for _, f := range table {
				t.Run(f.proves, func(t *testing.T) { f.run(t, w.as(t)) })
			}
		})
	}
}
