package targetfile

import (
	"fmt"
	"strings"

	"github.com/unstale/unstale/plan"
)

// purgeKeys say how a purge goes.
func purgeKeys() []key {
	presets := []string{string(plan.Balanced), string(plan.Gentlest), string(plan.Cheapest)}
	return []key{
		list(key{
			name: "verify", form: form{most: maxVerify, pattern: patternPage},
			doc: "URL paths of pages to look at as a viewer besides the entry points, such as /about.",
		}, func(t *Target) *[]string { return &t.Verify }, checkPage),
		{
			name: "wait", shared: true, form: form{kind: isText, pattern: patternWait},
			doc: "How long to wait for completion, such as 90s, 10m or 1h30m, 24h at most; or none.",
			set: func(t *Target, v value) (err error) {
				t.Wait, err = parseWait(v.text)
				return err
			},
			get: func(t *Target) any {
				switch {
				case t.Wait == nil:
					return nil
				case *t.Wait == 0:
					return "none"
				}
				return t.Wait.String()
			},
		},
		{
			name: "preset", shared: true, form: form{kind: isText, choices: presets},
			doc: "What a plan prefers: balanced (the default: little collateral within the free paths of the month), gentlest (the least collateral) or cheapest (the fewest paid paths).",
			set: func(t *Target, v value) error {
				t.Preset = plan.Preset(v.text)
				return choose("preset", v.text, presets)
			},
			get: func(t *Target) any { return orNil(string(t.Preset)) },
		},
		{
			name: "budget", shared: true, form: form{kind: isText, number: true, pattern: patternBudget},
			doc: `The most that may be spent: items for one plan, such as 40, or dollars a month, such as "$5".`,
			set: func(t *Target, v value) error {
				b, err := plan.ParseBudget(v.text)
				if err != nil || !budgetSyntax.MatchString(v.text) {
					return &wrong{fmt.Sprintf("%q is not a budget", shorten(v.text)), `write a number of items such as 40, or dollars a month such as "$5"`}
				}
				t.Budget = b
				return nil
			},
			get: func(t *Target) any { return formatBudget(t.Budget) },
		},
		{
			name: "deletes", shared: true, form: form{kind: isTruth},
			doc: "Whether the deploy removes what the release lacks, as aws s3 sync --delete does and CodePipeline's S3 deploy does not. By default false.",
			set: func(t *Target, v value) error {
				t.Deletes = v.truth
				return nil
			},
			get: func(t *Target) any {
				if !t.Deletes {
					return nil
				}
				return true
			},
		},
	}
}

// releaseKeys say where the release lies and what is known of the site.
func releaseKeys() []key {
	rewrites := []string{string(plan.RewriteNothing), string(plan.RewriteIndex), string(plan.RewriteHTML), string(plan.RewriteFallback)}
	return []key{
		text(key{
			name: "bucket", form: form{pattern: patternBucket},
			doc: "The bucket in which the release lies. By default every bucket that the distribution reads.",
		}, func(t *Target) *string { return &t.Bucket }, bucketName.check),
		text(key{
			name: "prefix", form: form{pattern: `^[^/](.*[^/])?/$`},
			doc: "What stands before each of the release's keys in the bucket, with the slash at its end, such as app/.",
		}, func(t *Target) *string { return &t.Prefix }, func(s string) error {
			want := strings.Trim(s, "/") + "/"
			switch {
			case strings.HasPrefix(s, "/") || len(s) > 1024:
				return fmt.Errorf(`prefix %q begins with "/" or has more than 1024 characters; keys of S3 do not`, shorten(s))
			case s != want: // keys would be such as appindex.html
				return &wrong{fmt.Sprintf("prefix %q does not end with one slash, but it stands right before keys", shorten(s)), "write " + shorten(want)}
			}
			return nil
		}),
		list(key{
			name: "appRoutes", form: form{most: maxAppRoutes, empty: true, pattern: `^/[^*?#]*\*?$`},
			doc: "Paths under which a single-page app's fallback is asked for, such as /about or /users/*. By default any path may be one; an empty list says that none is.",
		}, func(t *Target) *[]string { return &t.AppRoutes }, checkAppRoute),
		{
			name: "rewrites", form: form{kind: isMapping, most: maxRewrites, choices: rewrites},
			doc:  "What the distribution's functions do to URIs, by their name or ARN: none, index (/dir/ serves dir/index.html), html (/page serves page.html) or spa (routes serve one page). What is not said makes plans cautious.",
			each: func(s string) error { return choose("rewrite", s, rewrites) },
			set: func(t *Target, v value) error {
				t.Rewrites = map[string]plan.Rewrite{}
				for function, rewrite := range v.pairs {
					t.Rewrites[function] = plan.Rewrite(rewrite)
				}
				return nil
			},
			get: func(t *Target) any {
				if len(t.Rewrites) == 0 {
					return nil
				}
				pairs := map[string]string{}
				for function, r := range t.Rewrites {
					pairs[function] = string(r)
				}
				return pairs
			},
		},
		{
			name: "state", shared: true, form: form{kind: isText, pattern: `^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/].*|/)?$`},
			doc: "Where manifests and evidence are kept, such as s3://my-bucket/unstale. Without it nothing is remembered between runs.",
			set: func(t *Target, v value) (err error) {
				t.State, err = parseState(v.text)
				return err
			},
			get: func(t *Target) any { return orNil(t.State.String()) },
		},
	}
}
