package infra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

const templateSuffix = ".template.json"

// Synthesize returns the content of the directory templates/ by file name: one template for each stack, and the list of
// [Demanded] grants. The result is a function of this module alone: the environment given to CDK leaves no trace in it.
func Synthesize() (map[string][]byte, error) {
	return synthesize("111111111111", "222222222222", "us-east-1")
}

func synthesize(pipelineAccount, deliveryAccount, region string) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "unstale-synth-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the synthesis: %w", err)
	}
	defer os.RemoveAll(dir)
	app := awscdk.NewApp(&awscdk.AppProps{
		AnalyticsReporting: jsii.Bool(false), // else every stack carries a CDKMetadata resource
		Outdir:             jsii.String(dir),
	})
	addStacks(app, pipelineAccount, deliveryAccount, region)
	app.Synth(nil)
	return collect(dir)
}

func addStacks(app awscdk.App, pipelineAccount, deliveryAccount, region string) {
	pipeline := &awscdk.Environment{Account: jsii.String(pipelineAccount), Region: jsii.String(region)}
	delivery := &awscdk.Environment{Account: jsii.String(deliveryAccount), Region: jsii.String(region)}
	newPipelineBase(app, pipeline)
	for _, route := range crossing() {
		newDelivery(app, route, delivery)
		newPipelineSide(app, route, pipeline)
	}
	newSameAccount(app, pipeline)
	newOwnJob(app, pipeline)
	newOwnMachine(app, pipeline)
	newOwnCallback(app, pipeline)
}

func collect(dir string) (map[string][]byte, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+templateSuffix))
	if err != nil {
		return nil, fmt.Errorf("list the templates in %s: %w", dir, err)
	}
	files := make(map[string][]byte, len(paths)+1)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the template: %w", err)
		}
		var template any
		if err := json.Unmarshal(content, &template); err != nil {
			return nil, fmt.Errorf("parse the template %s: %w", filepath.Base(path), err)
		}
		if files[filepath.Base(path)], err = pretty(template); err != nil {
			return nil, fmt.Errorf("print the template %s: %w", filepath.Base(path), err)
		}
	}
	if files["demanded.json"], err = pretty(Demanded()); err != nil {
		return nil, fmt.Errorf("print the demanded grants: %w", err)
	}
	return files, nil
}

// pretty prints JSON with sorted keys, two spaces and no HTML escapes, so that a change of a template reads as one.
func pretty(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Write makes the generated files of dir exactly files: those it does not name are removed.
func Write(dir string, files map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return fmt.Errorf("list the old templates in %s: %w", dir, err)
	}
	for _, path := range old {
		if _, ok := files[filepath.Base(path)]; !ok {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove an old template: %w", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return fmt.Errorf("write the template: %w", err)
		}
	}
	return nil
}

// Stale names the files in which dir differs from files, in order; a missing file and one too many count as well.
func Stale(dir string, files map[string][]byte) ([]string, error) {
	present, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list the templates in %s: %w", dir, err)
	}
	var stale []string
	for _, path := range present {
		if _, ok := files[filepath.Base(path)]; !ok {
			stale = append(stale, filepath.Base(path))
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("read the committed template: %w", err)
		}
		if err != nil || !bytes.Equal(got, want) {
			stale = append(stale, name)
		}
	}
	slices.SortFunc(stale, strings.Compare)
	return stale, nil
}
