package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/coder/websocket"

	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
)

const (
	statusGoingAway = int(websocket.StatusGoingAway)

	pageFrames   = 64               // frames read from the Store at a time
	pageBytes    = 512 << 10        // their bytes
	stallTimeout = 30 * time.Second // for one message to leave; a slower connection is cut
)

func (s *Server) live(w http.ResponseWriter, r *http.Request, addr mailbox.Address, sender netip.Addr) {
	origins, ok := s.known(w, r)
	if !ok || !s.place(w) {
		return
	}
	pings := &pings{now: s.cfg.Now}
	conn, err := websocket.Accept(&handshake{ResponseWriter: w}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // any page may connect: no cookie or other standing right is involved
		OnPingReceived:     func(context.Context, []byte) bool { return pings.answer() },
	})
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
		s.read(conn, addr, pings)
	})
}

// pings says which pings of one connection are answered, by frame or by message:
// one a second, and ten at once.
type pings struct {
	now func() time.Time

	mu sync.Mutex
	b  bucket
}

func (p *pings) answer() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.take(p.now(), 1, limit{rate: 1, size: 10})
}

// handshake lets a WebSocket begin. What the library would say to a bad request
// repeats the request's headers; it is replaced by our own words.
type handshake struct {
	http.ResponseWriter
	failed bool
}

func (h *handshake) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		h.ResponseWriter.WriteHeader(status)
		return
	}
	if !h.failed {
		h.failed = true
		fail(h.ResponseWriter, status, "not a WebSocket handshake")
	}
}

func (h *handshake) Write(b []byte) (int, error) {
	if h.failed {
		return len(b), nil
	}
	return h.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController, and for the library.
func (h *handshake) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// greet has the caller prove his key and makes sure that his mailbox exists. If
// not, it says why on conn and returns false.
func (s *Server) greet(conn *websocket.Conn, origins []string, addr mailbox.Address, sender netip.Addr) bool {
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
		s.tooMany.add(1, s.log, s.cfg.Now())
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
	if !verified(c.PublicKey, origins, addr, nonce, c.Signature) {
		return mailbox.ErrProof
	}
	return nil
}

// read serves a proven connection until it ends.
func (s *Server) read(conn *websocket.Conn, addr mailbox.Address, pings *pings) {
	r := newReader(addr, func(code int, reason string) { _ = conn.Close(websocket.StatusCode(code), reason) })
	if !s.register(r) {
		r.end(statusGoingAway, "relay is going away")
		return
	}
	s.log.Debug("reader connected", "mailbox", addr)
	ctx, cancel := context.WithCancel(s.ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		if err := s.write(ctx, conn, r); err != nil && ctx.Err() == nil {
			switch {
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
	err := s.listen(ctx, conn, r, pings)
	s.unregister(r)
	cancel()
	writer.Wait()
	s.cfg.Store.Touch(addr, s.cfg.Now())
	s.log.Debug("reader disconnected", "mailbox", addr, "reason", err)
}

// listen reads acknowledgements and pings until the connection ends.
func (s *Server) listen(ctx context.Context, conn *websocket.Conn, r *reader, pings *pings) error {
	for {
		typ, b, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if typ == websocket.MessageBinary {
			seq, err := mailbox.ParseAck(b)
			if err != nil {
				r.end(mailbox.CloseBadMessage, "bad acknowledgement")
				return err
			}
			if !r.acked(seq) { // not by an honest holder; the Store has one lock for all
				r.end(mailbox.CloseBadMessage, "acknowledgement of what was not sent")
				return errors.New("relay: acknowledgement of what was not sent")
			}
			fault.Point("relay.acked")
			s.cfg.Store.Ack(r.addr, seq)
			continue
		}
		c, err := mailbox.ParseControl(b)
		switch {
		case err == nil && c.Type == mailbox.TypePing:
			if !pings.answer() {
				continue
			}
			if err := send(ctx, conn, websocket.MessageText, mailbox.Control{Type: mailbox.TypePong}.Encode()); err != nil {
				return err
			}
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
func (s *Server) write(ctx context.Context, conn *websocket.Conn, r *reader) error {
	if err := send(ctx, conn, websocket.MessageText, mailbox.Control{Type: mailbox.TypeReady}.Encode()); err != nil {
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
			if sent, err = s.writeBacklog(ctx, conn, r, sent); err != nil {
				return err
			}
			continue
		}
		for _, f := range queue {
			if f.Seq <= sent {
				continue
			}
			if err := sendFrame(ctx, conn, r, f); err != nil {
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
				if conn.Ping(ctx) != nil {
					_ = conn.CloseNow()
				}
			})
		}
	}
}

// writeBacklog sends what the Store holds after sent, and returns the new sent.
func (s *Server) writeBacklog(ctx context.Context, conn *websocket.Conn, r *reader, sent uint64) (uint64, error) {
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
			if err := sendFrame(ctx, conn, r, f); err != nil {
				return sent, err
			}
			sent = f.Seq
		}
	}
}

func sendFrame(ctx context.Context, conn *websocket.Conn, r *reader, f Frame) error {
	r.sending(f.Seq) // before it: the acknowledgement may overtake us
	err := send(ctx, conn, websocket.MessageBinary, mailbox.EncodeDelivery(f.Seq, f.Body))
	fault.Point("relay.delivered")
	return err
}

func send(ctx context.Context, conn *websocket.Conn, typ websocket.MessageType, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	return conn.Write(ctx, typ, b)
}
