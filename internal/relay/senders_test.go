package relay

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func TestSenderAddress(t *testing.T) {
	rows := []struct {
		remote, forwarded string
		trust             bool
		want              string
	}{
		{"192.0.2.1:5", "", false, "192.0.2.1/32"},
		{"[2001:db8:1:2:3::4]:5", "", false, "2001:db8:1:2::/64"},
		{"[::ffff:192.0.2.1]:5", "", false, "192.0.2.1/32"},
		{"[fe80::1%eth0]:5", "", false, "fe80::/64"},
		{"127.0.0.1:5", "192.0.2.9", false, "127.0.0.1/32"},
		{"127.0.0.1:5", "192.0.2.9", true, "192.0.2.9/32"},
		{"10.0.0.2:5", "203.0.113.5, 2001:db8::9", true, "2001:db8::/64"},
		{"192.0.2.1:5", "198.51.100.1", true, "192.0.2.1/32"},
		{"127.0.0.1:5", "nonsense", true, "127.0.0.1/32"},
	}
	for _, r := range rows {
		s := &Server{cfg: Config{TrustProxy: r.trust}}
		req := &http.Request{RemoteAddr: r.remote, Header: http.Header{}}
		if r.forwarded != "" {
			req.Header.Set("X-Forwarded-For", r.forwarded)
		}
		if got := s.sender(req).String(); got != r.want {
			t.Errorf("sender of %s, forwarded %q, trusted %v = %s, want %s", r.remote, r.forwarded, r.trust, got, r.want)
		}
	}
	if got := (&Server{}).sender(&http.Request{RemoteAddr: "@"}); got != (netip.Prefix{}) {
		t.Errorf("sender of nonsense = %v", got)
	}
}

func TestSendersAreForgotten(t *testing.T) {
	s := newSenders(Limits{SendRate: 1, SendBurst: 2, NewPerHour: 3600}.withDefaults())
	now := time.Now()
	who := netip.MustParsePrefix("192.0.2.1/32")
	burst := 0
	for s.allowSend(who, now) && burst < 9 {
		burst++
	}
	if burst != 2 {
		t.Errorf("a burst of two is %d", burst)
	}
	if !s.allowSend(netip.MustParsePrefix("192.0.2.2/32"), now) {
		t.Error("one sender uses up another's tokens")
	}
	if s.allowSend(who, now.Add(-time.Hour)) {
		t.Error("a clock that goes back grows tokens")
	}
	s.sweep(now.Add(time.Second))
	if len(s.m) != 1 {
		t.Errorf("%d senders after one second, want 1", len(s.m))
	}
	s.sweep(now.Add(2 * time.Second))
	if len(s.m) != 0 {
		t.Errorf("%d senders after two seconds, want none", len(s.m))
	}
}
