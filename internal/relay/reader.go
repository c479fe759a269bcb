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
}

// newReader returns a reader that begins with what the Store has.
func newReader(addr mailbox.Address, end func(code int, reason string)) *reader {
	return &reader{addr: addr, end: end, wake: make(chan struct{}, 1), behind: true}
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

// enter counts a WebSocket or a poll in, unless there are too many or the relay closes.
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

// begin counts in a request to read and returns the origins that its proof may
// be signed for. If ok, leave belongs after it; if not, it has answered.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) (origins []string, ok bool) {
	if origins = s.originsFor(r); len(origins) == 0 {
		fail(w, http.StatusMisdirectedRequest, "this relay does not know its public origin; start it with --domain or --origin")
		return nil, false
	}
	if !s.enter() {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, "too many connections, or the relay is going away")
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
func (s *Server) admit(addr mailbox.Address, sender netip.Prefix, now time.Time) error {
	ctx, cancel := context.WithTimeout(s.ctx, mailbox.ProofTimeout)
	defer cancel()
	exists, err := s.cfg.Store.Exists(ctx, addr)
	if err != nil {
		return err
	}
	if !exists && !s.senders.allowCreate(sender, now) {
		return ErrTooManyMailboxes
	}
	created, err := s.cfg.Store.Create(ctx, addr, now, s.limits.Mailboxes)
	if created && err == nil {
		s.log.Info("mailbox created", "mailbox", addr)
	}
	return err
}
