package cli

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/unstale/unstale/internal/deploy"
	"github.com/unstale/unstale/templates"
)

func TestAskedBeforeEachChange(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "Yes\n": true, " y \n": true, "\n": false, "n\n": false, "": false, "yess\n": false, "y": true} {
		var out bytes.Buffer
		s := &deploySession{out: &out, in: bufio.NewReader(strings.NewReader(answer))}
		got, err := s.confirm(deploy.Proposal{Account: "111111111111", Stack: "unstale-pipeline-base", Create: true, Changes: []deploy.Change{
			{Action: "Add", LogicalID: "Key", Type: "AWS::KMS::Key"},
			{Action: "Modify", LogicalID: "Job", Type: "AWS::Lambda::Function", Replacement: "False", Properties: []string{"Code", "Timeout"}},
			{Action: "Modify", LogicalID: "Version", Type: "AWS::Lambda::Version", Replacement: "True", Properties: []string{"Description"}},
			{Action: "Modify", LogicalID: "Alias", Type: "AWS::Lambda::Alias", Replacement: "Conditional", Properties: []string{"Name"}},
			{Action: "Remove", LogicalID: "Old", PhysicalID: "old-1", Type: "AWS::IAM::Role"},
		}})
		if err != nil || got != want {
			t.Errorf("answer %q: %v, %v, want %v", answer, got, err, want)
		}
		const table = `
account 111111111111: make stack unstale-pipeline-base
  + Key      AWS::KMS::Key
  ~ Job      AWS::Lambda::Function  Code, Timeout
  ! Version  AWS::Lambda::Version   REPLACED: Description
  ! Alias    AWS::Lambda::Alias     may be REPLACED: Name
  - Old      AWS::IAM::Role         old-1
Do it? [y/N] `
		if out.String() != table {
			t.Errorf("printed\n%s\nwant\n%s", out.String(), table)
		}
	}
}

