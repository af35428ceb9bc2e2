package fleet

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	at "github.com/unstale/unstale/internal/gateway"
	"github.com/unstale/unstale/internal/purge"
	"github.com/unstale/unstale/invalidation"
	"github.com/unstale/unstale/plan"
	snap "github.com/unstale/unstale/site"
)

// pipes is a listener that is dialed without a network, so that HTTP takes place in a bubble's time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if conn, open := <-p; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

// answering is a configuration whose AWS is a handler.
func answering(t *testing.T, handler http.HandlerFunc) aws.Config {
	t.Helper()
	listener := make(pipes)
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }() // until the listener is closed
	wire := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		wire.CloseIdleConnections()
		_ = server.Close() // of a listener that closes
	})
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws"), HTTPClient: &http.Client{Transport: wire},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "s"}, nil
		}),
	}
}

// real is a site whose origin, and what is in progress, are read over HTTP.
type real struct {
	*site
	wire *at.CloudFront
	busy bool
}

func (r *real) Objects(ctx context.Context, o plan.Origin, keys []string) ([]at.Stored, error) {
	return r.wire.Objects(ctx, o, keys)
}

func (r *real) InProgress(ctx context.Context) ([]invalidation.Invalidation, error) {
	if r.busy {
		return r.wire.InProgress(ctx)
	}
	return r.site.InProgress(ctx)
}

const (
	listed = `<InvalidationSummary><CreateTime>2026-01-01T00:00:00Z</CreateTime><Id>I%d</Id><Status>InProgress</Status></InvalidationSummary>`
	list   = `<InvalidationList><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems><Quantity>40</Quantity><Items>%s</Items></InvalidationList>`
	one    = `<Invalidation><CreateTime>2026-01-01T00:00:00Z</CreateTime><Id>I1</Id><Status>InProgress</Status><InvalidationBatch><CallerReference>x</CallerReference>` +
		`<Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths></InvalidationBatch></Invalidation>`
)

// A target that is slow, but answers each request, is not given up however many requests a call is made of: objects
// to look at, invalidations to read. One that stops answering is.
func TestSlowIsNotSilent(t *testing.T) {
	for _, tt := range []struct {
		what  string
		busy  bool
		upTo  int // so many requests are answered
		want  Outcome
		least time.Duration
		most  time.Duration
		says  string
	}{
		// 100 objects, 8 at a time, and then an invalidation that takes 5 s.
		{"a hundred objects", false, 100, Done, 14 * time.Second, 25 * time.Second, ""},
		// A page, and what is on it, 4 at a time.
		{"forty invalidations", true, 41, Done, 12 * time.Second, 25 * time.Second, ""},
		{"nothing", false, 0, Failed, 10 * time.Second, 10 * time.Second, "aws:80 gave no answer within 10s"},
		// The last answer comes at 5.5 s.
		{"half of them", false, 40, Failed, 15 * time.Second, 16 * time.Second, "aws:80 gave no answer within 10s"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := make(chan struct{}, tt.upTo)
				cfg := answering(t, func(w http.ResponseWriter, r *http.Request) {
					select {
					case asked <- struct{}{}:
					default: // enough
						<-r.Context().Done()
						return
					}
					time.Sleep(1100 * time.Millisecond)
					switch {
					case strings.HasSuffix(r.URL.Path, "/invalidation"):
						var items strings.Builder
						for i := range 40 {
							_, _ = fmt.Fprintf(&items, listed, i)
						}
						_, _ = fmt.Fprintf(w, list, items.String())
					case strings.Contains(r.URL.Path, "/invalidation/"):
						_, _ = io.WriteString(w, one)
					default:
						_, _ = io.WriteString(w, "x")
					}
				})
				c := newCloud()
				c.takes = 5 * time.Second
				s := sites(c, 1, 1)[0]
				slow := target(s)
				open := slow.Open
				slow.Open = func(ctx context.Context) (Work, error) {
					w, err := open(ctx)
					w.Gateway = &real{s, at.NewCloudFront(cfg, s.id), tt.busy}
					if !tt.busy {
						w.Order.Served = hundred
					}
					return w, err
				}
				f := patient()
				f.Wait = 10 * time.Second
				began := time.Now()
				r := f.Run(t.Context(), []Target{slow})[0]
				took, said := time.Since(began), ""
				if r.Err != nil {
					said = r.Err.Error()
				}
				if r.Outcome != tt.want || !strings.Contains(said, tt.says) || (said == "") != (tt.says == "") || took < tt.least || took > tt.most {
					t.Errorf("%s after %s: %s", r.Outcome, took, said)
				}
			})
		})
	}
}

// hundred is an origin that has to serve a hundred objects, each of them an "x".
func hundred(plan.Distribution) purge.Served {
	s := purge.Served{Origin: plan.Origin{ID: "o", Bucket: "bucket", Domain: "bucket.s3.us-east-1.amazonaws.com"}}
	for i := range 100 {
		s.Objects = append(s.Objects, snap.Object{Key: fmt.Sprint("k", i), Size: 1, CRC32: 0x8cdc1683})
	}
	return s
}

// What a target waits for in its account's lane is not its own silence: its second try stands behind twelve targets
// that answer nothing, and then is answered at once.
func TestATurnIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		c.takes = 5 * time.Second
		var all []Target
		for i, s := range sites(c, 1, 13) {
			m := &mute{site: s, kind: "distribution", times: -1, bound: 9 * time.Second}
			if i == 0 {
				m.times, m.bound = 1, time.Second
			}
			next := target(s)
			open := next.Open
			next.Open = func(ctx context.Context) (Work, error) {
				if i > 0 {
					time.Sleep(time.Second / 2) // in a bubble
				}
				w, err := open(ctx)
				w.Gateway = m
				return w, err
			}
			all = append(all, next)
		}
		f := patient()
		f.Wait = 10 * time.Second
		f.Retry = purge.Retry{Fast: purge.Backoff{Base: 200 * time.Millisecond, Most: 2 * time.Second, Tries: 4}}
		began := time.Now()
		results := f.Run(t.Context(), all)
		if results[0].Outcome != Done {
			t.Errorf("%s: %v", results[0].Outcome, results[0].Err)
		}
		for _, r := range results[1:] {
			if r.Outcome != Failed || !strings.Contains(r.Err.Error(), "given up after 10s without an answer to 2 calls") && !strings.Contains(r.Err.Error(), "no answer within 10s") {
				t.Errorf("%s: %s: %v", r.Target, r.Outcome, r.Err)
			}
		}
		// Twelve times 10 s of silence, four at a time.
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
