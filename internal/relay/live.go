package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/mailbox"
)

const (
	statusGoingAway = int(websocket.StatusGoingAway)

	maxQueueFrames = 64               // frames that wait for one connection in memory
	maxQueueBytes  = 512 << 10        // their bytes; above either, the rest is read from the Store again
	pageFrames     = 64               // frames read from the Store at a time
	pageBytes      = 512 << 10        // their bytes
	stallTimeout   = 30 * time.Second // for one message to leave; a slower connection is cut
)

// reader is one proven connection that reads one mailbox.
type reader struct {
	addr mailbox.Address
	conn *websocket.Conn
	wake chan struct{} // holds a token when queue or behind changed

	// deleting is set before the holder's wish to delete the mailbox reaches the
	// Store: from then on the connection ends with the answer to it.
	deleting atomic.Bool

	mu     sync.Mutex
	queue  []Frame
	bytes  int  // of queue
	behind bool // the queue is not all: the Store must be read first
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

// end closes the connection with a code, after the close handshake.
func (r *reader) end(code int, reason string) {
	_ = r.conn.Close(websocket.StatusCode(code), reason)
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

// enter counts a WebSocket in, unless there are too many or the relay closes.
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

func (s *Server) live(w http.ResponseWriter, r *http.Request, addr mailbox.Address, sender netip.Prefix) {
	origins := s.originsFor(r)
	if len(origins) == 0 {
		fail(w, http.StatusMisdirectedRequest, "this relay does not know its public origin; start it with --origin")
		return
	}
	if !s.enter() {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, "too many connections")
		return
	}
	// Any page may connect: no cookie or other standing right is involved.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil { // answered
		s.leave()
		return
	}
	conn.SetReadLimit(mailbox.MaxControl)
	if !s.greet(conn, origins, addr, sender) {
		_ = conn.CloseNow()
		s.leave()
		return
	}
	// A connection lives for days. On a goroutine of its own it does not keep
	// the request and the deep stack of the handshake in memory.
	s.handlers.Go(func() {
		defer s.leave()
		defer conn.CloseNow()
		s.read(conn, addr)
	})
}

// greet has the caller prove his key and makes sure that his mailbox exists. If
// not, it says why on conn and returns false.
func (s *Server) greet(conn *websocket.Conn, origins []string, addr mailbox.Address, sender netip.Prefix) bool {
	refuse := func(code int, reason string) { _ = conn.Close(websocket.StatusCode(code), reason) }
	switch err := s.prove(conn, origins, addr); {
	case errors.Is(err, mailbox.ErrProof):
		s.log.Debug("proof refused", "mailbox", addr)
		refuse(mailbox.CloseRefused, "proof does not hold")
		return false
	case err != nil:
		return false
	}
	now := s.cfg.Now()
	switch err := s.admit(addr, sender, now); {
	case errors.Is(err, ErrTooManyMailboxes):
		s.log.Warn("mailbox refused: too many", "mailbox", addr)
		refuse(mailbox.CloseTooMany, "too many mailboxes")
		return false
	case err != nil:
		s.log.Error("mailbox not opened", "mailbox", addr, "error", err)
		refuse(mailbox.CloseUnavailable, "store is not available")
		return false
	}
	return true
}

// prove runs the challenge. It returns mailbox.ErrProof if the answer does not
// hold, another error if none came.
func (s *Server) prove(conn *websocket.Conn, origins []string, addr mailbox.Address) error {
	ctx, cancel := context.WithTimeout(s.ctx, mailbox.ProofTimeout)
	defer cancel()
	nonce := make([]byte, mailbox.NonceSize)
	rand.Read(nonce) // never fails: crypto/rand ends the program instead
	if err := conn.Write(ctx, websocket.MessageText, mailbox.Control{Type: mailbox.TypeChallenge, Nonce: nonce}.Encode()); err != nil {
		return err
	}
	typ, b, err := conn.Read(ctx)
	if err != nil {
		return err
	}
	c, err := mailbox.ParseControl(b)
	if typ != websocket.MessageText || err != nil || c.Type != mailbox.TypeProof {
		return mailbox.ErrProof
	}
	for _, o := range origins {
		if mailbox.VerifyRead(c.PublicKey, o, addr, nonce, c.Signature) == nil {
			return nil
		}
	}
	return mailbox.ErrProof
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

// read serves a proven connection until it ends.
func (s *Server) read(conn *websocket.Conn, addr mailbox.Address) {
	r := &reader{addr: addr, conn: conn, wake: make(chan struct{}, 1), behind: true}
	if !s.register(r) {
		r.end(statusGoingAway, "relay is going away")
		return
	}
	s.log.Debug("reader connected", "mailbox", addr)
	ctx, cancel := context.WithCancel(s.ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		if err := s.write(ctx, r); err != nil && ctx.Err() == nil {
			switch {
			case errors.Is(err, ErrNoMailbox) && r.deleting.Load():
			case errors.Is(err, ErrNoMailbox):
				r.end(mailbox.CloseDeleted, "mailbox was deleted")
			case errors.Is(err, errStore):
				s.log.Error("backlog not read", "mailbox", addr, "error", err)
				r.end(mailbox.CloseUnavailable, "store is not available")
			default:
				_ = conn.CloseNow()
			}
		}
	})
	err := s.listen(ctx, r)
	s.unregister(r)
	cancel()
	writer.Wait()
	s.cfg.Store.Touch(addr, s.cfg.Now())
	s.log.Debug("reader disconnected", "mailbox", addr, "reason", err)
}

