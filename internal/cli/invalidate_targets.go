package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/unstale/unstale/internal/fleet"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
	"github.com/unstale/unstale/invalidation"
)

// aim is the flags that say which targets are meant: those of a targets file, or one that the flags
// describe.
type aim struct {
	config   string
	groups   []string
	all      bool
	one      target.Target
	domain   string
	region   string
	profile  string
	accounts int
}

// defaultTargets says, in the help of --config, which file it is otherwise.
const defaultTargets = " (default: $" + targetfile.Variable + ", or " + targetfile.Name + " here or above)"

func (a *aim) flags(flags *pflag.FlagSet) {
	flags.StringVar(&a.config, "config", "", "the targets file"+defaultTargets)
	flags.StringSliceVarP(&a.groups, "group", "g", nil, "the targets of a group (repeatable)")
	flags.BoolVar(&a.all, "all", false, "all targets of the file")
	flags.StringVar(&a.one.Distribution, "distribution", "", "ID of a distribution, without a targets file")
	flags.StringVar(&a.domain, "domain", "", "domain of a distribution of your own account, or a URL on it, in place of its ID")
	flags.StringVar(&a.one.Role, "role-arn", "", "role to assume in the distribution's account (route assume)")
	flags.StringVar(&a.one.ExternalID, "external-id", "", "what the role's trust policy asks for")
	flags.StringVar(&a.one.Function, "function", "", "ARN of the invalidator's alias to invoke instead (route relay)")
	flags.StringVar(&a.profile, "profile", "", "profile of the AWS shared configuration (default: the target's, or as for the AWS CLI)")
	flags.StringVar(&a.region, "region", "", "Region to call AWS in (default: the target's, the profile's, or us-east-1)")
	flags.IntVar(&a.accounts, "per-account", fleet.DefaultPerAccount, "calls of a kind at once in one account")
}

// described reports whether flags describe a target.
func (a *aim) described() bool {
	return a.one.Distribution+a.domain+a.one.Role+a.one.ExternalID+a.one.Function != ""
}

// targets are those that are meant, each reachable from here. Those that only a pipeline reaches are left
// out, with a warning, unless they are meant by name.
func (a *aim) targets(names []string, warn func(string)) ([]targetfile.Target, error) {
	if a.accounts < 1 {
		return nil, usage{withTry(fmt.Errorf("--per-account is %d, but it counts calls", a.accounts), "--per-account 4")}
	}
	var targets []targetfile.Target
	var err error
	switch {
	case !a.described():
		targets, err = a.chosen(names)
	case len(names)+len(a.groups) > 0 || a.all || a.config != "":
		return nil, usage{withTry(errors.New("a target is described by flags, and others are named: "+strings.Join(slices.Concat(names, a.groups), " ")),
			"the names of targets, or --distribution and what belongs to it")}
	default:
		targets, err = a.single()
	}
	if err != nil {
		return nil, err
	}
	var reachable []targetfile.Target
	for _, t := range targets {
		var unreachable *targetfile.Unreachable
		if err := t.Reachable(); errors.As(err, &unreachable) {
			if !a.all && len(a.groups) == 0 || slices.Contains(names, t.Name) || len(targets) == 1 {
				return nil, usage{withTry(err, "%s", unreachable.Try())}
			}
			warn(fmt.Sprintf("target %s is left out: only a pipeline can take route %s", t.Name, t.Route))
			continue
		}
		t.Profile, t.Region = cmp.Or(a.profile, t.Profile), cmp.Or(a.region, t.Region)
		reachable = append(reachable, t)
	}
	if len(reachable) == 0 {
		return nil, usage{withTry(errors.New("reach the targets: only pipelines can take their routes"), "a target of route assume, relay or same-account")}
	}
	return reachable, nil
}

// chosen are targets of the file.
func (a *aim) chosen(names []string) ([]targetfile.Target, error) {
	file, err := readTargets(a.config)
	if errors.Is(err, targetfile.ErrNone) {
		return nil, usage{withTry(err, "--config FILE, or --distribution ID with --role-arn ARN where it is in another account")}
	}
	if err != nil {
		return nil, err
	}
	targets, err := file.Select(names, a.groups, a.all)
	var selection *targetfile.SelectionError
	if errors.As(err, &selection) {
		if err := itemMeant(names, selection); err != nil {
			return nil, err
		}
		if !a.all && len(names)+len(a.groups) == 0 {
			return nil, usage{withTry(err, "%s", tryChoice(file))}
		}
		return nil, usage{withTry(err, "%s", selection.Try)}
	}
	return targets, err
}

// itemMeant is the error of a name that no target has and that looks like a file's; nil: none does.
func itemMeant(names []string, s *targetfile.SelectionError) error {
	for _, name := range names {
		if filepath.Ext(name) != "" && strings.Contains(s.Problem, fmt.Sprintf("no target %q", name)) {
			return usage{withTry(fmt.Errorf("%q is neither a target nor an item; write \"/%s\"", name, name), "'/%s'; or %s", name, s.Try)}
		}
	}
	return nil
}

