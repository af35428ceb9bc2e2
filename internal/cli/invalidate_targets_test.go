package cli

import (
	"os"
	"strings"
	"testing"
)

func TestHostOf(t *testing.T) {
	for domain, want := range map[string]string{
		"":                               "",
		"d1.cloudfront.net":              "d1.cloudfront.net",
		"https://d1.cloudfront.net/":     "d1.cloudfront.net",
		"http://D1.CloudFront.net/a?b=c": "d1.cloudfront.net",
		"https://www.example.com:443/a":  "www.example.com",
		"www.example.com/":               "www.example.com",
		"www.example.com.":               "www.example.com",
		"*.example.com":                  "*.example.com",
	} {
		if got := hostOf(domain); got != want {
			t.Errorf("%q: %q, want %q", domain, got, want)
		}
	}
}

// A word that is no item is told as what it is, and with what it was meant as.
func TestNoItem(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tt := range []struct{ args, says, try string }{
		{"--distribution E2EXAMPLE index.html", `"index.html" is no item: items begin with "/"`, "'/index.html'"},
		{"--domain www.example.com docs", `"docs" is no item: items begin with "/"`, "'/docs'"},
		{"index.html", `"index.html" is no item: items begin with "/", and there is no unstale.yaml`, "'/index.html'"},
		{"--distribution E2EXAMPLE", "nothing is named to purge", "'/*' for everything"},
		{"E2EXAMPLE", "nothing is named to purge", "'/*' for everything"},
	} {
		cmd := newInvalidate()
		cmd.SetArgs(strings.Fields(tt.args))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.HasPrefix(err.Error(), tt.says) || !strings.HasPrefix(tryOf(err), tt.try) {
			t.Errorf("%s: %v, try: %s", tt.args, err, tryOf(err))
		}
	}
}

// Whoever named no target is told the flags.
func TestTryChoice(t *testing.T) {
	t.Chdir(t.TempDir())
	text := "version: 1\ntargets:\n  shop: {route: same-account, distribution: E2SHOP, groups: [web]}\n  docs: {route: same-account, distribution: E2DOCS}\n"
	for file, want := range map[string]string{
		text: "name one or more of shop, docs; or --group web; or --all",
		strings.Replace(text, ", groups: [web]", "", 1): "name one or more of shop, docs; or --all",
	} {
		if err := os.WriteFile("unstale.yaml", []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := (&aim{accounts: 1}).targets(nil, func(string) {})
		if err == nil || tryOf(err) != want {
			t.Errorf("%v, try: %s", err, tryOf(err))
		}
	}
}
