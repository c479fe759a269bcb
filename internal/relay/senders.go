package relay

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// maxSenders bounds the memory for senders, about 200 bytes each.
	maxSenders = 100_000
	// evictAmong is how many of them are looked at to find one to forget.
	evictAmong = 64
)

// What a sender has a bucket for.
const (
	ofRequests  = iota // posts, polls and connections
	ofMailboxes        // new ones
	ofBytes            // of frames posted, with FrameOverhead
	kinds
)

// senders holds token buckets for each sender, and larger ones for the networks
// around an IPv6 address: who has a /48 has 65,536 of /64.
type senders struct {
	limits [kinds]limit
	most   int // networks that are known at a time

	mu sync.Mutex
	m  map[netip.Prefix]*allowance
}

type (
	allowance [kinds]bucket
	limit     struct{ rate, size float64 } // tokens per second, and at most
	bucket    struct {
		used float64 // tokens taken and not yet grown back
		at   time.Time
	}
)

func newSenders(l Limits) *senders {
	return &senders{
		limits: [kinds]limit{
			ofRequests:  {l.SendRate, float64(l.SendBurst)},
			ofMailboxes: {float64(l.NewPerHour) / 3600, float64(l.NewPerHour)},
			ofBytes:     {float64(l.SendBytes), float64(l.SendBytes) * burstSeconds},
		},
		most: maxSenders,
		m:    map[netip.Prefix]*allowance{},
	}
}

// settle lets tokens grow back until now.
func (b *bucket) settle(now time.Time, l limit) {
	if d := now.Sub(b.at); d > 0 {
		b.used = max(0, b.used-d.Seconds()*l.rate)
		b.at = now
	}
}

func (b *bucket) take(now time.Time, n float64, l limit) bool {
	b.settle(now, l)
	if b.used+n > l.size {
		return false
	}
	b.used += n
	return true
}

// of returns the limit of one network: larger if it has many senders.
func (s *senders) of(n netip.Prefix, kind int) limit {
	l, times := s.limits[kind], float64(share(n))
	return limit{l.rate * times, l.size * times}
}

// allow takes count tokens from each network that who is in, or none at all.
func (s *senders) allow(who netip.Addr, kind int, count float64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	nets := networks(who)
	for i, n := range nets {
		if s.get(n, now)[kind].take(now, count, s.of(n, kind)) {
			continue
		}
		for _, paid := range nets[:i] {
			if a := s.m[paid]; a != nil {
				a[kind].used = max(0, a[kind].used-count)
			}
		}
		return false
	}
	return true
}

// get needs mu.
func (s *senders) get(n netip.Prefix, now time.Time) *allowance {
	a := s.m[n]
	if a == nil {
		if len(s.m) >= s.most {
			s.evict(now)
		}
		a = &allowance{}
		s.m[n] = a
	}
	return a
}

// evict forgets, of some networks, the one that has most of its tokens: little
// is given away, and nobody shares with strangers. It needs mu.
func (s *senders) evict(now time.Time) {
	var idlest netip.Prefix
	least, seen := 0.0, 0
	for n, a := range s.m { // begins anywhere
		if used := s.used(n, a, now); seen == 0 || used < least {
			idlest, least = n, used
		}
		if seen++; seen == evictAmong {
			break
		}
	}
	delete(s.m, idlest)
}

// used returns how much of its fullest bucket a network has used: 0 to 1. It
// needs mu.
func (s *senders) used(n netip.Prefix, a *allowance, now time.Time) (most float64) {
	for kind := range a {
		l := s.of(n, kind)
		a[kind].settle(now, l)
		most = max(most, a[kind].used/l.size)
	}
	return most
}

// sweep forgets networks whose buckets are full again.
func (s *senders) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, a := range s.m {
		if s.used(n, a, now) == 0 {
			delete(s.m, n)
		}
	}
}

// networks returns what an address counts for: itself, or for IPv6 its /64, which
// is one sender, and the /56 and /48 around it. The zero Addr is a sender like
// any other.
func networks(a netip.Addr) []netip.Prefix {
	bits := []int{32}
	if a.Is6() {
		bits = []int{64, 56, 48}
	}
	nets := make([]netip.Prefix, 0, len(bits))
	for _, b := range bits {
		p, _ := a.Prefix(b) // the zero Prefix for the zero Addr
		nets = append(nets, p)
	}
	return nets
}

// share returns how many times the limits of one sender a network has.
func share(n netip.Prefix) int {
	switch {
	case n.Addr().Is6() && n.Bits() == 48:
		return 16
	case n.Addr().Is6() && n.Bits() == 56:
		return 4
	}
	return 1
}

// sender returns who asks, see senderOf.
func (s *Server) sender(r *http.Request) netip.Addr {
	who, unnamed := senderOf(r, s.cfg.TrustProxy)
	if unnamed {
		s.unnamed.Do(func() {
			s.log.Warn("a request came from a private address without a usable X-Forwarded-For: if the web server sends none, all the world is one sender, and its limits are soon met")
		})
	}
	return who
}

// senderOf returns the address of who asks, as trustProxy says: the proxy's word
// for it or, where that says nothing, the proxy's own, and unnamed. An address
// that cannot be read is the zero Addr.
func senderOf(r *http.Request, trustProxy bool) (who netip.Addr, unnamed bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	ip := peer.Addr().Unmap()
	if trustProxy && (ip.IsLoopback() || ip.IsPrivate()) {
		if told, ok := forwardedFor(r.Header.Values("X-Forwarded-For")); ok {
			ip = told
		} else {
			unnamed = true
		}
	}
	return ip.WithZone(""), unnamed
}

// forwardedFor returns the last address in X-Forwarded-For, which is the nearest
// proxy's word. Some write a port behind it, or brackets around it.
func forwardedFor(values []string) (netip.Addr, bool) {
	if len(values) == 0 {
		return netip.Addr{}, false
	}
	last := values[len(values)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	if p, err := netip.ParseAddrPort(last); err == nil {
		return p.Addr().Unmap(), true
	}
	if inner, ok := strings.CutPrefix(last, "["); ok {
		last = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(last)
	return a.Unmap(), err == nil
}
