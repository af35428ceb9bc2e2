package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/unstale/unstale/plan"
	"github.com/unstale/unstale/site"
)

// input reads all that a plan is made from, and the release's name where it has one.
func (p *planner) input() (in plan.Input, release string, err error) {
	in = plan.Input{
		Deletes: p.deletes, Bucket: p.bucket, Prefix: p.prefix, Routes: p.routes, Tags: p.cacheTags(), Used: p.used,
	}
	if p.used < 0 {
		return in, "", usage{withTry(fmt.Errorf("--used is %d, but it counts paths", p.used), "--used 0")}
	}
	if err := slashed(p.prefix); err != nil {
		return in, "", err
	}
	if in.Preset, err = plan.ParsePreset(p.preset); err != nil {
		return in, "", usage{withTry(err, "--preset balanced")}
	}
	if in.Budget, err = plan.ParseBudget(p.budget); err != nil {
		return in, "", usage{withTry(err, "--budget 40, or --budget '$5'")}
	}
	if p.site == "" {
		return in, "", usage{withTry(errors.New("plan needs the release: --site is not given"), "unstale plan --site DIRECTORY, or unstale plan --help")}
	}
	if in.Distribution, err = p.readDistribution(); err != nil {
		return in, "", err
	}
	sources, err := p.readSites(&in)
	if err != nil {
		return in, "", err
	}
	return in, sources[0].manifest.Release, nil
}

// slashed refuses a prefix that is no directory's: keys would be such as "v1index.html", or begin with a slash.
func slashed(prefix string) error {
	want := strings.Trim(prefix, "/") + "/"
	switch {
	case prefix == "", prefix == want && want != "/":
		return nil
	case want == "/":
		return usage{withTry(fmt.Errorf("--prefix is %q, but keys of S3 begin with no slash", prefix), "without --prefix, where the release lies at the top of the bucket")}
	}
	return usage{withTry(fmt.Errorf("--prefix is %q, but it stands right before keys: it ends with a slash and begins with none", prefix), "--prefix %s", want)}
}

// readSites reads the release and what is known, the release first.
func (p *planner) readSites(in *plan.Input) ([]source, error) {
	release, err := readSource(p.site)
	if err == nil {
		err = release.damage
	}
	if err != nil {
		return nil, unusable("--site", p.site, err)
	}
	if err := release.holdsFiles("--site"); err != nil {
		return nil, err
	}
	sources := []source{release}
	for _, name := range p.previous {
		s, err := readSource(name)
		if err != nil {
			return nil, unusable("--previous", name, err)
		}
		sources = append(sources, s)
	}
	p.settleID(&in.Distribution, sources)
	if err := release.foreign(in.Distribution.ID); err != nil {
		return nil, unusable("--site", p.site, err)
	}
	in.Release = release.manifest.Snapshot
	for _, s := range sources[1:] {
		err := s.damage
		if err == nil {
			err = s.foreign(in.Distribution.ID)
		}
		if err != nil {
			p.warn(fmt.Sprintf("use %s as --previous: %v; nothing is known of what caches hold, so everything is purged", s.name, err))
			s.manifest.Snapshot = nil
		}
		in.Known = append(in.Known, s.manifest.Snapshot)
	}
	if len(in.Known) == 0 {
		p.warn("no --previous was given, so nothing is known of what caches hold and everything is purged")
	}
	return sources, nil
}

// settleID takes the distribution's ID from a manifest where nobody told it, the release's first.
func (p *planner) settleID(d *plan.Distribution, sources []source) {
	if d.ID != "" {
		return
	}
	for _, s := range sources {
		if id := s.manifest.Distribution; id != "" {
			d.ID = id
			p.warn(fmt.Sprintf("the configuration does not tell its distribution, so it is taken to be %s, as %s says; give --distribution ID to be sure", id, s.name))
			return
		}
	}
}

// unusable says which file of which flag cannot be used, and what could be.
func unusable(flag, name string, err error) error {
	try := "a directory, a zip or a manifest that unstale plan --manifest wrote"
	var archive *site.ArchiveError
	var bad *site.NameError
	var foreign *site.ForeignError
	switch {
	case errors.Is(err, os.ErrNotExist):
		try = "the directory or the zip that was deployed"
		if flag == "--previous" {
			try += ", or without --previous where there was none"
		}
	case errors.As(err, &archive), errors.Is(err, errContent):
		try = "pack the zip again, or give the directory that it was made from"
	case errors.As(err, &bad):
		try = "rename the entry, and deploy it under that name"
	case errors.As(err, &foreign):
		try = "the release of this distribution, or its configuration with --distribution-config"
	}
	return usage{withTry(fmt.Errorf("use %s as %s: %w", name, flag, err), "%s", try)}
}

