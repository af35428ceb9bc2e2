// Package lambdaconfig makes the AWS configuration of a Lambda function from its environment. The
// SDK's own config package can do it too, but links the single sign-on, STS and instance metadata
// clients, which a function never uses and every cold start pays for. Lambda gives a function
// everything in four variables (Lambda developer guide, "Defined runtime environment variables");
// AWS_ENDPOINT_URL is the SDKs' documented variable for another endpoint (SDKs and tools reference
// guide, "Service-specific endpoints").
package lambdaconfig

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Secrets are the function's credentials, for whoever has to keep them out of what it says.
func Secrets(getenv func(string) string) []string {
	return []string{getenv("AWS_SESSION_TOKEN"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_ACCESS_KEY_ID")}
}

// Load reads the configuration. getenv is os.Getenv in production. Retries are left to those who
// make clients. The error names every variable that is missing.
func Load(getenv func(string) string) (aws.Config, error) {
	credentials := aws.Credentials{
		AccessKeyID:     getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    getenv("AWS_SESSION_TOKEN"), // absent with keys of a user, as in local runs
		Source:          "environment of the function",
	}
	region := getenv("AWS_REGION")
	var missing []string
	for _, v := range []struct{ name, value string }{
		{"AWS_REGION", region},
		{"AWS_ACCESS_KEY_ID", credentials.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", credentials.SecretAccessKey},
	} {
		if v.value == "" {
			missing = append(missing, v.name)
		}
	}
	if len(missing) > 0 {
		return aws.Config{}, fmt.Errorf("load configuration: %s not set; Lambda sets them for every function",
			strings.Join(missing, ", "))
	}
	cfg := aws.Config{
		Region: region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
		HTTPClient: newClient(getenv),
	}
	if endpoint := getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return aws.Config{}, fmt.Errorf("load configuration: AWS_ENDPOINT_URL %q is not an HTTP URL", endpoint)
		}
		cfg.BaseEndpoint = &endpoint
	}
	return cfg, nil
}
