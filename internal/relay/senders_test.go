package relay

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
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
		{"127.0.0.1:5", "192.0.2.9, ", true, "127.0.0.1/32"},
		{"127.0.0.1:5", "192.0.2.9:4711", true, "192.0.2.9/32"},
		{"127.0.0.1:5", "[2001:db8::9]:4711", true, "2001:db8::/64"},
		{"127.0.0.1:5", "192.0.2.9, [2001:db8::9]", true, "2001:db8::/64"},
		{"127.0.0.1:5", "::ffff:192.0.2.9", true, "192.0.2.9/32"},
	}
	for _, r := range rows {
		req := &http.Request{RemoteAddr: r.remote, Header: http.Header{}}
		if r.forwarded != "" {
			req.Header.Set("X-Forwarded-For", r.forwarded)
		}
		who, _ := senderOf(req, r.trust)
		if got := networks(who)[0].String(); got != r.want {
			t.Errorf("sender of %s, forwarded %q, trusted %v = %s, want %s", r.remote, r.forwarded, r.trust, got, r.want)
		}
	}
	who, _ := senderOf(&http.Request{RemoteAddr: "@"}, false)
	if got := networks(who)[0]; got != (netip.Prefix{}) {
		t.Errorf("sender of nonsense = %v", got)
	}
}

// A web server that names nobody is said once.
func TestProxyThatNamesNobody(t *testing.T) {
	var out bytes.Buffer
	s, err := New(Config{Store: noStore{}, TrustProxy: true, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, row := range []struct {
		remote, forwarded string
		warnings          int
	}{
		{"192.0.2.1:5", "", 0}, // no proxy
		{"127.0.0.1:5", "192.0.2.9", 0},
		{"127.0.0.1:5", "unknown", 1},
		{"127.0.0.1:5", "", 1},
	} {
		req := &http.Request{RemoteAddr: row.remote, Header: http.Header{"X-Forwarded-For": {row.forwarded}}}
		s.sender(req)
		if n := strings.Count(out.String(), "X-Forwarded-For"); n != row.warnings {
			t.Errorf("after %d requests %d warnings, want %d", i+1, n, row.warnings)
		}
	}
}

// noStore is for servers that store nothing.
type noStore struct{ Store }

func (noStore) Watch(func(mailbox.Address, Frame)) {}

// Who has a /48 is not 65,536 senders, by rate and at a time, and others next to
// him still have their own.
func TestManyAddressesOfOneNetwork(t *testing.T) {
	now := time.Now()
	s := newSenders(Limits{SendRate: 1, SendBurst: 2}.withDefaults())
	c := NewCrowd(2, false)
	sent, inside := 0, 0
	for i := range 1000 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, byte(i >> 3), byte(i)})
		for s.allow(a, ofRequests, 1, now) {
			sent++
		}
		for c.enter(a) {
			inside++
		}
	}
	if sent != 2*16 || inside != 2*16 {
		t.Errorf("a /48 sends %d and has %d in progress, want 32 of each", sent, inside)
	}
	in56 := 0
	for i := range 256 {
		for s.allow(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 3, 0, byte(i)}), ofRequests, 1, now) {
			in56++
		}
	}
	if in56 != 2*4 {
		t.Errorf("a /56 sends %d, want 8", in56)
	}
	for _, other := range []string{"2001:db8:2::1", "192.0.2.1"} {
		if a := netip.MustParseAddr(other); !s.allow(a, ofRequests, 1, now) || !c.enter(a) {
			t.Errorf("%s has nothing left", other)
		}
	}
}

// What a network refuses is not taken from the sender in it.
func TestRefusedByTheNetwork(t *testing.T) {
	now := time.Now()
	s := newSenders(Limits{SendRate: 1, SendBurst: 2}.withDefaults())
	for i := range 4 {
		for s.allow(netip.AddrFrom16([16]byte{0x20, 1, 7: byte(i)}), ofRequests, 1, now) {
		}
	}
	a := netip.AddrFrom16([16]byte{0x20, 1, 7: 99})
	if s.allow(a, ofRequests, 1, now) || s.m[networks(a)[0]][ofRequests].used != 0 {
		t.Errorf("%v of 2 is used up by what was refused", s.m[networks(a)[0]][ofRequests].used)
	}
}

// When no more senders can be known, the idlest is forgotten: who spent all does
// not get it back, and who comes gets his own.
func TestTooManySenders(t *testing.T) {
	now := time.Now()
	s := newSenders(Limits{SendRate: 1, SendBurst: 5}.withDefaults())
	s.most = 10
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
	for s.allow(at(0), ofRequests, 1, now) { // spends all
	}
	for i := range 200 {
		if !s.allow(at(1+i), ofRequests, 1, now) {
			t.Fatalf("sender %d shares with others", i)
		}
	}
	if len(s.m) > s.most {
		t.Errorf("%d senders are known, want %d", len(s.m), s.most)
	}
	if s.allow(at(0), ofRequests, 1, now) {
		t.Error("many senders give one of them his tokens back")
	}
}

// By default one sender fills less than half a store before its frames go.
func TestOneSenderFillsNoStore(t *testing.T) {
	l := Limits{}.withDefaults()
	s, who, now := newSenders(l), netip.MustParseAddr("192.0.2.1"), time.Now()
	stored := int64(0)
	for end := now.Add(l.Retention); now.Before(end); now = now.Add(10 * time.Second) {
		for s.allow(who, ofBytes, mailbox.MaxFrame+FrameOverhead, now) {
			stored += mailbox.MaxFrame + FrameOverhead
		}
	}
	if stored < 1<<30 || stored > l.TotalBytes/2 {
		t.Errorf("one sender stores %d of %d bytes", stored, l.TotalBytes)
	}
}

// A place is free again when a request is answered, also if its handler fell.
func TestCrowd(t *testing.T) {
	c := NewCrowd(1, false)
	inside, leave := make(chan struct{}), make(chan struct{})
	h := c.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			inside <- struct{}{}
			<-leave
		case "/fall":
			panic(http.ErrAbortHandler)
		}
	}), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	ask := func(path, from string) int {
		defer func() { _ = recover() }()
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = from
		h.ServeHTTP(w, r)
		return w.Code
	}
	var waiting sync.WaitGroup
	waiting.Go(func() { ask("/wait", "192.0.2.1:1") })
	<-inside
	if code := ask("/", "192.0.2.1:2"); code != http.StatusTooManyRequests {
		t.Errorf("a second request at a time = %d", code)
	}
	if code := ask("/", "192.0.2.2:1"); code != http.StatusOK {
		t.Errorf("another sender = %d", code)
	}
	close(leave)
	waiting.Wait()
	ask("/fall", "192.0.2.1:3")
	if code := ask("/", "192.0.2.1:4"); code != http.StatusOK || len(c.m) != 0 {
		t.Errorf("after it = %d, %d are counted", code, len(c.m))
	}
}

func TestSendersAreForgotten(t *testing.T) {
	s := newSenders(Limits{SendRate: 1, SendBurst: 2, NewPerHour: 3600}.withDefaults())
	now := time.Now()
	who := netip.MustParseAddr("192.0.2.1")
	burst := 0
	for s.allow(who, ofRequests, 1, now) && burst < 9 {
		burst++
	}
	if burst != 2 {
		t.Errorf("a burst of two is %d", burst)
	}
	if !s.allow(netip.MustParseAddr("192.0.2.2"), ofRequests, 1, now) {
		t.Error("one sender uses up another's tokens")
	}
	if s.allow(who, ofRequests, 1, now.Add(-time.Hour)) {
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
