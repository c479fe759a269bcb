package relay

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// maxSenders bounds the memory for senders, about 100 bytes each. Who comes
// when it is used up shares one bucket with all others who do.
const maxSenders = 100_000

// senders holds two token buckets for each sender.
type senders struct {
	limits Limits

	mu sync.Mutex
	m  map[netip.Prefix]*allowance
}

type allowance struct{ send, create bucket }

type bucket struct {
	used float64 // tokens taken and not yet grown back
	at   time.Time
}

func newSenders(l Limits) *senders {
	return &senders{limits: l, m: map[netip.Prefix]*allowance{}}
}

// settle lets tokens grow back at rate per second until now.
func (b *bucket) settle(now time.Time, rate float64) {
	if d := now.Sub(b.at); d > 0 {
		b.used = max(0, b.used-d.Seconds()*rate)
		b.at = now
	}
}

func (b *bucket) take(now time.Time, rate float64, size int) bool {
	b.settle(now, rate)
	if b.used+1 > float64(size) {
		return false
	}
	b.used++
	return true
}

func (s *senders) createRate() float64 { return float64(s.limits.NewPerHour) / 3600 }

func (s *senders) allowSend(who netip.Prefix, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(who).send.take(now, s.limits.SendRate, s.limits.SendBurst)
}

func (s *senders) allowCreate(who netip.Prefix, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(who).create.take(now, s.createRate(), s.limits.NewPerHour)
}

// get needs mu.
func (s *senders) get(who netip.Prefix) *allowance {
	a := s.m[who]
	if a == nil && len(s.m) >= maxSenders {
		who = netip.Prefix{}
		a = s.m[who]
	}
	if a == nil {
		a = &allowance{}
		s.m[who] = a
	}
	return a
}

// sweep forgets senders whose buckets are full again.
func (s *senders) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for who, a := range s.m {
		a.send.settle(now, s.limits.SendRate)
		a.create.settle(now, s.createRate())
		if a.send.used == 0 && a.create.used == 0 {
			delete(s.m, who)
		}
	}
}

// sender returns who asks: an IPv4 address or an IPv6 /64. An address that
// cannot be read is the zero Prefix, which is a sender like any other.
func (s *Server) sender(r *http.Request) netip.Prefix {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	ip := peer.Addr().Unmap()
	if s.cfg.TrustProxy && (ip.IsLoopback() || ip.IsPrivate()) {
		if all := r.Header.Values("X-Forwarded-For"); len(all) > 0 {
			last := all[len(all)-1]
			last = last[strings.LastIndexByte(last, ',')+1:]
			if a, err := netip.ParseAddr(strings.TrimSpace(last)); err == nil {
				ip = a.Unmap()
			}
		}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
