package story

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WriteEnvironment writes a file for each account that a shell can source, readable by its owner
// only, and returns their paths by account. Close removes them. Both name a configuration of the AWS CLI
// with a profile for each account, "pipeline" and "delivery", for what acts in both.
func (s *Stage) WriteEnvironment() (map[string]string, error) {
	files := map[string]string{}
	if err := s.writeProfiles(); err != nil {
		return nil, err
	}
	for i, account := range accounts(s.options.Route) {
		base := []string{"pipeline.env", "delivery.env"}[i]
		env := s.environment(account)
		var text strings.Builder
		for _, k := range slices.Sorted(maps.Keys(env)) {
			fmt.Fprintf(&text, "export %s='%s'\n", k, strings.ReplaceAll(env[k], "'", `'\''`))
		}
		path := filepath.Join(s.dir, base)
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			return nil, fmt.Errorf("write the environment of account %s: %w", account, err)
		}
		files[account] = path
	}
	return files, nil
}

func (s *Stage) profiles() string { return filepath.Join(s.dir, "aws-config") }

func (s *Stage) writeProfiles() error {
	var text strings.Builder
	for i, account := range accounts(s.options.Route) {
		root := s.World.Root(account)
		fmt.Fprintf(&text, "[profile %s]\nregion = %s\naws_access_key_id = %s\naws_secret_access_key = %s\n\n",
			[]string{"pipeline", "delivery"}[i], Region, root.AccessKeyID, root.SecretAccessKey)
	}
	if err := os.WriteFile(s.profiles(), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write the profiles of both accounts: %w", err)
	}
	return nil
}

// environment is what clients need to take the rehearsal for AWS, as an account's root.
func (s *Stage) environment(account string) map[string]string {
	root := s.World.Root(account)
	env := map[string]string{
		"XDG_STATE_HOME": filepath.Join(s.dir, "state"), // what was run here is of no account of the user's
		// The SDK for Go gets a profile's role without looking at AWS_ENDPOINT_URL.
		"AWS_ENDPOINT_URL": s.World.URL(), "AWS_ENDPOINT_URL_STS": s.World.URL(), "AWS_ACCESS_KEY_ID": root.AccessKeyID, "AWS_SECRET_ACCESS_KEY": root.SecretAccessKey,
		"AWS_REGION": Region, "AWS_DEFAULT_REGION": Region, "AWS_PAGER": "",
		"AWS_CONFIG_FILE": s.profiles(), "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"HTTPS_PROXY": s.World.POPs()[0].ProxyURL, "https_proxy": s.World.POPs()[0].ProxyURL,
		"SSL_CERT_FILE": s.World.CAFile(), "CURL_CA_BUNDLE": s.World.CAFile(), "UNSTALE_CA_SPKI": s.World.CASPKI(),
		"UNSTALE_SITE": "https://" + s.Outputs["DistributionDomain"] + "/", "UNSTALE_DISTRIBUTION": s.Outputs["DistributionId"],
	}
	for _, pop := range s.World.POPs() {
		env["UNSTALE_PROXY_"+strings.ReplaceAll(pop.Name, "-", "_")] = pop.ProxyURL
	}
	if account == PipelineAccount {
		user, password := s.World.GitCredentials(account)
		if u, err := url.Parse(s.Outputs["RepositoryCloneUrl"]); err == nil { // made by the rehearsal itself
			u.User = url.UserPassword(user, password)
			env["UNSTALE_REPOSITORY"] = u.String()
		}
	}
	return env
}
