// Command pipeline-job is the Lambda function of the pipeline account (runtime provided.al2023), or,
// by route direct, of the delivery account. A pipeline's Lambda action invokes it; it purges the
// targets it is configured with, waits until viewers see the release, and answers the job.
//
// Environment:
//
//	TARGET_LAMBDA_ARN  ARN of the invalidator's alias in the delivery account. Alone it is enough:
//	                   one target named "default", by route relay.
//	UNSTALE_TARGETS    instead of it: a JSON object of names to targets, such as
//	                   {"shop": {"role": "arn:aws:iam::...", "externalId": "...", "distribution": "E..."},
//	                    "docs": {"route": "relay", "function": "arn:aws:lambda:...", "distribution": "E..."},
//	                    "wiki": {"route": "same-account", "distribution": "E..."}}
//	UNSTALE_CALLBACK_ROLE
//	                   ARN of a role of the pipeline's account that answers the jobs, for a function
//	                   that runs in another account (route direct). Without it the function answers
//	                   as itself.
//	UNSTALE_CALLBACK_REGION
//	                   the pipeline's region where it is not the function's.
//	UNSTALE_STATE      bucket, or s3://BUCKET/PREFIX, in which releases are remembered. With it only what
//	                   changed is purged, and every run leaves a record; without it everything is.
//	UNSTALE_MEDIAN     how long an invalidation usually takes, as a Go duration (default 10s). All
//	                   waiting is measured by it.
//
// and what Lambda sets itself. AWS_ENDPOINT_URL, when set, is called instead of AWS; HTTPS_PROXY and
// SSL_CERT_FILE apply to the viewer. What an action may write into UserParameters: see package job.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handler, err := newHandler(os.Getenv, log)
	if err != nil {
		log.Error("cannot start", "error", err.Error())
		os.Exit(1)
	}
	lambda.StartWithOptions(handler.Handle)
}