// misnamed is the error of names where an item was meant; nil: they are targets, or something else is wrong.
func (a *aim) misnamed(names []string) error {
	if len(names) == 0 {
		return nil
	}
	if a.described() { // so no name is a target's
		return noItem(names[0], "")
	}
	file, err := readTargets(a.config)
	if errors.Is(err, targetfile.ErrNone) && !target.ValidDistribution(names[0]) {
		return noItem(names[0], ", and there is no "+targetfile.Name+" with a target of that name")
	}
	if err != nil {
		return nil // told where the targets are needed
	}
	var selection *targetfile.SelectionError
	if _, err := file.Select(names, nil, false); errors.As(err, &selection) {
		return itemMeant(names, selection)
	}
	return nil
}

// noItem is the error of a word that stands where an item should.
func noItem(word, besides string) error {
	return usage{withTry(fmt.Errorf("%q is no item: items begin with \"/\"%s", word, besides), "'/%s'", word)}
}

// tryChoice says with which flags targets are chosen, where none was.
func tryChoice(file *targetfile.File) string {
	const most = 10
	var names []string
	for _, t := range file.Targets[:min(len(file.Targets), most)] {
		names = append(names, t.Name)
	}
	try := "name one or more of " + strings.Join(names, ", ")
	if more := len(file.Targets) - len(names); more > 0 {
		try += fmt.Sprintf(" and %d more", more)
	}
	if groups := file.Groups(); len(groups) > 0 {
		try += "; or --group " + groups[0]
	}
	return try + "; or --all"
}

// readTargets finds and reads the targets file.
func readTargets(flag string) (*targetfile.File, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", targetfile.Name, err)
	}
	path, err := targetfile.Locate(flag, os.LookupEnv, dir)
	if errors.Is(err, targetfile.ErrNone) {
		return nil, err
	}
	if err != nil {
		return nil, usage{withTry(err, "--config FILE")}
	}
	if short, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(short, "..") {
		path = short
	}
	file, err := targetfile.Read(path, os.LookupEnv)
	var problems *targetfile.Problems
	info, missing := os.Stat(path)
	switch {
	case errors.As(err, &problems) && missing == nil && !info.Mode().IsRegular():
		return nil, usage{withTry(err, "--config FILE")}
	case errors.As(err, &problems):
		return nil, usage{withTry(err, "mend %s", path)}
	case err != nil:
		return nil, usage{withTry(err, "--config FILE with one that is there and that you may read")}
	}
	return file, nil
}

// single is the target that flags describe. A person who assumes a role of their own has no need of an
// ExternalId: it is there for services that act for several customers.
func (a *aim) single() ([]targetfile.Target, error) {
	a.domain = hostOf(a.domain)
	t := a.one
	t.Name, t.Route = cmp.Or(t.Distribution, a.domain), target.SameAccount
	switch {
	case t.Role != "" && t.Function != "":
		return nil, usage{withTry(errors.New("--role-arn and --function exclude each other: each is a route of its own"), "one of them")}
	case t.Role != "":
		t.Route = target.Assume
	case t.Function != "":
		t.Route = target.Relay
		if f, err := target.ParseFunction(t.Function); err == nil {
			t.Name = cmp.Or(t.Name, f.Name)
		}
	case t.ExternalID != "":
		return nil, usage{withTry(errors.New("--external-id goes with --role-arn"), "--role-arn ARN")}
	}
	if !target.ValidName(t.Name) {
		t.Name = "target" // what is wrong with it is told below
	}
	if a.domain != "" && (t.Distribution != "" || t.Route != target.SameAccount) {
		return nil, usage{withTry(errors.New("--domain finds a distribution of your own account, and nothing else may describe one beside it"), "--distribution ID")}
	}
	t, faults := target.Check(t)
	for _, fault := range faults {
		if fault.Missing && (fault.Field == "externalId" || fault.Field == "distribution" && a.domain != "") {
			continue
		}
		return nil, usage{withTry(errors.New(flagged(fault.Text)), "unstale invalidate --help")}
	}
	return []targetfile.Target{{Target: t, Domain: a.domain}}, nil
}

// hostOf is the host of a URL, as people copy it from a browser; what is none stays what it is.
func hostOf(domain string) string {
	if _, rest, found := strings.Cut(domain, "://"); found {
		domain = rest
	}
	host, _, _ := strings.Cut(domain, "/")
	if name, port, found := strings.Cut(host, ":"); found && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// flagged says of a target's fault which flag is meant.
func flagged(text string) string {
	text = strings.Replace(text, "needs distribution", "needs --distribution", 1)
	return "read the flags: " + text
}

// split tells items from names of targets: an item begins with "/" or "#", which no name does.
func split(args []string) (names []string, items []invalidation.Item, err error) {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, "#") {
			if strings.ContainsAny(arg, "/*#") {
				return nil, nil, usage{withTry(fmt.Errorf("%q is neither the name of a target nor an item", arg), "'/%s', where the item is meant", strings.TrimPrefix(arg, "*"))}
			}
			names = append(names, arg)
			continue
		}
		item, err := invalidation.ParseItem(arg)
		if err != nil {
			return nil, nil, usage{withTry(err, "an item such as '/index.html', '/docs/*' or '#tag', in quotes")}
		}
		items = append(items, item)
	}
	if expanded(items) {
		return nil, nil, usage{withTry(errors.New("these items look as if the shell had put this machine's directories in the place of /*"), "'/*' in quotes")}
	}
	return names, items, nil
}

// expanded reports whether items are what a shell makes of an unquoted /*.
func expanded(items []invalidation.Item) bool {
	return slices.Contains(items, "/bin") && slices.Contains(items, "/etc") && slices.Contains(items, "/usr")
}
