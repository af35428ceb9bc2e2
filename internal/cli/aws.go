package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	smithy "github.com/aws/smithy-go/middleware"
)

// globalRegion is where the one endpoint of CloudFront and IAM is: right for whoever calls nothing else,
// and the first guess where a Region only says where stacks are looked for.
const globalRegion = "us-east-1"

// loadConfig reads a profile, or without a name the environment, as the AWS CLI does. region wins over the
// profile's and the environment's; where nobody names one it is [globalRegion].
//
// How often a call is tried is the user's: AWS_RETRY_MODE and AWS_MAX_ATTEMPTS or their likes in the
// profile, else the SDK's standard of three attempts. What one attempt may take is bounded, see [replies].
func loadConfig(ctx context.Context, profile, region string) (aws.Config, error) {
	return loadConfigOr(ctx, profile, region, globalRegion)
}

// loadRegional is loadConfig for what is made in a Region: nobody should find it in one that nobody named.
func loadRegional(ctx context.Context, profile, region string) (aws.Config, error) {
	cfg, err := loadConfigOr(ctx, profile, region, "")
	if err == nil && cfg.Region == "" {
		err = usage{withTry(fmt.Errorf("profile %s has no region", cmp.Or(profile, "default")), "--region %s", globalRegion)}
	}
	return cfg, err
}

// loadConfigOr is loadConfig with another Region for where nobody names one; empty: none.
func loadConfigOr(ctx context.Context, profile, region, otherwise string) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		// Not a client of our own: the SDK puts AWS_CA_BUNDLE into its own only.
		config.WithHTTPClient(awshttp.NewBuildableClient()),
		// Here and not around the client, so that it holds for the calls that get credentials too.
		config.WithAPIOptions([]func(*smithy.Stack) error{defaultReplies().bound, middleware.AddUserAgentKeyValue("unstale", version())}),
		config.WithLogger(logging.Nop{}), // its thoughts on connections; errors are returned
		config.WithSharedConfigProfile(profile), config.WithRegion(region), config.WithDefaultRegion(otherwise),
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err == nil {
		return cfg, nil
	}
	named := profileError(cmp.Or(profile, "default"), err)
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return cfg, usage{withTry(named, "aws configure list-profiles")}
	}
	return cfg, usage{withTry(named, "aws configure list --profile %s", cmp.Or(profile, "default"))}
}
