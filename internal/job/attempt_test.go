package job

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/smithy-go/middleware"
)

// A try that hangs is given up and made again; a caller without time is not kept waiting.
func TestATryThatHangsIsMadeAgain(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A server notices that its client has gone only once it has read the request.
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1) < 3 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	}))
	defer server.Close()
	client := codepipeline.New(codepipeline.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "s", ""),
		APIOptions: []func(*middleware.Stack) error{limitAttempts(20 * time.Millisecond)},
		Retryer:    retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, time.Millisecond }),
	})
	_, err := client.PutJobSuccessResult(t.Context(), &codepipeline.PutJobSuccessResultInput{JobId: aws.String(firstJob)})
	if err != nil || calls.Load() != 3 {
		t.Errorf("%d calls: %v", calls.Load(), err)
	}
}