// A closed stdout is no agreement.
func TestNobodyReadsTheChanges(t *testing.T) {
	s := &deploySession{out: closed{}, in: bufio.NewReader(strings.NewReader("y\n")), yes: true}
	if yes, err := s.confirm(deploy.Proposal{Stack: "s"}); err == nil || yes {
		t.Errorf("%v, %v", yes, err)
	}
	if yes, err := s.remove(deploy.Removal{Stacks: []deploy.Doomed{{Stack: "s"}}}); err == nil || yes {
		t.Errorf("%v, %v", yes, err)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed") }

func archive(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "code.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCode(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pipeline-job_arm64.zip"), []byte("job"), 0o600); err != nil {
		t.Fatal(err)
	}
	notZip := filepath.Join(dir, "text")
	if err := os.WriteFile(notZip, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	both := []string{"pipeline-job", "invalidator"}
	for name, c := range map[string]struct {
		given     string
		functions []string
		read      string // what the code of pipeline-job for arm64 begins with; empty: an error
		refused   string
	}{
		"directory":         {dir, both[:1], "job", ""},
		"a release":         {archive(t, "unstale/lambda/pipeline-job_arm64.zip", "unstale/lambda/invalidator_arm64.zip"), both, "unstale/lambda/pipeline-job_arm64.zip", ""},
		"one function":      {archive(t, "bootstrap"), both[:1], "PK", ""},
		"one of two":        {archive(t, "bootstrap"), both, "", "is the code of one function, but the route needs pipeline-job and invalidator"},
		"without this one":  {archive(t, "invalidator_arm64.zip"), both, "", ""},
		"no archive":        {notZip, both, "", "open --code"},
		"no such directory": {filepath.Join(dir, "none"), both, "", "find the Lambda zips"},
	} {
		t.Run(name, func(t *testing.T) {
			z := code{given: c.given}
			err := z.check(c.functions)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("err = %v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := z.read("pipeline-job", "arm64")
			if (err == nil) != (c.read != "") || !strings.HasPrefix(string(body), c.read) {
				t.Errorf("read %.40q, %v, want %q", body, err, c.read)
			}
		})
	}
	if err := (&code{given: "none"}).check(nil); err != nil {
		t.Errorf("a route without functions needs code: %v", err)
	}
}

func TestTagged(t *testing.T) {
	for version, want := range map[string]string{"v1.2.3 abc (modified)": "v1.2.3 abc modified", "(devel)": "devel", strings.Repeat("é1", 300): strings.Repeat("1", 256)} {
		if got := tagged(version); got != want {
			t.Errorf("tagged(%q) = %q, want %q", version, got, want)
		}
	}
}

// What goes, what stays, what an earlier run left, and whom it hurts, as people read it.
func TestRemovalInWords(t *testing.T) {
	const bucket, repository = "AWS::S3::Bucket", "AWS::CodeCommit::Repository"
	r := deploy.Removal{
		Stacks: []deploy.Doomed{{
			Account: "111111111111", Stack: "shop-pipeline-assume",
			Goes:  []deploy.Item{{LogicalID: "JobFunction", Type: "AWS::Lambda::Function", PhysicalID: "shop-job", Name: "shop-job"}},
			Stays: []deploy.Item{{LogicalID: "PipelineRepository", Type: repository, PhysicalID: "6a3c8e7f-1", Name: "shop"}},
		}},
		Left: []deploy.Leftover{
			{Account: "222222222222", Item: deploy.Item{LogicalID: "SiteBucket", Type: bucket, Name: "shop-site", Objects: 1}, Goes: true},
			{Account: "111111111111", Item: deploy.Item{LogicalID: "OtherBucket", Type: bucket, Name: "shop-other"}},
		},
		Callers: []deploy.Caller{
			{Account: "111111111111", Pipeline: "web", Stage: "Deliver", Action: "Purge", Uses: "function shop-job"},
			{Account: "111111111111", Pipeline: "docs", Stage: "Publish", Action: "Clear", Uses: "function shop-job"},
		},
		Missing: []deploy.Item{{LogicalID: "ArtifactsKey", Type: deploy.KeyType}, {LogicalID: "Third", Type: bucket}},
	}
	var out bytes.Buffer
	s := &deploySession{out: &out, in: bufio.NewReader(strings.NewReader("n\n"))}
	if yes, err := s.remove(r); yes || err != nil {
		t.Errorf("%v, %v", yes, err)
	}
	if err := s.gone(r, "stacks"); err != nil {
		t.Error(err)
	}
	const want = `
account 111111111111: delete stack shop-pipeline-assume
  - JobFunction         AWS::Lambda::Function        shop-job
  = PipelineRepository  AWS::CodeCommit::Repository  shop      STAYS

account 222222222222: delete what an earlier stack left
  - SiteBucket  AWS::S3::Bucket  shop-site  (1 object is deleted)

What stays has your content, or protects it. --delete NAME deletes it, too.

WARNING: 2 actions in account 111111111111 work with what is deleted; the next release fails there.
Take them out first:
  ! pipeline web   stage Deliver, action Purge  uses function shop-job
  ! pipeline docs  stage Publish, action Clear  uses function shop-job
Delete all this? [y/N] 
Gone.
  111111111111: AWS::CodeCommit::Repository shop stays, and is now nobody's but yours; until it is gone, its name is taken
  111111111111: AWS::S3::Bucket shop-other is there, left by an earlier stack; --delete OtherBucket deletes it
  ArtifactsKey: its stack is gone, and a key has no name to find it by; aws kms schedule-key-deletion takes the ID that --destroy printed
  Third: there is none, or none that you may see
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("printed (-want +got)\n%s", diff)
	}
	out.Reset()
	if err := s.gone(deploy.Removal{Left: r.Left[1:]}, "stacks of the name shop"); err != nil || !strings.HasPrefix(out.String(), "There is nothing to delete. Looked for: stacks of the name shop.\n  111111111111: AWS::S3::Bucket shop-other") {
		t.Errorf("printed %s, %v", out.String(), err)
	}
}

// Each refusal to delete says what can be done about it, for the account that it is in.
func TestWhatToDoAboutWhatIsNotDeleted(t *testing.T) {
	const bucket = "AWS::S3::Bucket"
	f := deployFlags{name: "shop", pipelineProfile: "build", deliveryProfile: "site", destroy: true}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"tags unread":   {&deploy.NotOurs{Type: bucket, Name: "b", Action: "s3:GetBucketTagging", Err: errors.New("no")}, "allow the caller s3:GetBucketTagging"},
		"other stack":   {&deploy.NotOurs{Type: bucket, Name: "b", Stack: "marketing", As: "B"}, "--destroy without --delete of it; who made stack marketing decides about it"},
		"by hand, site": {&deploy.NotOurs{Type: bucket, Name: "b", Side: templates.Delivery}, "--destroy without --delete of it; or, if nobody needs what is in it, aws s3 rb --force s3://b --profile site"},
		"by hand":       {&deploy.NotOurs{Type: bucket, Name: "b", Side: templates.Pipeline}, "--destroy without --delete of it; or, if nobody needs what is in it, aws s3 rb --force s3://b --profile build"},
		"repository":    {&deploy.NotOurs{Type: "AWS::CodeCommit::Repository", Name: "r", Region: "eu-west-1"}, "if nobody needs it, aws codecommit delete-repository --repository-name r --region eu-west-1 --profile build"},
		"two": {&deploy.Ambiguous{Word: "SiteBucket", Meant: []deploy.Meant{
			{Account: "111111111111", Item: deploy.Item{Type: bucket, Name: "a"}}, {Account: "222222222222", Item: deploy.Item{Type: bucket, Name: "b"}},
		}}, "--delete with one of a, b"},
	} {
		err := explain(context.Background(), tt.err, f)
		var u usage
		var h hinted
		if !errors.As(err, &u) || !errors.As(err, &h) || h.try != tt.want {
			t.Errorf("%s: %v, try %q, want %q", name, err, h.try, tt.want)
		}
	}
	way := &deploy.Taken{Account: "222222222222", Stack: "shop-delivery-assume", LogicalID: "SiteBucket", Type: bucket, Name: "b", By: "shop-delivery-states", Stays: []string{"SiteBucket"}}
	const one = "another --name; or the same command with --destroy --delete SiteBucket first, which deletes what is in it, too, and then this again"
	if got := makeRoom(way, f); got != one {
		t.Errorf("one in the way: %q, want %q", got, one)
	}
	way.Stays, way.Elsewhere = nil, true
	if got := makeRoom(way, f); got != "another --name" {
		t.Errorf("what may be another account's: %q", got)
	}
}
