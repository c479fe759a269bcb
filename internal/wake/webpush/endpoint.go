package webpush

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// An endpoint comes from a phone, which may ask its computers to post to it, and
// to nothing inside their networks. TLS would keep a stranger's name from being
// served by an inner host, but not time and status from telling what is there.

var errEndpoint = errors.New("webpush: the phone named an address that is not a push service's: https, a public name, port 443")

// parseEndpoint returns an endpoint's URL, or errEndpoint, which does not
// repeat it.
func parseEndpoint(endpoint string, local bool) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" || u.Fragment != "" || u.Opaque != "" {
		return nil, errEndpoint
	}
	if local {
		return u, nil
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || strings.Trim(host, "0123456789.") == "" || !strings.Contains(strings.Trim(host, "."), ".") {
		return nil, errEndpoint
	}
	if p := u.Port(); p != "" && p != "443" {
		return nil, errEndpoint
	}
	return u, nil
}

// audience is the origin of u, as browsers write it. [RFC 6454] §6.2.
func audience(u *url.URL) string {
	host := strings.ToLower(u.Host)
	return "https://" + strings.TrimSuffix(host, ":443")
}

// notPublic are ranges of the public-looking address space that no push service
// is in. [RFC 6890] and its registries.
var notPublic = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // [RFC 6052] §2.1
)

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// public reports whether a is an address of the Internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if a.IsPrivate() || !a.IsGlobalUnicast() || a.Is6() && !globalUnicast.Contains(a) {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// refusePrivate is a net.Dialer's ControlContext: it sees the address that a
// name came to, for each connection.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !public(to.Addr()) {
		return errors.New("webpush: the push service's name leads into a private network")
	}
	return nil
}

// carrier posts directly, to public addresses only, or through the proxy that
// the environment names: what is private there is then that proxy's to know.
type carrier struct{ direct, proxied *http.Transport }

func newCarrier(o Options) *carrier {
	base := func() *http.Transport {
		return &http.Transport{
			TLSClientConfig:        o.TLS.Clone(),
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  answerTimeout,
			MaxResponseHeaderBytes: maxAnswerHeader,
			MaxIdleConns:           4,
			IdleConnTimeout:        90 * time.Second,
			ForceAttemptHTTP2:      true, // Apple has nothing else
			DisableCompression:     true,
		}
	}
	c := &carrier{direct: base(), proxied: base()}
	c.proxied.Proxy = o.Proxy
	c.proxied.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	direct := &net.Dialer{Timeout: dialTimeout}
	if !o.Local {
		direct.ControlContext = refusePrivate
	}
	c.direct.DialContext = direct.DialContext
	return c
}

func (c *carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	switch by, err := c.proxied.Proxy(r); {
	case err != nil:
		return nil, fmt.Errorf("read the proxy's address: %w", err)
	case by != nil:
		return c.proxied.RoundTrip(r)
	}
	return c.direct.RoundTrip(r)
}

func (c *carrier) CloseIdleConnections() {
	c.direct.CloseIdleConnections()
	c.proxied.CloseIdleConnections()
}
