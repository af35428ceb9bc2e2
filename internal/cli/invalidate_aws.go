package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/unstale/unstale/internal/gateway"
	ways "github.com/unstale/unstale/internal/gateway/routes"
	"github.com/unstale/unstale/internal/target"
	"github.com/unstale/unstale/internal/targetfile"
)

// connections are what this process opened to AWS, by profile and Region.
type connections struct {
	patience time.Duration // how long who is to give credentials may answer nothing; 0: slowCredentials
	mu       sync.Mutex
	all      map[identity]func() (*connection, error)
}

type identity struct{ profile, region string }

// connection is one identity's.
type connection struct {
	cfg    aws.Config
	routes *ways.Routes
	note   string // what the user should know of it
	keys   keyring
}

// of is the connection of a target. Credentials are fetched once, so that no call waits for them and what
// is wrong with them is found at once.
func (c *connections) of(ctx context.Context, t targetfile.Target) (*connection, error) {
	id := identity{t.Profile, t.Region}
	c.mu.Lock()
	if c.all == nil {
		c.all = map[identity]func() (*connection, error){}
	}
	open := c.all[id]
	if open == nil {
		open = sync.OnceValues(func() (*connection, error) { return connect(ctx, id, c.patience) })
		c.all[id] = open
	}
	c.mu.Unlock()
	return open()
}

// advised is a target's next step, where it is about credentials in the words of whose they are. It opens
// nothing: whoever has such an error was connected.
func (c *connections) advised(t targetfile.Target, err error, try string) string {
	c.mu.Lock()
	open := c.all[identity{t.Profile, t.Region}]
	c.mu.Unlock()
	if open == nil || err == nil {
		return try
	}
	if one, failed := open(); failed == nil {
		return one.keys.advised(err, try)
	}
	return try
}

// slowCredentials is how long getting credentials may take while nobody answers: a process may be asked, and each
// role of a chain answers for itself.
const slowCredentials = time.Minute

// connect reads a profile and gets its credentials, with so much patience for who is to answer; 0: slowCredentials.
func connect(ctx context.Context, id identity, patience time.Duration) (*connection, error) {
	cfg, err := loadConfigOr(ctx, id.profile, id.region, "")
	if err != nil {
		return nil, err
	}
	note := ""
	if cfg.Region == "" {
		// Read again: the roles of a profile are assumed in the Region that is known by then.
		if cfg, err = loadConfig(ctx, id.profile, id.region); err != nil {
			return nil, err
		}
		note = fmt.Sprintf("profile %s has no region: %s is called, where CloudFront is; --region or AWS_REGION for another", keyringOf(cfg, id.profile).begun, globalRegion)
	}
	keys := keyringOf(cfg, id.profile)
	if err := keys.held(ctx, cfg, patience); err != nil {
		return nil, err
	}
	return &connection{cfg, ways.New(cfg), note, keys}, nil
}

// profiles tells of a profile that is not there, which is a mistake in the command line or the targets file.
// Nothing is called.
func profiles(ctx context.Context, targets []targetfile.Target) error {
	seen := map[string]bool{}
	for _, t := range targets {
		if t.Profile == "" || seen[t.Profile] {
			continue
		}
		seen[t.Profile] = true
		var missing config.SharedConfigProfileNotExistError
		if _, err := loadConfig(ctx, t.Profile, t.Region); errors.As(err, &missing) {
			return err
		}
	}
	return nil
}

// settle completes a target that is known by its domain.
func (c *connection) settle(ctx context.Context, t targetfile.Target) (targetfile.Target, error) {
	if t.Route != target.SameAccount || t.Distribution != "" {
		return t, nil
	}
	id, err := gateway.FindDistribution(ctx, c.cfg, t.Domain)
	t.Distribution = id
	return t, err
}
