package ablation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/unstale/unstale/internal/cli/story"
	"github.com/unstale/unstale/rehearsal/cloudfront"
	"github.com/unstale/unstale/rehearsal/faults"
	"github.com/unstale/unstale/rehearsal/front"
)

// marker is a password that somebody wrote where it does not belong.
const marker = "Tr0ub4dor-and-3-correct-horses"

// Whatever goes wrong, and whatever AWS's errors quote, no credential is in a log, in what the
// pipeline shows, in the journal or on a terminal: not the job's artifact credentials, not those in
// the functions' environments, nothing out of parameters that are refused.
func TestCredentialsAreNowhere(t *testing.T) {
	for _, tt := range []struct {
		what       string
		parameters string      // UserParameters; empty: the template's
		quotes     faults.Rule // the calls whose refusals quote the caller's credentials
		says       string      // part of what the pipeline shows of the Purge action
	}{
		{what: "a release that succeeds", says: "seen from"},
		{what: "S3 quotes the artifact credentials", quotes: faults.Rule{Service: "s3", Operation: "GetObject"}, says: "SignatureDoesNotMatch"},
		{what: "Lambda quotes the job function's", quotes: faults.Rule{Function: job, Service: "lambda", Operation: "Invoke"}, says: "SignatureDoesNotMatch"},
		{what: "CloudFront quotes the invalidator's", quotes: faults.Rule{Function: invalidator, Service: "cloudfront", Operation: "CreateInvalidation"}, says: "SignatureDoesNotMatch"},
		{what: "a look quotes the invalidator's", quotes: faults.Rule{Function: invalidator, Service: "cloudfront", Operation: "GetInvalidation"}, says: "SignatureDoesNotMatch"},
		{what: "CodePipeline quotes the job function's", quotes: faults.Rule{Function: job, Service: "codepipeline", Operation: "PutJobSuccessResult"}, says: "failed to return a result"},
		{what: "parameters with a password", parameters: `{"password":"` + marker + `"}`, says: `no field "password"`},
		{what: "parameters that are no JSON", parameters: `password=` + marker, says: "not a JSON object"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			w, err := enter(t, "relay", cloudfront.ReuseDocumented, func(_ string, text []byte) []byte {
				return withParameters(t, text, tt.parameters)
			})
			if err != nil {
				t.Fatal(err)
			}
			shownTo := w.narrate()
			secrets := &collector{secrets: map[string]string{marker: "the password"}}
			if tt.quotes.Service != "" {
				tt.quotes.Do = secrets.quote(w)
				w.script.Add(tt.quotes)
			}
			w.script.Add(faults.Rule{Do: secrets.pass(w)})
			_, f := w.release(t)
			shown := show(t, w)
			if !strings.Contains(shown["the pipeline"], tt.says) {
				t.Errorf("the pipeline does not show %q: %v", tt.says, f)
			}
			shown["the terminal"] = shownTo()
			w.until(t, "the job function's log", func() bool {
				lines := readLog(t, w, story.PipelineAccount, "/aws/lambda/"+job)
				return len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1].Message, "REPORT ")
			})
			secrets.demandNone(t, w, shown)
		})
	}
}

// withParameters replaces the Purge action's UserParameters.
func withParameters(t *testing.T, text []byte, parameters string) []byte {
	template := decode(t, text)
	pipeline, ok := template["Resources"].(object)["Pipeline"].(object)
	if parameters == "" || !ok {
		return text
	}
	for _, stage := range pipeline["Properties"].(object)["Stages"].([]any) {
		for _, action := range stage.(object)["Actions"].([]any) {
			if a := action.(object); a["Name"] == "Purge" {
				a["Configuration"].(object)["UserParameters"] = parameters
			}
		}
	}
	return encode(t, template)
}

// narrate shows what happens as the command line would; the function gives what was shown so far.
func (w *world) narrate() func() string {
	var mu sync.Mutex
	var out bytes.Buffer
	n := story.NewNarrator(terminal(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	}), false)
	w.journal.OnEvent(n.Event)
	w.journal.OnCall(n.Call)
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return out.String()
	}
}

type terminal func([]byte) (int, error)

func (w terminal) Write(p []byte) (int, error) { return w(p) }

// show gathers every output of the current release.
func show(t *testing.T, w *world) map[string]string {
	t.Helper()
	out := map[string]string{}
	for what, value := range map[string]any{
		"the pipeline": w.World.Executions(story.PipelineAccount, w.Outputs["PipelineName"]),
		"the journal":  w.journal.Calls(),
	} {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(value); err != nil {
			t.Fatal(err)
		}
		out[what] = strings.ReplaceAll(text.String(), `\"`, `"`)
	}
	return out
}

// collector gathers the credentials of everybody who calls.
type collector struct {
	mu      sync.Mutex
	secrets map[string]string // credential -> whose
}

func (c *collector) pass(w *world) faults.Action {
	return func(_ *faults.Script, _ faults.Call, x front.Exchange) {
		c.note(w, x)
		x.Next.ServeHTTP(x.Writer, x.Request)
	}
}

// quote refuses a call as AWS refuses a signature: with the canonical request, which has the session
// token in it; and, which AWS does not do, with the rest.
func (c *collector) quote(w *world) faults.Action {
	return func(s *faults.Script, call faults.Call, x front.Exchange) {
		key := c.note(w, x)
		faults.Fail(403, "SignatureDoesNotMatch", fmt.Sprintf("The Canonical String for this request should have been 'POST x-amz-security-token:%s' for %s and %s.",
			key[2], key[0], key[1]))(s, call, x)
	}
}

func (c *collector) note(w *world, x front.Exchange) [3]string {
	caller := x.Call.Caller
	key, ok := w.World.Directory().Key(caller.AccessKeyID)
	if !ok {
		return [3]string{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{key.SecretAccessKey, key.SessionToken} {
		if secret != "" {
			c.secrets[secret] = caller.Name()
		}
	}
	return [3]string{key.AccessKeyID, key.SecretAccessKey, key.SessionToken}
}

// demandNone looks for every credential in the logs and in what else was shown.
func (c *collector) demandNone(t *testing.T, w *world, shown map[string]string) {
	t.Helper()
	for account, groups := range map[string][]string{
		story.PipelineAccount: {"/aws/codebuild/unstale", "/aws/lambda/" + job}, story.DeliveryAccount: {"/aws/lambda/" + invalidator},
	} {
		_, password := w.World.GitCredentials(account)
		c.mu.Lock()
		c.secrets[w.World.Root(account).SecretAccessKey] = "the root of account " + account
		c.secrets[password] = "git in account " + account
		c.mu.Unlock()
		for _, group := range groups {
			var all strings.Builder
			for _, line := range readLog(t, w, account, group) {
				all.WriteString(line.Message)
			}
			shown["the log "+group] = all.String()
		}
	}
	if len(c.secrets) < 5 {
		t.Fatalf("only %d credentials were collected", len(c.secrets))
	}
	for what, text := range shown {
		if text == "" && !strings.Contains(what, invalidator) { // which not every path reaches
			t.Errorf("%s shows nothing at all", what)
		}
		for secret, whose := range c.secrets {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s has a credential of %s: ...%s...", what, whose, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
}
