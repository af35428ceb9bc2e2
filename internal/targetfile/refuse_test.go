package targetfile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const role = "arn:aws:iam::222222222222:role/purge"

// refusals are files with the exact text of what is wrong with them.
var refusals = []struct{ name, text, want string }{
	// The file as such.
	{"nothing", "", "f: the file has no content; begin with version: 1"},
	{"comments", "# version: 1\n", "f: the file has no content; begin with version: 1"},
	{"too long", strings.Repeat("#", maxSize+1), "f: the file has 1048577 bytes, more than 1048576; split it into several files, and choose one with --config"},
	{"many lines", strings.Repeat("\n", maxLines+1), "f: the file has 60001 lines, more than 60000; split it into several files, and choose one with --config"},
	{"many words", "[" + strings.Repeat(strings.Repeat("a,", 4000)+"\n", 20), "f:19:6000: the file has more than 150000 words and signs; split it into several files, and choose one with --config"},
	{"many values below", later(), "f:15001:4: more than 15000 keys have no value in their line; split it into several files, and choose one with --config"},
	{"many keys", strings.Repeat("a: b\n", maxKeys+1), "f:5001:2: more than 5000 keys or entries stand in one place"},
	{"NUL", "version: 1\nta\x00rgets: {}", "f:2:3: a control character (U+0000) stands here"},
	{"lone carriage return", "version: 1\rtargets: {}", "f:1:11: a control character (U+000D) stands here"},
	{"not UTF-8", "# é\nversion: é\xff", "f:2:11: this is not UTF-8; save it as UTF-8"},
	{"empty lines", "version: 1" + strings.Repeat("\n \t", 101), "f:102:1: more than 100 lines in a row are empty"},
	{"a long line", "version: 1\n# " + strings.Repeat("x", 10_000), "f:2:1: the line has 10002 bytes, more than 10000"},
	{"tab", "version: 1\n\tx: 1", "f:2:1: this is not YAML: a tab stands here; indent with spaces"},
	{"not YAML", "version: [1\n", "f:1:10: this is not YAML: sequence end token ']' not found"},
	{"variable in braces", fileOf("  a: {account: ${ACCOUNT}}"), `f:3:17: this is not YAML: ',' or '}' must be specified; within braces and brackets write "${NAME}" in quotes`},
	{"list", "- version: 1", "f:1:1: this is a list, not a mapping"},
	{"text", "version", "f:1:1: this is a text, not a mapping"},
	{"two documents", "version: 1\n---\nversion: 1\n", "f:2:1: a second document begins here; keep one"},
	{"directive", "%YAML 1.2\n---\nversion: 1\n", "f:1:1: directives (%) are not used here; leave it out"},
	{"tag", "version: !!int 1\n", "f:1:10: tags such as !!int are not used here; leave it out"},
	{"explicit key", "? version\n: 1\n", "f:1:1: keys behind a question mark are not used here; write KEY: VALUE"},
	{"merge", "version: 1\ndefaults: &d {}\ntargets:\n  <<: *d\n", "f:4:3: merge keys (<<) are not used here; write what targets share under defaults"},
	{"two anchors", "version: &a &b 1\n", "f:1:10: one value has two anchors"},
	{"unknown alias", fileOf("  a: *b"), "f:3:6: nothing before here has the anchor &b"},
	{"an alias of itself", fileOf("  a: &a {groups: *a}"), "f:3:3: targets.a: route is missing; add one of assume, relay, direct, states, same-account\nf:3:18: nothing before here has the anchor &a"},
	{"nested flow", "version: " + strings.Repeat("[", 20), "f:1:25: the nesting is deeper than 16 levels"},
	{"nested lists", strings.Repeat("- ", 20), "f:1:33: the nesting is deeper than 16 levels"},
	{"nested mappings", nested(20), "f:17:18: the nesting is deeper than 16 levels"},

	// Top level.
	{"no version", "targets: {a: {route: direct, distribution: E1}}", "f:1:1: version is missing; add version: 1"},
	{"next version", "version: 2\nsites: {}", "f:1:10: version: there is one version, the number 1; write version: 1"},
	{"version as text", "version: '1'\ntargets: {}", "f:1:10: version: there is one version, the number 1; write version: 1"},
	{"no targets", "version: 1", "f:1:1: targets is missing; add targets, a mapping of names to targets"},
	{"unknown key", "version: 1\ntarget: {}", "f:1:1: targets is missing; add targets, a mapping of names to targets\nf:2:1: there is no key \"target\"; did you mean targets?"},
	{"targets empty", "version: 1\ntargets: {}", "f:2:10: targets: there are none"},
	{"targets without value", "version: 1\ntargets:\n", "f:2:1: targets: the value is missing; leave it out, or write a mapping"},
	{"targets as a list", "version: 1\ntargets: [a]", "f:2:10: targets: this is a list, not a mapping"},
	{"target as text", fileOf("  a: E1"), "f:3:6: targets.a: this is a text, not a mapping"},
	{"name", fileOf("  'a b': {route: direct, distribution: E1}"), "f:3:3: targets.a b: a name has 1 to 64 letters, digits, '.', '_' or '-'"},
	{"a list for a name", fileOf("  [a]: {route: direct}"), "f:3:6: this is not YAML: found an invalid key for this map"},
	{"an anchor on a name", fileOf("  &a b: {route: direct}", "  c: {route: direct, distribution: E1}"), "f:3:3: a key is a name, not &a b"},
	{"a long name", fileOf("  " + strings.Repeat("é", 90) + ": {route: direct, distribution: E1}"), "f:3:3: targets." + strings.Repeat("é", 80) + "...: a name has 1 to 64 letters, digits, '.', '_' or '-'"},
	{"name with a variable", fileOf("  '${A}': {route: direct, distribution: E1}"), "f:3:3: targets.${A}: a name has 1 to 64 letters, digits, '.', '_' or '-'"},
	{"name twice", fileOf("  a: {route: direct, distribution: E1}", "  a: {}"), `f:4:3: targets: key "a" occurs twice, first in line 3`},
	{"not for defaults", "version: 1\ndefaults: {distribution: E1}\ntargets: {a: {route: direct, distribution: E1}}", `f:2:12: defaults: there is no key "distribution"; keys are profile, region, wait, preset, budget, deletes, state`},

	// Routes.
	{"no route", one("distribution: E1"), "f:3:3: targets.a: route is missing; add one of assume, relay, direct, states, same-account"},
	{"other route", one("route: tunnel"), `f:4:12: targets.a.route: there is no route "tunnel"; choose among assume, relay, direct, states, same-account`},
	{"nearly a route", one("route: sameaccount"), `f:4:12: targets.a.route: there is no route "sameaccount"; did you mean same-account?`},
	{"assume lacks all", one("route: assume"), "f:3:3: targets.a: route assume needs distribution\nf:3:3: targets.a: route assume needs externalId\nf:3:3: targets.a: route assume needs role"},
	{"assume by domain", one("role: "+role, "externalId: x1", "domain: www.example.com"), "f:3:3: targets.a: route assume needs distribution; add its ID: what unstale grants in the delivery account cannot list distributions to find a domain's"},
	{"same-account lacks all", one("route: same-account"), "f:3:3: targets.a: route same-account needs distribution; add its ID, or a domain to find it by"},
	{"relay takes no role", one("route: relay", "function: arn:aws:lambda:us-east-1:222222222222:function:f", "role: "+role), "f:6:11: targets.a.role: route relay takes no role"},
	{"relay by name", one("route: relay", "function: invalidator"), `f:5:15: targets.a.function: parse function "invalidator": not an ARN such as arn:aws:lambda:us-east-1:222222222222:function:invalidator:live`},
	{"states by name", one("route: states", "distribution: E1", "stateMachine: purge"), `f:6:19: targets.a.stateMachine: parse state machine "purge": not the ARN of a state machine without version or alias, such as arn:aws:states:us-east-1:111111111111:stateMachine:unstale-purge`},
	{"role malformed", assume("role: arn:aws:iam::2222:role/x"), `f:6:11: targets.a.role: parse role "arn:aws:iam::2222:role/x": it lacks a 12-digit account or the name of a role, such as arn:aws:iam::222222222222:role/unstale-purge`},
	{"accounts differ", assume("role: "+role, "account: 111111111111"), "f:7:14: targets.a.account: account is 111111111111, but what is called is in 222222222222"},
	{"account", assume("role: "+role, "account: 12"), `f:7:14: targets.a.account: account "12" does not have 12 digits`},
	{"twins", fileOf("  a: {route: same-account, distribution: E1}", "  b: {route: relay, distribution: E1, function: 'arn:aws:lambda:us-east-1:222222222222:function:f'}"), "f:4:3: targets.b: target a has the same distribution; keep one, or say by bucket and prefix which release each is for"},

	// Values.
	{"distribution", own("distribution: e1"), `f:5:19: targets.a.distribution: "e1" is not a distribution ID, such as E2EXAMPLE`},
	{"number for a text", own("externalId: 123"), `f:5:17: targets.a.externalId: this is a number, not a text; quote it: "123"`},
	{"list for a text", own("profile: [a]"), "f:5:14: targets.a.profile: this is a list, not a text"},
	{"no value", own("profile:"), "f:5:5: targets.a.profile: the value is missing; leave it out, or write a text"},
	{"empty text", own("profile: ''"), "f:5:14: targets.a.profile: the text is empty; leave the key out"},
	{"two lines", own("profile: |", "  a", "  b"), "f:5:14: targets.a.profile: the text has a line break or another control character; write it in one line"},
	{"region", own("region: Frankfurt"), `f:5:13: targets.a.region: "Frankfurt" is not a region, such as eu-central-1`},
	{"domain with scheme", own("domain: https://www.example.com"), `f:5:13: targets.a.domain: "https://www.example.com" is not the name of a host, such as www.example.com`},
	{"text for a list", own("groups: web"), "f:5:13: targets.a.groups: this is a text, not a list"},
	{"group", own("groups: [a b]"), `f:5:14: targets.a.groups: "a b" is not the name of a group: 1 to 64 letters, digits, '.', '_' or '-'`},
	{"groups empty", own("groups: []"), "f:5:13: targets.a.groups: the list is empty; leave the key out"},
	{"group twice", own("groups: [a, a]"), `f:5:17: targets.a.groups: "a" occurs twice`},
	{"many groups", own("groups: [" + strings.Repeat("a,", 21) + "]"), "f:5:13: targets.a.groups: the list has 21 entries, more than 20"},
	{"number in a list", own("verify: [/, 1]"), `f:5:17: targets.a.verify: this is a number, not a text; quote it: "1"`},
	{"verify without slash", own("verify:", "  - about"), `f:6:9: targets.a.verify: path "about" does not begin with "/"`},
	{"verify everything", own("verify: ['/*']"), `f:5:14: targets.a.verify: path "/*" is not the path of one page`},
	{"verify with a space", own("verify: [/a b]"), `f:5:14: targets.a.verify: path "/a b" has characters that a URL percent-encodes`},
	{"verify too long", own("verify: [/" + strings.Repeat("a", 500) + "]"), "f:5:14: targets.a.verify: a path has 501 characters, more than 500"},
	{"wait without a unit", own("wait: '5'"), `f:5:11: targets.a.wait: "5" is not a duration; write it as 90s, 10m or 1h30m, or none`},
	{"wait of nothing", own("wait: 0s"), "f:5:11: targets.a.wait: 0s is not between 1s and 24h; write none to not wait at all"},
	{"wait too long", own("wait: 25h"), "f:5:11: targets.a.wait: 25h is not between 1s and 24h; write none to not wait at all"},
	{"negative wait", own("wait: -5m"), `f:5:11: targets.a.wait: "-5m" is not a duration; write it as 90s, 10m or 1h30m, or none`},
	{"preset", own("preset: cheap"), `f:5:13: targets.a.preset: there is no preset "cheap"; did you mean cheapest?`},
	{"budget", own("budget: 5$"), `f:5:13: targets.a.budget: "5$" is not a budget; write a number of items such as 40, or dollars a month such as "$5"`},
	{"yes for true", own("deletes: yes"), "f:5:14: targets.a.deletes: this is a text, not true or false"},
	{"bucket", own("bucket: s3://x"), `f:5:13: targets.a.bucket: "s3://x" is not the name of a bucket`},
	{"prefix without its slash", own("prefix: app"), `f:5:13: targets.a.prefix: prefix "app" does not end with one slash, but it stands right before keys; write app/`},
	{"prefix with slashes", own("prefix: app//"), `f:5:13: targets.a.prefix: prefix "app//" does not end with one slash, but it stands right before keys; write app/`},
	{"prefix", own("prefix: /app"), `f:5:13: targets.a.prefix: prefix "/app" begins with "/" or has more than 1024 characters; keys of S3 do not`},
	{"app route", own("appRoutes: [about]"), `f:5:17: targets.a.appRoutes: route "about" does not begin with "/"`},
	{"app route with a star within", own("appRoutes: ['/a/*/b']"), `f:5:17: targets.a.appRoutes: route "/a/*/b" is no path with at most a * at its end; end it at the first *, as in /users/*`},
	{"app route too long", own("appRoutes: [/" + strings.Repeat("a", 4100) + "]"), "f:5:17: targets.a.appRoutes: a route has more than the 4000 characters that can be purged"},
	{"rewrite", own("rewrites: {f: idnex}"), `f:5:19: targets.a.rewrites.f: there is no rewrite "idnex"; did you mean index?`},
	{"rewrite twice", own("rewrites: {f: index, f: html}"), `f:5:26: targets.a.rewrites: key "f" occurs twice, first in line 5`},
	{"rewrite as a list", own("rewrites: {f: [index]}"), "f:5:19: targets.a.rewrites.f: this is a list, not a text"},
	{"rewrite of nothing", own("rewrites: {'': index}"), "f:5:16: targets.a.rewrites: a name is empty"},
	{"many rewrites", own("rewrites:" + strings.Repeat("\n      f: index", 51)), "f:6:7: targets.a.rewrites: the mapping has 51 keys, more than 50"},
	{"rewrites empty", own("rewrites: {}"), "f:5:15: targets.a.rewrites: the mapping is empty; leave the key out"},
	{"state", own("state: my-bucket"), `f:5:12: targets.a.state: "my-bucket" is not a place in S3, such as s3://my-bucket/unstale`},

	// Variables.
	{"variable unset", own("profile: ${NOBODY}"), "f:5:14: targets.a.profile: the variable NOBODY is not set"},
	{"variable empty", own("profile: ${EMPTY}"), "f:5:14: targets.a.profile: the variable EMPTY is empty"},
	{"variable of no name", own("profile: ${A-B}"), "f:5:14: targets.a.profile: after ${ the name of a variable and } must follow"},
	{"variable without end", own("profile: ${SECRET"), "f:5:14: targets.a.profile: after ${ the name of a variable and } must follow"},
	{"variable for what is purged", own("bucket: ${SECRET}"), "f:5:13: targets.a.bucket: variables are not expanded here, only in account, role, externalId, profile, region"},
	{"variable in a list", own("groups: ['${SECRET}']"), "f:5:14: targets.a.groups: variables are not expanded here, only in account, role, externalId, profile, region"},
	{"what a variable holds is not shown", own("region: ${SECRET}"), `f:5:13: targets.a.region: "${SECRET}" is not a region, such as eu-central-1`},
	{"nor where the target is checked", own("account: ${SECRET}"), `f:5:14: targets.a.account: account "${SECRET}" does not have 12 digits`},
}

