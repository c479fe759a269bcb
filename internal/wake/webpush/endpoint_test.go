package webpush

import (
	"crypto/ecdh"
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/wire"
)

func unixTime(s int64) time.Time { return time.Unix(s, 0) }

func TestEndpoints(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://fcm.googleapis.com/fcm/send/abc:def":                 true,
		"https://updates.push.services.mozilla.com/wpush/v2/gAAAA":    true,
		"https://web.push.apple.com/QAAA?x=y":                         true,
		"https://wns2-par02p.notify.windows.com:443/w/?token=BQYA%3D": true,
		"http://fcm.googleapis.com/fcm/send/abc":                      false,
		"https://user@fcm.googleapis.com/":                            false,
		"https://fcm.googleapis.com:8443/":                            false,
		"https://fcm.googleapis.com/#x":                               false,
		"https://localhost/":                                          false,
		"https://router./":                                            false,
		"https://10.0.0.1/":                                           false,
		"https://8.8.8.8/":                                            false,
		"https://2130706433/":                                         false,
		"https://0x7f.1/":                                             true, // a name like any other: refused when it leads to 127.0.0.1
		"https://[::1]/":                                              false,
		"https:///x":                                                  false,
		"https:fcm.googleapis.com":                                    false,
	} {
		if u, err := parseEndpoint(endpoint, false); (err == nil) != ok {
			t.Errorf("%s: %v", endpoint, err)
		} else if err != nil && strings.Contains(err.Error(), endpoint) {
			t.Errorf("%s is in its error", endpoint)
		} else if ok && strings.HasSuffix(audience(u), ":443") {
			t.Errorf("%s: audience %s", endpoint, audience(u))
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, yes := range []string{"8.8.8.8", "17.57.144.1", "2a00:1450:4001::1", "64:ff9b::808:808", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(yes)) {
			t.Errorf("%s counts as private", yes)
		}
	}
	for _, no := range []string{"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",
		"224.0.0.1", "240.0.0.1", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
		"64:ff9b::a00:1", "2002:a00:1::", "2001::1", "2001:db8::1"} {
		if public(netip.MustParseAddr(no)) {
			t.Errorf("%s counts as public", no)
		}
	}
}

func testAddress(t *testing.T, endpoint string) wire.Push {
	t.Helper()
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Push{Endpoint: endpoint, P256dh: k.PublicKey().Bytes(), Auth: make([]byte, 16), VAPID: k.Bytes()}
}

// TestNamesThatLeadInside are refused before a byte is sent; by way of a proxy
// it is the proxy that resolves them.
func TestNamesThatLeadInside(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan struct{}, 9)
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			c.Close()
		}
	}()
	o := Options{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
	c := NewClient(o)
	// localhost is a name that leads inside on every machine; parseEndpoint
	// would refuse it, so it is put in behind its back.
	w, err := c.Waker(testAddress(t, "https://push.example.com/x"), "")
	if err != nil {
		t.Fatal(err)
	}
	w.url = "https://" + strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1) + "/x"
	if err := w.Wake(t.Context(), wire.ID{1}, nil, time.Second); err == nil || !strings.Contains(err.Error(), "private network") {
		t.Errorf("%v, want a refusal", err)
	}
	if len(accepted) != 0 {
		t.Error("a connection was made")
	}
	o.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://" + l.Addr().String()) }
	if w.client = NewClient(o); w.Wake(t.Context(), wire.ID{1}, nil, time.Second) == nil {
		t.Error("a proxy that hangs up took a push")
	}
	<-accepted
}
