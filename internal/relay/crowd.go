package relay

import (
	"net/http"
	"net/netip"
	"sync"
)

// Crowd bounds the requests of one sender that are in progress. A rate alone
// does not bound what is held: a request may last as long as its body comes, or
// as long as nobody reads its answer. It is safe for concurrent use. Use
// [NewCrowd].
type Crowd struct {
	most       int
	trustProxy bool

	mu sync.Mutex
	m  map[netip.Prefix]int
}

// NewCrowd returns a Crowd with room for most requests of one sender; trustProxy
// is that of [Config].
func NewCrowd(most int, trustProxy bool) *Crowd {
	return &Crowd{most: most, trustProxy: trustProxy, m: map[netip.Prefix]int{}}
}

// Handler returns next for whom there is room; refuse answers the others.
func (c *Crowd) Handler(next http.Handler, refuse http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := senderOf(r, c.trustProxy)
		if !c.enter(who) {
			refuse(w, r)
			return
		}
		defer c.leave(who)
		next.ServeHTTP(w, r)
	})
}

// enter reports whether there is room; if so, leave belongs after it.
func (c *Crowd) enter(who netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	nets := networks(who)
	for _, n := range nets {
		if c.m[n] >= c.most*share(n) {
			return false
		}
	}
	for _, n := range nets {
		c.m[n]++
	}
	return true
}

func (c *Crowd) leave(who netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range networks(who) {
		if c.m[n]--; c.m[n] == 0 {
			delete(c.m, n)
		}
	}
}