// one is a file with one target of these lines; own of route same-account; assume of route assume.
func one(lines ...string) string {
	return fileOf("  a:\n    " + strings.Join(lines, "\n    "))
}

func own(line string, more ...string) string {
	head := "route: same-account"
	if strings.HasPrefix(line, "externalId") {
		head = "route: assume"
	}
	if !strings.HasPrefix(line, "distribution") {
		more = append(more, "distribution: E1")
	}
	if head == "route: assume" {
		more = append(more, "role: "+role)
	}
	return one(append([]string{head, line}, more...)...)
}

func assume(lines ...string) string {
	return one(append([]string{"distribution: E1", "externalId: x1"}, lines...)...)
}

// later is a file with many keys that have no value.
func later() string {
	return strings.Repeat("a:\n"+strings.Repeat("  c:\n", maxKeys/2), 10)
}

func nested(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestRefusals(t *testing.T) {
	lookup := variables("EMPTY", "", "SECRET", "wJalrXUtnFEMI")
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text), lookup)
			if diff := cmp.Diff(tt.want, errorText(err)); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(errorText(err), "wJalr") {
				t.Error("it shows what a variable holds")
			}
		})
	}
}

// Files made to keep the reader busy end in bounded time and memory.
func TestHostileFilesEndSoon(t *testing.T) {
	texts := map[string]string{
		"null keys":        "a:\n" + strings.Repeat(" b:\n"+strings.Repeat("  c:\n", 4000), 7),
		"null entries":     "a:\n" + strings.Repeat(" b:\n"+strings.Repeat("  -\n", 4000), 7),
		"one key":          strings.Repeat("a: b\n", maxKeys),
		"all keys":         strings.Repeat("a: b\n", maxSize/5),
		"literals":         strings.Repeat("a: |\n"+strings.Repeat("\n", 99), maxSize/104),
		"folded":           "a: >\n" + strings.Repeat(" a\n  b\n", maxSize/8),
		"flow":             "a: [" + strings.Repeat("a,\n", maxSize/3-10) + "]",
		"open":             strings.Repeat("[\n", maxSize/2),
		"many words":       "[" + strings.Repeat(strings.Repeat("a,", 4900)+"\n", 100),
		"documents":        strings.Repeat("---\n", maxSize/4),
		"aliases":          strings.Repeat("*a \n", maxSize/4),
		"billion laughs":   laughs(),
		"tags that panic":  "- !x\n-\n",
		"one list for all": "version: 1\ntargets:\n  t: &t {route: same-account, distribution: E1, groups: &g [" + strings.Repeat("a,", 2000) + "]}\n" + strings.Repeat("  x: *t\n", 2000),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := Parse("f", []byte(text), variables()); err == nil {
				t.Error("nothing is wrong with it?")
			}
			// Generous: measured below 1 s on 2 cores. Without the bounds some of these take minutes.
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// laughs is the file in which each alias stands for nine of the one before.
func laughs() string {
	var b strings.Builder
	b.WriteString("version: 1\ntargets:\n  l0: &l0 [lol]\n")
	for i := 1; i < 10; i++ {
		before := "*l" + string(rune('0'+i-1))
		b.WriteString("  l" + string(rune('0'+i)) + ": &l" + string(rune('0'+i)) + " [" + strings.Repeat(before+", ", 9) + before + "]\n")
	}
	return b.String()
}

func TestVisitsAreCounted(t *testing.T) {
	d := &decoder{file: "f", visits: maxVisits - 1}
	if d.visit(place{7, 1}) || d.visit(place{8, 1}) {
		t.Error("it goes on")
	}
	if got := errorText(d.problems.err()); got != "f:7:1: with its aliases the file has more than 500000 values; use fewer aliases" {
		t.Error(got)
	}
}
