// Package doctor walks a route from its caller to the distribution and checks every link: who may become
// whom, who may call what, whether what is called is there, and whether a pipeline announces, deploys and
// purges in this order. It reads policies and decides with package iam, and makes calls that change nothing;
// it never writes. At a broken link it says which statement is missing, in which account, and to what it has
// to be added.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/unstale/unstale/internal/doctor/repair"
	"github.com/unstale/unstale/internal/target"
)

// State is what a check found.
type State string

// The states. What may not be read is Unknown, never OK.
const (
	OK      State = "ok"
	Broken  State = "broken"
	Unknown State = "unknown"
	Note    State = "note" // it works, and could do better
)

// Rung is one check.
type Rung struct {
	Name    string          `json:"name"`              // what is checked, such as "the job's role may assume the purge role"
	Account string          `json:"account,omitempty"` // 12 digits: of the subject; empty when that is not known
	Subject string          `json:"subject,omitempty"` // ARN or name
	State   State           `json:"state"`
	Why     string          `json:"why"`               // one or two sentences
	Read    []string        `json:"read"`              // what was asked: "iam:GetRole unstale-job"
	Changes []repair.Change `json:"changes,omitempty"` // that mend it, or with a Note make it better
	Try     string          `json:"try,omitempty"`     // the next step where Changes and Why do not say it, as for what has another name
}

// Report is the ladder: the rungs in the order in which a release climbs them.
type Report struct {
	Route   string `json:"route"` // "" when nothing told it
	Rungs   []Rung `json:"rungs"`
	Broken  int    `json:"broken"`
	Unknown int    `json:"unknown"`
}

// First is the first rung of a state, nil when there is none.
func (r Report) First(s State) *Rung {
	for i := range r.Rungs {
		if r.Rungs[i].State == s {
			return &r.Rungs[i]
		}
	}
	return nil
}

// Question is what to check. Either Target is given, which the caller itself reaches, or a pipeline: by its
// own name, or by that of the stacks that hold it.
type Question struct {
	Name     string         // of a deployed stack set, such as "unstale"
	Route    target.Route   // of the stack set; empty: the first whose stacks stand
	Pipeline string         // of a pipeline; empty with Name: the one in the stacks
	Target   *target.Target // of an operator
	Tags     bool           // whether #tags are going to be purged
	// Code tells the functions of this release by their zips: base64 of the SHA-256, as Lambda gives it, to
	// "pipeline-job" or "invalidator". Empty: what a function runs cannot be told.
	Code map[string]string
}

// Doctor speaks for one or two accounts. Make it with New.
type Doctor struct{ configs []aws.Config }

// New makes a Doctor. The pipeline's configuration is needed; the delivery account's may be left out (the
// zero Config) and makes what only that account may read unknown.
func New(pipeline, delivery aws.Config) *Doctor {
	d := &Doctor{configs: []aws.Config{pipeline}}
	if delivery.Credentials != nil {
		d.configs = append(d.configs, delivery)
	}
	return d
}

// walk is one question being answered.
type walk struct {
	Question
	home   *side            // the pipeline account, or the caller's
	sides  map[string]*side // by account
	report Report
	reads  []string // since the last rung
	roles  map[string]*role
	asked  []demand            // what roles need, and their organizations may deny
	zips   map[string]location // where the stacks of an account take the functions' code
	// origins are those of each distribution that was looked at; nil: its configuration could not be read.
	origins map[string][]types.Origin
}

// location is an object of S3.
type location struct{ bucket, key string }

// Check answers a question. An error means that nothing could be checked at all.
func (d *Doctor) Check(ctx context.Context, q Question) (Report, error) {
	w := &walk{Question: q, sides: map[string]*side{}, roles: map[string]*role{}, zips: map[string]location{}, origins: map[string][]types.Origin{}}
	if err := w.identify(ctx, d.configs); err != nil {
		return Report{}, err
	}
	switch {
	case q.Target != nil:
		w.operator(ctx, *q.Target)
	case q.Name != "":
		w.deployed(ctx)
	case q.Pipeline != "":
		w.pipeline(ctx, q.Pipeline, facts{})
	default:
		return Report{}, errors.New("check a route: neither a target nor a pipeline is named")
	}
	w.organizations(ctx)
	for _, r := range w.report.Rungs {
		switch r.State {
		case Broken:
			w.report.Broken++
		case Unknown:
			w.report.Unknown++
		}
	}
	return w.report, nil
}

// Nobody says that AWS did not tell who a configuration calls as.
type Nobody struct {
	Config int // 0: the pipeline account's, or the only one; 1: the delivery account's
	Err    error
}

func (n *Nobody) Error() string {
	return fmt.Sprintf("ask who calls with the %s profile: %s", []string{"first", "second"}[n.Config], brief(n.Err))
}

func (n *Nobody) Unwrap() error { return n.Err }

// identify asks who each configuration is. Without an answer there is nothing to walk from.
func (w *walk) identify(ctx context.Context, configs []aws.Config) error {
	for i, cfg := range configs {
		s, err := newSide(ctx, cfg)
		if err != nil {
			return &Nobody{i, err}
		}
		w.read("sts:GetCallerIdentity", "")
		if w.home == nil {
			w.home = s
		}
		if _, twice := w.sides[s.account]; !twice {
			w.sides[s.account] = s
		}
		w.add(Rung{Name: "caller", Account: s.account, Subject: s.arn, State: OK, Why: "credentials are valid"})
	}
	return nil
}

// add puts a rung on the ladder, with what was read for it.
func (w *walk) add(r Rung) {
	r.Read = []string{}
	for _, read := range w.reads {
		if !slices.Contains(r.Read, read) {
			r.Read = append(r.Read, read)
		}
	}
	w.reads = nil
	w.report.Rungs = append(w.report.Rungs, r)
}

// read notes a call.
func (w *walk) read(action, subject string) {
	w.reads = append(w.reads, strings.TrimSpace(action+" "+subject))
}

// at finds who speaks for an account.
func (w *walk) at(account string) (*side, error) {
	if s := w.sides[account]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("no profile of account %s was given", account)
}
