package webpush

import (
	"net/netip"
	"strings"
	"testing"
)

// FuzzEndpoint: whatever a phone names, a post goes by https to a name with a dot
// at port 443, or nowhere, and no error repeats it.
func FuzzEndpoint(f *testing.F) {
	for _, seed := range []string{
		"https://fcm.googleapis.com/fcm/send/abc:def",
		"https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
		"https://web.push.apple.com/QAAA?x=y",
		"https://wns2-par02p.notify.windows.com:443/w/?token=BQYA%3D",
		"https://user@fcm.googleapis.com/", "https://localhost/", "https://8.8.8.8/", "https://[::1]:443/", "https://0x7f.1/", "https://a.b#c", "https:a.b", "//a.b/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, endpoint string) {
		u, err := parseEndpoint(endpoint, false)
		if err != nil {
			if len(endpoint) > 8 && strings.Contains(err.Error(), endpoint) {
				t.Errorf("%q is in its error", endpoint)
			}
			return
		}
		host := u.Hostname()
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Port() != "" && u.Port() != "443" || !strings.Contains(host, ".") {
			t.Errorf("%q leads to %q", endpoint, u)
		}
		if _, err := netip.ParseAddr(host); err == nil {
			t.Errorf("%q leads to an address", endpoint)
		}
		again, err := parseEndpoint(u.String(), false)
		if err != nil || again.Host != u.Host {
			t.Errorf("%q becomes %q, which leads elsewhere: %v", endpoint, u, err)
		}
		if a := audience(u); !strings.HasPrefix(a, "https://") || strings.HasSuffix(a, ":443") || strings.Contains(a[8:], "/") {
			t.Errorf("%q: audience %q", endpoint, a)
		}
	})
}