// register makes r the one reader of its mailbox; one that was there before is
// closed.
func (s *Server) register(r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	if old := s.readers[r.addr]; old != nil {
		s.handlers.Go(func() { old.end(mailbox.CloseSuperseded, "superseded by a newer connection") })
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

// current reports that no newer connection took r's place.
func (s *Server) current(r *reader) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.readers[r.addr] == r
}

// listen reads acknowledgements and requests until the connection ends.
func (s *Server) listen(ctx context.Context, r *reader) error {
	for {
		typ, b, err := r.conn.Read(ctx)
		if err != nil {
			return err
		}
		if typ == websocket.MessageBinary {
			seq, err := mailbox.ParseAck(b)
			if err != nil {
				r.end(mailbox.CloseBadMessage, "bad acknowledgement")
				return err
			}
			s.cfg.Store.Ack(r.addr, seq)
			continue
		}
		c, err := mailbox.ParseControl(b)
		switch {
		case err == nil && c.Type == mailbox.TypePing:
			if err := send(ctx, r.conn, websocket.MessageText, mailbox.Control{Type: mailbox.TypePong}.Encode()); err != nil {
				return err
			}
		case err == nil && c.Type == mailbox.TypeDelete && s.current(r):
			r.deleting.Store(true)
			if err := s.cfg.Store.Delete(ctx, r.addr); err != nil {
				s.log.Error("mailbox not deleted", "mailbox", r.addr, "error", err)
				r.end(mailbox.CloseUnavailable, "store is not available")
				return err
			}
			s.log.Info("mailbox deleted", "mailbox", r.addr)
			err := send(ctx, r.conn, websocket.MessageText, mailbox.Control{Type: mailbox.TypeDeleted}.Encode())
			r.end(mailbox.CloseDeleted, "mailbox was deleted")
			return err
		default:
			r.end(mailbox.CloseBadMessage, "unexpected message")
			return errors.New("relay: unexpected message")
		}
	}
}

// errStore marks a fault of the Store, apart from one of the connection.
var errStore = errors.New("relay: store")

// write sends "ready", the backlog, then new frames as they come, each once and
// in order, and pings. It returns when the connection or ctx ends.
func (s *Server) write(ctx context.Context, r *reader) error {
	if err := send(ctx, r.conn, websocket.MessageText, mailbox.Control{Type: mailbox.TypeReady}.Encode()); err != nil {
		return err
	}
	var pinging sync.WaitGroup
	defer pinging.Wait()
	ping := time.NewTicker(s.cfg.PingInterval)
	defer ping.Stop()
	var sent uint64 // all up to this sequence number were sent on this connection
	for {
		queue, behind := r.take()
		if behind {
			var err error
			if sent, err = s.writeBacklog(ctx, r, sent); err != nil {
				return err
			}
			continue
		}
		for _, f := range queue {
			if f.Seq <= sent {
				continue
			}
			if err := send(ctx, r.conn, websocket.MessageBinary, mailbox.EncodeDelivery(f.Seq, f.Body)); err != nil {
				return err
			}
			sent = f.Seq
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		case <-ping.C:
			pinging.Wait() // the pong to the last one is there or overdue
			pinging.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, min(mailbox.PongTimeout, s.cfg.PingInterval))
				defer cancel()
				if r.conn.Ping(ctx) != nil {
					_ = r.conn.CloseNow()
				}
			})
		}
	}
}

// writeBacklog sends what the Store holds after sent, and returns the new sent.
func (s *Server) writeBacklog(ctx context.Context, r *reader, sent uint64) (uint64, error) {
	for {
		page, err := s.cfg.Store.Backlog(ctx, r.addr, sent, pageFrames, pageBytes)
		if errors.Is(err, ErrNoMailbox) {
			return sent, err
		}
		if err != nil {
			return sent, fmt.Errorf("%w: %w", errStore, err)
		}
		if len(page) == 0 {
			return sent, nil
		}
		for _, f := range page {
			if err := send(ctx, r.conn, websocket.MessageBinary, mailbox.EncodeDelivery(f.Seq, f.Body)); err != nil {
				return sent, err
			}
			sent = f.Seq
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, typ websocket.MessageType, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	return conn.Write(ctx, typ, b)
}
