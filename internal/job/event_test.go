package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeEvent(t *testing.T) {
	e, err := decodeEvent(jobEvent(firstJob, `{"wait": "1m"}`, "token", 2))
	if err != nil {
		t.Fatal(err)
	}
	in := artifact{"Build", "artifacts", "site/Build/abc.zip"}
	want := event{firstJob, `{"wait": "1m"}`, "token", []artifact{in, in}, Credentials{secretID, secretKey, secretTok}}
	if diff := cmp.Diff(want, e, cmp.AllowUnexported(event{}, artifact{}, Credentials{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	wrap := func(rest string) string { return `{"CodePipeline.job": {"id": "j1", ` + rest + `}}` }
	for _, tt := range []struct{ raw, id, says string }{
		{"", "", "no CodePipeline job"},
		{"{}", "", "no CodePipeline job"},
		{"[]", "", "no CodePipeline job"},
		{`{"CodePipeline.job": null}`, "", "no CodePipeline job"},
		{`{"CodePipeline.job": {}}`, "", "no ID"},
		{`{"CodePipeline.job": {"id": 7}}`, "", "no ID"},
		{`{"CodePipeline.job": {"id": "` + strings.Repeat("a", 101) + `"}}`, "", "no ID"},
		{wrap(`"accountId": "1"`), "j1", "do not have the shape"},
		{wrap(`"data": 7`), "j1", "do not have the shape"},
		{wrap(`"data": {"actionConfiguration": []}`), "j1", "do not have the shape"},
		{wrap(`"data": {"inputArtifacts": [{"name": "Build", "location": {"type": "HTTP"}}]}`), "j1", `input artifact "Build" has no place in S3`},
	} {
		e, err := decodeEvent([]byte(tt.raw))
		if e.id != tt.id || !errors.As(err, new(*EventError)) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: id %q, %v; want %q", tt.raw, e.id, err, tt.says)
		}
	}
}

// A job that can be answered is answered, however broken its event is.
func TestABrokenEventIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, one(&distribution{}))
		if err := w.run(t, time.Minute, []byte(`{"CodePipeline.job": {"id": "`+firstJob+`", "data": "?"}}`)); err != nil {
			t.Fatal(err)
		}
		if a := w.desk.last(); a.Failure != ConfigurationError || w.desk.jobs[0] != firstJob {
			t.Errorf("%+v", a)
		}
		if err := w.run(t, time.Minute, []byte(`{}`)); !errors.As(err, new(*EventError)) || len(w.desk.jobs) != 1 {
			t.Errorf("an event without a job: %v", err)
		}
	})
}

func TestCredentialsDoNotShow(t *testing.T) {
	c := Credentials{secretID, secretKey, secretTok}
	text, err := json.Marshal(map[string]any{"c": c, "p": &c})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		string(text), fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c, c, c, c), fmt.Sprintf("%v", &c),
		fmt.Sprintf("%+v", struct{ C Credentials }{c}), c.LogValue().String(),
	} {
		if leaks(s) {
			t.Errorf("they show in %s", s)
		}
	}
	got, err := c.Provider().Retrieve(t.Context())
	if err != nil || got.AccessKeyID != secretID || got.SecretAccessKey != secretKey || got.SessionToken != secretTok {
		t.Errorf("they do not serve: %v", err)
	}
	if _, err := (Credentials{}).Provider().Retrieve(t.Context()); err == nil {
		t.Error("none are taken for some")
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add(jobEvent(firstJob, `{"wait": "1m"}`, "token", 1))
	f.Add([]byte(`{"CodePipeline.job": {"id": "j", "data": {"inputArtifacts": [null]}}}`))
	f.Add([]byte(`{"codepipeline.JOB": {"ID": "j"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := decodeEvent(raw)
		if err == nil && e.id == "" {
			t.Fatal("an event without an ID is taken")
		}
		if err != nil && !errors.As(err, new(*EventError)) {
			t.Fatalf("%T", err)
		}
	})
}
