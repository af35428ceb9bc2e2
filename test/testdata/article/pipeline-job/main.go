// The article's relay in the pipeline account: it invokes the function of the other account and
// forgets about it. Nobody answers CodePipeline.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	service "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func handler(ctx context.Context, event json.RawMessage) (string, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	_, err = service.NewFromConfig(cfg).Invoke(ctx, &service.InvokeInput{
		FunctionName:   aws.String(os.Getenv("TARGET_LAMBDA_ARN")),
		InvocationType: types.InvocationTypeEvent,
		Payload:        []byte("{}"),
	})
	if err != nil {
		log.Println("error", err)
		return "failed", nil
	}
	return "done", nil
}

func main() { lambda.Start(handler) }
