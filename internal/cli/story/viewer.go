package story

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"
)

// View is what one viewer got from one point of presence. It comes from the HTTP answer alone.
type View struct {
	URL     string `json:"url"`
	Release string `json:"release"` // data-release of the page's root element; empty when it has none
	Status  int    `json:"status"`
	XCache  string `json:"xCache"`
	POP     string `json:"pop"`
	Age     int    `json:"age"` // seconds; 0 when the answer has none
	sum     string // of the content; see sumOf
}

var dataRelease = regexp.MustCompile(`\bdata-release="([^"]*)"`)

// Look fetches a path of the site at every point of presence, one after the other.
func (s *Stage) Look(ctx context.Context, path string) ([]View, error) {
	eyes, err := s.eyes()
	if err != nil {
		return nil, err
	}
	var out []View
	for _, e := range eyes {
		v, err := e.look(ctx, "https://"+s.Outputs["DistributionDomain"]+path)
		e.client.CloseIdleConnections()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// eye is a viewer near one point of presence.
type eye struct {
	pop    string
	client *http.Client
}

// eyes are new viewers, one a point of presence. Close their idle connections.
func (s *Stage) eyes() ([]eye, error) {
	ca, err := os.ReadFile(s.World.CAFile())
	if err != nil {
		return nil, fmt.Errorf("read the rehearsal's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read the rehearsal's CA: %s holds no certificate", s.World.CAFile())
	}
	var out []eye
	for _, pop := range s.World.POPs() {
		proxy, err := url.Parse(pop.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("find point of presence %s: %w", pop.Name, err)
		}
		transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
		out = append(out, eye{pop.Name, &http.Client{Transport: transport, Timeout: 10 * time.Second}})
	}
	return out, nil
}

func (e eye) look(ctx context.Context, address string) (View, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return View{}, fmt.Errorf("look at %s: %w", address, err)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return View{}, fmt.Errorf("look at %s from %s: %w", address, e.pop, err)
	}
	defer func() { _ = resp.Body.Close() }() // everything was read, or the error below says so
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return View{}, fmt.Errorf("look at %s from %s: %w", address, e.pop, err)
	}
	v := View{
		URL: address, Status: resp.StatusCode, XCache: resp.Header.Get("X-Cache"), POP: resp.Header.Get("X-Amz-Cf-Pop"), sum: sumOf(body),
	}
	v.Age, _ = strconv.Atoi(resp.Header.Get("Age")) // absent on a miss
	if m := dataRelease.FindSubmatch(body); m != nil {
		v.Release = string(m[1])
	}
	return v, nil
}

// allServe says whether every point of presence served the release.
func allServe(views []View, release string) bool {
	for _, v := range views {
		if v.Release != release {
			return false
		}
	}
	return len(views) > 0
}
