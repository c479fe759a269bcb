package session

import (
	"slices"
	"time"

	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

const (
	maxLeases = wire.MaxLeasesOver
	maxLease  = 24 * time.Hour // no rule holds for longer
)

// lease is a token that the phone gave with a signature by one SSH key. It is in
// memory only, until its time is over, the phone says that it is of no use, or
// the pairing or krd ends. [kr-protocol] §4.11.
type lease struct {
	wire.LeaseToken
	key   string // fingerprint of the SSH key
	timer *time.Timer
}

// keepLease keeps what came with the answer to a request, unless the phone has said
// since that it is of no use; a newer token for a rule takes the place of the older.
func (s *Session) keepLease(p *pending, t wire.LeaseToken) {
	if t == (wire.LeaseToken{}) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLeases(func(l *lease) bool { return l.Rule == t.Rule })
	left := time.Unix(t.Until, 0).Sub(s.phoneNow())
	if s.ended || s.unpaired || p.void || slices.Contains(p.over, t.Rule) {
		return
	}
	if len(s.leases) == maxLeases {
		oldest := s.leases[0]
		s.dropLeases(func(l *lease) bool { return l == oldest })
	}
	l := &lease{LeaseToken: t, key: p.key}
	l.timer = time.AfterFunc(min(left, maxLease), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropLeases(func(other *lease) bool { return other == l })
	})
	s.leases = append(s.leases, l)
}

// leaseTokens are what a request for a signature by key brings, newest first.
// The caller holds mu.
func (s *Session) leaseTokens(key string) (tokens []wire.LeaseToken) {
	now := s.phoneNow().Unix()
	s.dropLeases(func(l *lease) bool { return now >= l.Until }) // a timer stands still while the computer sleeps
	for _, l := range slices.Backward(s.leases) {
		if l.key == key && len(tokens) < wire.MaxLeaseTokens {
			tokens = append(tokens, wire.LeaseToken{Rule: l.Rule, Token: l.Token})
		}
	}
	return tokens
}

// dropLeases forgets tokens. The caller holds mu.
func (s *Session) dropLeases(match func(*lease) bool) {
	s.leases = slices.DeleteFunc(s.leases, func(l *lease) bool {
		if !match(l) {
			return false
		}
		l.timer.Stop()
		clear(l.Token[:])
		return true
	})
}

// dropAllLeases is for the end, or a lock. The caller holds mu.
func (s *Session) dropAllLeases() { s.leasesOf(nil) }

// leasesOver takes the phone's word that tokens are of no use any more.
func (s *Session) leasesOver(rules []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLeases(func(l *lease) bool { return slices.Contains(rules, l.Rule) })
	for _, p := range s.waiting {
		if p.over = append(p.over, rules...); len(p.over) > maxLeases { // a phone that says so much gave us no token worth keeping
			p.over, p.void = nil, true
		}
	}
}

// leasesOf drops the tokens for keys that are not among these. The caller holds mu.
func (s *Session) leasesOf(keys []wire.SSHKey) {
	hidden := func(key string) bool {
		return !slices.ContainsFunc(keys, func(k wire.SSHKey) bool { return sshwire.Fingerprint(k.PublicKey) == key })
	}
	s.dropLeases(func(l *lease) bool { return hidden(l.key) })
	for _, p := range s.waiting {
		p.void = p.void || hidden(p.key)
	}
}

// phoneNow is the time in the phone's clock, as far as it is known. The caller
// holds mu.
func (s *Session) phoneNow() time.Time { return s.cfg.Now().Add(s.offset) }
