package edge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// door is a point of presence's port. Whatever comes in is looked at first: a TLS handshake is a
// viewer of https://, anything else speaks HTTP, directly or to a proxy. CONNECT hands its
// connection back to the door, as if the viewer had come directly.
type door struct {
	pop      *POP
	listener net.Listener
	http     *http.Server
	tls      *tls.Config
	ready    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	tunnels  sync.WaitGroup

	mu      sync.Mutex
	waiting map[net.Conn]bool // connections that have not said anything yet
	gone    bool              // nobody is let in any more
}

// patience is how long a viewer may take to say what he wants.
const patience = 10 * time.Second

// ProxyURL is what HTTP_PROXY and HTTPS_PROXY are set to; empty before Listen.
func (p *POP) ProxyURL() string {
	if p.door == nil {
		return ""
	}
	return "http://" + p.Addr()
}

// Addr is the port as "127.0.0.1:PORT"; empty before Listen.
func (p *POP) Addr() string {
	if p.door == nil {
		return ""
	}
	return p.door.listener.Addr().String()
}

func (p *POP) listen(ca *authority) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	d := &door{
		pop: p, listener: l, ready: make(chan net.Conn), closed: make(chan struct{}), waiting: map[net.Conn]bool{},
	}
	d.tls = &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if _, ok := p.edge.deps.Distributions.ByHost(hello.ServerName); !ok {
				return nil, fmt.Errorf("no distribution at %q", hello.ServerName)
			}
			return ca.leaf(strings.ToLower(hello.ServerName))
		},
	}
	// ErrorLog would tell of every viewer who does not trust the authority.
	d.http = &http.Server{Handler: d, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	p.door = d
	d.tunnels.Add(2)
	go func() { defer d.tunnels.Done(); d.accept() }()
	go func() { defer d.tunnels.Done(); _ = d.http.Serve(d) }() // ends with Close
	return nil
}

func (p *POP) close() {
	if p.door == nil {
		return
	}
	p.door.shut()
	p.door = nil
}

func (d *door) shut() {
	_ = d.Close()
	_ = d.http.Close()
	d.mu.Lock()
	d.gone = true
	for c := range d.waiting {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.tunnels.Wait()
}

func (d *door) accept() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.admit(c, bufio.NewReader(c))
	}
}

// admit looks at a connection's first byte in a goroutine of its own and lets it in.
func (d *door) admit(c net.Conn, r *bufio.Reader) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		_ = c.Close()
		return
	}
	d.waiting[c] = true
	d.tunnels.Go(func() {
		const handshake = 0x16 // TLS record type (RFC 8446, section 5.1)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		first, err := r.Peek(1)
		_ = c.SetReadDeadline(time.Time{})
		d.mu.Lock()
		delete(d.waiting, c)
		d.mu.Unlock()
		if err != nil {
			_ = c.Close()
			return
		}
		var in net.Conn = &peeked{c, r}
		if first[0] == handshake {
			in = tls.Server(in, d.tls)
		}
		select {
		case d.ready <- in:
		case <-d.closed:
			_ = c.Close()
		}
	})
}

// peeked is a connection some of which was read into a buffer.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// Accept, Close and Addr make the door the listener of its own server.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.ready:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close stops listening.
func (d *door) Close() error {
	err := d.listener.Close()
	d.once.Do(func() { close(d.closed) })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Addr is where the door listens.
func (d *door) Addr() net.Addr { return d.listener.Addr() }

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		d.connect(w, r)
		return
	}
	if meddle := d.pop.edge.deps.Options.Intercept; meddle != nil {
		meddle(d.pop.name, w, r, http.HandlerFunc(d.serve))
		return
	}
	d.serve(w, r)
}

func (d *door) serve(w http.ResponseWriter, r *http.Request) {
	secure := r.TLS != nil
	if secure && !strings.EqualFold(r.TLS.ServerName, hostname(r.Host)) {
		// CloudFront answers a host other than the handshake's so (M).
		http.Error(w, "421: the TLS handshake was for "+r.TLS.ServerName, http.StatusMisdirectedRequest)
		return
	}
	a, err := d.pop.answer(r, secure, r.Host)
	if err != nil {
		return // the viewer has gone
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the viewer may have gone
}

// connect is the proxy's CONNECT: the tunnel ends here, and only distributions are behind it.
func (d *door) connect(w http.ResponseWriter, r *http.Request) {
	host := hostname(r.URL.Host)
	if _, ok := d.pop.edge.deps.Distributions.ByHost(host); !ok {
		http.Error(w, fmt.Sprintf("403: The rehearsal's edge serves no distribution at %q and connects to nothing else.", host), http.StatusForbidden)
		return
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok { // HTTP/2, which nobody speaks to a proxy in clear text
		http.Error(w, "501: the rehearsal does not emulate CONNECT over HTTP/2", http.StatusNotImplemented)
		return
	}
	c, buffered, err := hijacker.Hijack()
	if err != nil {
		return // the connection is broken
	}
	if _, err := c.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = c.Close()
		return
	}
	d.admit(c, buffered.Reader)
}

// hostname is host without a port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
