package lambdaconfig

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// connectTimeout ends an attempt to connect. A function has seconds, not the SDK's half a minute.
	connectTimeout = 3 * time.Second
	// freshFor is how long a connection opened ahead is taken for alive. Between its start and its
	// first event a function may be frozen for hours, and servers close what is idle.
	freshFor = 20 * time.Second
)

// client is an http.Client whose connections can be opened ahead.
type client struct {
	http.Client
	dialer *dialer
}

func newClient(getenv func(string) string) *client {
	d := &dialer{roots: newRoots(getenv), ahead: map[string]ahead{}}
	return &client{
		Client: http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DialContext: d.net.DialContext, DialTLSContext: d.dial,
				TLSHandshakeTimeout: connectTimeout, MaxIdleConnsPerHost: 10, IdleConnTimeout: 90 * time.Second,
			},
			// AWS redirects by errors that the SDK understands, not for HTTP clients to follow.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		dialer: d,
	}
}

// dialer opens connections over TLS, or gives one that was opened ahead.
type dialer struct {
	net   net.Dialer
	roots *roots

	mu    sync.Mutex
	ahead map[string]ahead // by address; one each
}

type ahead struct {
	conn net.Conn
	made time.Time // without the monotonic clock, which a freeze may stop
}

// dial implements http.Transport.DialTLSContext.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	a, found := d.ahead[address]
	delete(d.ahead, address)
	d.mu.Unlock()
	if found {
		if age := time.Now().Round(0).Sub(a.made); 0 <= age && age < freshFor {
			return a.conn, nil
		}
		_ = a.conn.Close()
	}
	return d.open(ctx, network, address)
}

func (d *dialer) open(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	secure := tls.Dialer{NetDialer: &d.net, Config: &tls.Config{
		ServerName: host,
		MinVersion: tls.VersionTLS12,
		// A function makes a few calls, one after the other: HTTP/2 would only have to be set up.
		NextProtos: []string{"http/1.1"},
		// This leaves out crypto/tls's own verification, which parses every root, and nothing else:
		// VerifyConnection does the same, and no connection is made without it.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return d.roots.verify(host, state) },
	}}
	return secure.DialContext(ctx, network, address)
}

// Connect opens a connection to each of the hosts ahead of the first call, and waits for it. Called
// while the function starts, it takes the TLS handshake out of the first event: Lambda starts a
// function at full speed, and events get their memory's share of a processor, at 128 MB a
// fourteenth (Lambda developer guide, "Configure Lambda function memory"). A host that cannot be
// reached is no matter here; the call that needs it will say so. cfg is Load's; with an endpoint of
// its own only that is connected to, and nothing where a proxy is between.
func Connect(ctx context.Context, cfg aws.Config, hosts ...string) {
	c, ok := cfg.HTTPClient.(*client)
	if !ok {
		return
	}
	urls := make([]string, len(hosts))
	for i, host := range hosts {
		urls[i] = "https://" + host
	}
	if cfg.BaseEndpoint != nil {
		urls = []string{*cfg.BaseEndpoint}
	}
	slices.Sort(urls)
	var wg sync.WaitGroup
	for _, text := range slices.Compact(urls) {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" {
			continue
		}
		if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); proxy != nil || err != nil {
			continue
		}
		wg.Go(func() { c.dialer.prepare(ctx, u) })
	}
	wg.Wait()
}

func (d *dialer) prepare(ctx context.Context, u *url.URL) {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	address := net.JoinHostPort(u.Hostname(), port)
	conn, err := d.open(ctx, "tcp", address)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ahead[address] = ahead{conn, time.Now().Round(0)}
}
