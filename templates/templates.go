// Package templates carries the CloudFormation templates that infra/ synthesises, so that they can be deployed without CDK
// and without Node. They name no account, need no bootstrap and no assets. [Deployment] says which a route takes, where and
// in which order; README.md says it for people, with the templates for a pipeline of one's own.
package templates

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.template.json
var files embed.FS

//go:embed demanded.json
var demanded []byte

const suffix = ".template.json"

// FS holds the templates as NAME.template.json.
func FS() fs.FS { return files }

// Names lists the templates without their suffix, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("list the embedded templates: " + err.Error()) // the directory is part of the binary
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), suffix))
	}
	return names
}

// Get returns the template of a name, such as "pipeline-base".
func Get(name string) ([]byte, error) {
	body, err := files.ReadFile(name + suffix)
	if err != nil {
		return nil, fmt.Errorf("get template %q: there are: %s", name, strings.Join(Names(), ", "))
	}
	return body, nil
}

// Demand is one action that a template grants because AWS's documentation asks for it, not because a release uses it.
type Demand struct {
	Template  string `json:"template"`  // a name for [Get]
	LogicalID string `json:"logicalId"` // the resource that holds the policy
	Sid       string `json:"sid"`       // the statement
	Action    string `json:"action"`
	Source    string `json:"source"` // where AWS says so
}

// Demanded lists those grants. All other grants are exercised by a release.
func Demanded() ([]Demand, error) {
	var list []Demand
	if err := json.Unmarshal(demanded, &list); err != nil {
		return nil, fmt.Errorf("parse demanded.json: %w", err)
	}
	return list, nil
}
