// Command invalidator is the Lambda function of the delivery account (runtime provided.al2023). It
// invalidates the distributions on its allow-list for the pipeline account, which invokes its alias.
//
// Environment: DISTRIBUTION_ID (one distribution) or DISTRIBUTION_IDS (several, parted by commas),
// and what Lambda sets itself. AWS_ENDPOINT_URL, when set, is called instead of AWS.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/invalidator"
	"github.com/unstale/unstale/internal/lambdaconfig"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	cfg, err := lambdaconfig.Load(os.Getenv)
	ids, listErr := invalidator.Distributions(os.Getenv)
	if err := errors.Join(err, listErr); err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	gateways := map[string]invalidator.Gateway{}
	for _, id := range ids {
		gateways[id] = gateway.NewCloudFront(cfg, id)
	}
	handler := &invalidator.Handler{
		Gateways: gateways, Log: log, Now: time.Now, Secrets: lambdaconfig.Secrets(os.Getenv),
	}
	lambdaconfig.Connect(context.Background(), cfg, "cloudfront.amazonaws.com")
	lambda.StartWithOptions(handler.Handle)
}
