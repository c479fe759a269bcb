package relay

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/mailbox"
)

const (
	maxQueueFrames = 64        // frames that wait for one reader in memory
	maxQueueBytes  = 512 << 10 // their bytes; above either, the rest is read from the Store again
)

// reader is who reads one mailbox now: a proven WebSocket, or a proven poll
// while it waits.
type reader struct {
	addr mailbox.Address
	end  func(code int, reason string) // ends it with a close code; may take as long as a close handshake
	wake chan struct{}                 // holds a token when queue or behind changed

	mu     sync.Mutex
	queue  []Frame
	bytes  int  // of queue
	behind bool // the queue is not all: the Store must be read first
	// Sent on this WebSocket and not acknowledged: as many as a mailbox holds, and
	// what went there of old age.
	unacked map[uint64]struct{}
}

// newReader returns a reader that begins with what the Store has.
func newReader(addr mailbox.Address, end func(code int, reason string)) *reader {
	return &reader{addr: addr, end: end, wake: make(chan struct{}, 1), behind: true}
}

// sending notes that a frame goes out, once on each WebSocket.
func (r *reader) sending(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unacked == nil {
		r.unacked = map[uint64]struct{}{}
	}
	r.unacked[seq] = struct{}{}
}

// acked reports whether seq was sent and not acknowledged before.
func (r *reader) acked(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.unacked[seq]
	if delete(r.unacked, seq); len(r.unacked) == 0 {
		r.unacked = nil // an idle connection costs little
	}
	return ok
}

// push hands the reader a new frame. It never blocks: a reader that is too slow
// falls behind and reads from the Store when it can.
func (r *reader) push(f Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.behind {
		return
	}
	if len(r.queue) >= maxQueueFrames || r.bytes+len(f.Body) > maxQueueBytes {
		r.behind, r.queue, r.bytes = true, nil, 0
	} else {
		r.queue = append(r.queue, f)
		r.bytes += len(f.Body)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take empties the queue. If behind is true the Store must be read first;
// frames from now on are queued.
func (r *reader) take() (queue []Frame, behind bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue, behind = r.queue, r.behind
	r.queue, r.bytes, r.behind = nil, 0, false
	return queue, behind
}

// deliver is the Store's watcher.
func (s *Server) deliver(addr mailbox.Address, f Frame) {
	s.mu.RLock()
	r := s.readers[addr]
	s.mu.RUnlock()
	if r != nil {
		r.push(f)
	}
}

// enter counts a WebSocket or a proven poll in, unless there are too many or the relay
// closes. If it returns true, leave belongs after it.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.open >= s.limits.Connections {
		return false
	}
	s.open++
	s.handlers.Add(1)
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	s.handlers.Done()
}

// place is enter with an answer if there is none.
func (s *Server) place(w http.ResponseWriter) bool {
	if s.enter() {
		return true
	}
	w.Header().Set("Retry-After", "5")
	fail(w, http.StatusServiceUnavailable, "too many connections, or the relay is going away")
	return false
}

// known returns the origins that the request's proof may be signed for. If there
// are none, it has answered.
func (s *Server) known(w http.ResponseWriter, r *http.Request) (origins []string, ok bool) {
	if origins = s.originsFor(r); len(origins) == 0 {
		fail(w, http.StatusMisdirectedRequest, "this relay does not know its public origin; start it with --domain or --origin")
		return nil, false
	}
	return origins, true
}

// verified reports whether a proof was signed for one of origins.
func verified(pub []byte, origins []string, addr mailbox.Address, nonce, sig []byte) bool {
	return slices.ContainsFunc(origins, func(o string) bool {
		return mailbox.VerifyRead(pub, o, addr, nonce, sig) == nil
	})
}

// originsFor returns the origins that a proof may be signed for, see
// Config.Origins.
func (s *Server) originsFor(r *http.Request) []string {
	if len(s.origins) > 0 {
		return s.origins
	}
	o, err := mailbox.CanonicalOrigin("http://" + r.Host) // only loopback hosts pass
	if err != nil {
		return nil
	}
	if r.TLS != nil {
		if o, err = mailbox.CanonicalOrigin("https://" + r.Host); err != nil {
			return nil
		}
	}
	return []string{o}
}

// register makes r the one reader of its mailbox; one that was there before is
// ended. It returns false if the relay closes.
func (s *Server) register(r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if old := s.readers[r.addr]; old != nil {
		s.handlers.Go(func() { old.end(mailbox.CloseSuperseded, "superseded by a newer reader") })
	}
	s.readers[r.addr] = r
	return true
}

func (s *Server) unregister(r *reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers[r.addr] == r {
		delete(s.readers, r.addr)
	}
}

// admit makes sure the mailbox exists.
func (s *Server) admit(addr mailbox.Address, sender netip.Addr, now time.Time) error {
	ctx, cancel := context.WithTimeout(s.ctx, mailbox.ProofTimeout)
	defer cancel()
	exists, err := s.cfg.Store.Exists(ctx, addr)
	if err != nil {
		return err
	}
	if !exists && !s.senders.allow(sender, ofMailboxes, 1, now) {
		return ErrTooManyMailboxes
	}
	created, err := s.cfg.Store.Create(ctx, addr, now, s.limits.Mailboxes)
	if created && err == nil {
		s.log.Info("mailbox created", "mailbox", addr)
	}
	return err
}
