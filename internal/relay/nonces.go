package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"kryptonite/internal/mailbox"
)

// maxTaken bounds the memory for taken nonces, about 60 bytes each. When it is
// used up all nonces given out so far stop counting; a poll gets a new one.
const maxTaken = 100_000

// nonces makes the challenges of polls and takes each once. One is its time
// (nanoseconds since start, 8 bytes) ‖ the first 24 bytes of
// HMAC-SHA256(key, time ‖ address): giving one out costs no memory, so strangers
// may have as many as they like. Only the time of the newest one taken is kept
// for each mailbox, and only while an older one could come.
type nonces struct {
	key   [32]byte
	start time.Time

	mu    sync.Mutex
	last  time.Duration // of the newest nonce given: no two are equal
	floor time.Duration // none up to here is taken any more
	taken map[mailbox.Address]time.Duration
}

func newNonces(now time.Time) *nonces {
	n := &nonces{start: now, taken: map[mailbox.Address]time.Duration{}}
	rand.Read(n.key[:]) // never fails: crypto/rand ends the program instead
	return n
}

// give returns a nonce for a poll of addr, newer than all before.
func (n *nonces) give(addr mailbox.Address, now time.Time) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = max(n.last+1, now.Sub(n.start))
	return n.seal(addr, n.last)
}

func (n *nonces) seal(addr mailbox.Address, at time.Duration) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+sha256.Size), uint64(at))
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write(b)
	mac.Write(addr[:])
	return mac.Sum(b)[:mailbox.NonceSize]
}

// open reports whether nonce was given here for addr within mailbox.NonceLife,
// and when. Take has the last word.
func (n *nonces) open(addr mailbox.Address, nonce []byte, now time.Time) (at time.Duration, ok bool) {
	if len(nonce) != mailbox.NonceSize {
		return 0, false
	}
	at = time.Duration(binary.BigEndian.Uint64(nonce))
	return at, hmac.Equal(nonce, n.seal(addr, at)) && now.Sub(n.start)-at <= mailbox.NonceLife
}

// take uses up the nonce given at a time and all older ones of the mailbox. It
// returns false if it was used up already.
func (n *nonces) take(addr mailbox.Address, at time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	newest, ok := n.taken[addr]
	if at <= max(newest, n.floor) {
		return false
	}
	if !ok && len(n.taken) >= maxTaken {
		n.floor = n.last
		clear(n.taken)
	}
	n.taken[addr] = at
	return true
}

// sweep forgets what no nonce that still counts could meet.
func (n *nonces) sweep(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.floor = max(n.floor, min(n.last, now.Sub(n.start)-mailbox.NonceLife))
	for addr, at := range n.taken {
		if at <= n.floor {
			delete(n.taken, addr)
		}
	}
}