// readDistribution reads the configuration, with policies and declared functions.
func (p *planner) readDistribution() (d plan.Distribution, err error) {
	var policies []plan.Policy
	for _, name := range p.policies {
		data, err := p.readConfig("--cache-policy", name, printed("aws cloudfront get-cache-policy --id ID", name))
		if err != nil {
			return d, err
		}
		policy, err := plan.FromPolicy(data)
		if err != nil {
			return d, misread("--cache-policy", name, err, printed("aws cloudfront get-cache-policy --id ID", name))
		}
		policies = append(policies, policy)
	}
	if p.config == "" {
		p.warn("no --distribution-config was given, so any URL may serve what changed and everything is purged")
		d.Enabled = true
	} else {
		try := printed("aws cloudfront get-distribution --id ID", p.config)
		if p.config == "-" {
			try = "aws cloudfront get-distribution --id ID | unstale plan --distribution-config - ..."
		}
		data, err := p.readConfig("--distribution-config", p.config, try)
		if err != nil {
			return d, err
		}
		if d, err = plan.FromConfig(data, policies...); err != nil {
			return d, misread("--distribution-config", p.config, err, try)
		}
	}
	switch {
	case d.ID == "":
		d.ID = p.distribution
	case p.distribution != "" && p.distribution != d.ID:
		return d, usage{withTry(fmt.Errorf("--distribution is %s, but %s is the configuration of %s", p.distribution, p.config, d.ID), "one of both")}
	}
	return p.declare(d)
}

func (p *planner) readConfig(flag, name, try string) ([]byte, error) {
	var data []byte
	var err error
	if name == "-" && flag == "--distribution-config" {
		data, err = io.ReadAll(p.stdin)
	} else {
		data, err = os.ReadFile(name)
	}
	if err == nil && len(strings.TrimSpace(string(data))) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, misread(flag, name, bare(err), try)
	}
	return data, nil
}

// printed says how a file comes about: what is there already is something else, and nobody's to overwrite.
func printed(command, name string) string {
	if info, err := os.Stat(name); err == nil && info.Size() != 0 {
		return "a file that " + command + " printed"
	}
	return command + " > " + name
}

func misread(flag, name string, err error, try string) error {
	return usage{withTry(fmt.Errorf("use %s as %s: %w", name, flag, err), "%s", try)}
}

// declare takes over what is known of functions: of all others after the named ones.
func (p *planner) declare(d plan.Distribution) (plan.Distribution, error) {
	others := func(text string) int { return strings.Count(text[:min(2, len(text))], "*=") }
	rewrites := slices.Clone(p.rewrites)
	slices.SortStableFunc(rewrites, func(a, b string) int { return others(a) - others(b) })
	for _, text := range rewrites {
		at := strings.LastIndexByte(text, '=')
		name, rewrite := text[:max(at, 0)], plan.Rewrite(text[at+1:])
		known := []plan.Rewrite{plan.RewriteNothing, plan.RewriteIndex, plan.RewriteHTML, plan.RewriteFallback}
		if name == "" || !slices.Contains(known, rewrite) {
			return d, usage{withTry(fmt.Errorf("--rewrite %q does not say what which function does", text), "--rewrite NAME=none, or index, html or spa in place of none")}
		}
		declared, fitted := d.Declare(name, rewrite)
		if fitted == 0 && name != "*" {
			return d, usage{withTry(fmt.Errorf("--rewrite %s: the distribution runs no function of that name", text), "%s", functionNames(d))}
		}
		d = declared
	}
	return d, nil
}

// functionNames lists the functions that can be declared.
func functionNames(d plan.Distribution) string {
	var names []string
	for _, b := range append(slices.Clone(d.Behaviors), d.Default) {
		for _, f := range b.Functions {
			names = append(names, f.ARN)
		}
	}
	if len(names) == 0 {
		return "without --rewrite: its configuration has no functions"
	}
	slices.Sort(names)
	return "one of " + strings.Join(slices.Compact(names), ", ")
}
