// The function that the tests run: it does what the event says.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
	Fail int    `json:"fail"` // how many attempts fail, for "count"
}

type answer struct {
	Text     string            `json:"text"`
	PID      int               `json:"pid"`
	Child    int               `json:"child,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
	Dir      string            `json:"dir,omitempty"`
	Args     []string          `json:"args,omitempty"`
	ARN      string            `json:"arn,omitempty"`
	Request  string            `json:"request,omitempty"`
	Deadline int64             `json:"deadline,omitempty"` // milliseconds since 1970
}

func main() {
	if os.Getenv("CHILD") != "" {
		time.Sleep(time.Hour)
	}
	switch os.Getenv("START") {
	case "exit":
		fmt.Println("will not start")
		os.Exit(7)
	case "hang":
		time.Sleep(time.Hour)
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, e event) (answer, error) {
	out := answer{Text: e.Text, PID: os.Getpid()}
	switch e.Do {
	case "", "echo":
		return out, nil
	case "print":
		fmt.Println(e.Text)
		fmt.Fprintln(os.Stderr, "and on stderr")
		return out, nil
	case "error":
		return out, errors.New(e.Text)
	case "panic":
		panic(e.Text)
	case "exit":
		os.Exit(3)
	case "hang":
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	case "wait": // until the file is there
		for {
			if _, err := os.Stat(e.Text); err == nil {
				return out, nil
			}
			time.Sleep(5 * time.Millisecond)
		}
	case "big":
		out.Text = strings.Repeat("x", 6<<20)
		return out, nil
	case "about":
		return about(ctx, out)
	case "child":
		return child(out)
	case "count":
		return count(e, out)
	}
	return out, fmt.Errorf("do %q: unknown", e.Do)
}

func about(ctx context.Context, out answer) (answer, error) {
	out.Env = map[string]string{}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		out.Env[k] = v
	}
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	out.Dir, _ = os.Getwd()
	out.Args, out.ARN, out.Request, out.Deadline = os.Args, lc.InvokedFunctionArn, lc.AwsRequestID, deadline.UnixMilli()
	return out, nil
}

// child leaves a process behind.
func child(out answer) (answer, error) {
	self, err := os.Executable()
	if err != nil {
		return out, err
	}
	cmd := exec.Command(self)
	cmd.Env = []string{"CHILD=1"}
	if err := cmd.Start(); err != nil {
		return out, err
	}
	out.Child = cmd.Process.Pid
	return out, nil
}

// count notes its request ID in the file and fails as often as the event says.
func count(e event, out answer) (answer, error) {
	f, err := os.OpenFile(e.Text, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return out, err
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return out, err
	}
	data, err := os.ReadFile(e.Text)
	if err == nil && strings.Count(string(data), "\n") <= e.Fail {
		err = errors.New("not yet")
	}
	return out, err
}
