package stage

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/unstale/unstale/rehearsal/codepipeline"
)

// Source stands for a pipeline's source action where that is not the matter: git takes most of a release's
// time. What stands for the build needs nothing of it.
type Source struct{}

// Check implements codepipeline.Runner.
func (Source) Check(codepipeline.Action) error { return nil }

// Run implements codepipeline.Runner.
func (Source) Run(context.Context, *codepipeline.Run) (codepipeline.Outcome, error) {
	return codepipeline.Outcome{Revision: "main"}, nil
}

// Build stands for a pipeline's build action: Do keeps a site with KeepSite.
type Build struct {
	Do func(context.Context, *codepipeline.Run) (codepipeline.Outcome, error)
}

// Check implements codepipeline.Runner.
func (Build) Check(codepipeline.Action) error { return nil }

// Run implements codepipeline.Runner.
func (b Build) Run(ctx context.Context, run *codepipeline.Run) (codepipeline.Outcome, error) {
	return b.Do(ctx, run)
}

// KeepSite keeps a site, a text for each file name, as the artifact of a run of a build; cfg is that of
// somebody who may.
func KeepSite(ctx context.Context, cfg aws.Config, run *codepipeline.Run, site map[string]string) error {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range site {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			return fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pack the site: %w", err)
	}
	out := run.Output(0)
	_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(ctx, &s3.PutObjectInput{
		Bucket: &out.Bucket, Key: &out.Key, Body: bytes.NewReader(archive.Bytes()),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(run.KMSKey()),
	})
	return err
}
