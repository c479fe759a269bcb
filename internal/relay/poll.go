package relay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"kryptonite/internal/mailbox"
)

const (
	maxWaitSeconds = int(mailbox.MaxPollWait / time.Second)
	createRetry    = 60 // seconds that a sender with too many new mailboxes is asked to wait
)

// poll answers one poll: it checks the proof, then deletes the mailbox, or makes
// it if need be, removes what is acknowledged, and waits for frames.
func (s *Server) poll(w http.ResponseWriter, r *http.Request, addr mailbox.Address, sender netip.Addr) {
	origins, ok := s.known(w, r)
	if !ok {
		return
	}
	p, ok := readPoll(w, r)
	if !ok || !s.polled(w, p, origins, addr) {
		return
	}
	defer s.leave()
	if p.Delete {
		s.remove(w, addr)
		return
	}
	if !s.admitPoll(w, addr, sender) {
		return
	}
	for _, seq := range p.Ack {
		s.cfg.Store.Ack(addr, uint64(seq))
	}
	frames, err := s.await(r.Context(), addr, p)
	if err != nil {
		s.failPoll(w, r, addr, err)
		return
	}
	reply := mailbox.PollReply{Nonce: s.nonces.give(addr, s.cfg.Now())}
	for _, f := range frames {
		reply.Frames = append(reply.Frames, mailbox.Polled{Seq: mailbox.Seq(f.Seq), Frame: f.Body})
	}
	answer(w, http.StatusOK, reply)
}

// readPoll reads the request. If not ok, it has answered.
func readPoll(w http.ResponseWriter, r *http.Request) (p mailbox.Poll, ok bool) {
	body, err := readBody(r, mailbox.MaxPoll)
	if errors.Is(err, errTooLarge) {
		fail(w, http.StatusRequestEntityTooLarge, "poll is too large")
		return p, false
	}
	if err == nil {
		p, err = mailbox.ParsePoll(body)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "body is not a poll")
		return p, false
	}
	// The server's own deadlines are for requests that do not wait: when the
	// one for reading passes, it takes a silent client for one that has left.
	// A writer that knows no deadlines has none in the way.
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Now().Add(mailbox.MaxPollWait + writeTimeout))
	return p, true
}

// polled checks the proof, enters, and uses up the nonce. If it returns false, it
// has answered: with a nonce unless the proof is wrong in itself or the relay is
// full; then the nonce is as good as before.
func (s *Server) polled(w http.ResponseWriter, p mailbox.Poll, origins []string, addr mailbox.Address) bool {
	now := s.cfg.Now()
	at, ok := s.nonces.open(addr, p.Nonce, now)
	if ok && !verified(p.PublicKey, origins, addr, p.Nonce, p.Signature) {
		s.log.Debug("proof refused", "mailbox", addr)
		fail(w, http.StatusForbidden, "proof does not hold")
		return false
	}
	if ok && !s.place(w) {
		return false
	}
	if ok && !s.nonces.take(addr, at) {
		s.leave()
		ok = false
	}
	if !ok {
		w.Header().Set("WWW-Authenticate", "Kryptonite-Mailbox")
		answer(w, http.StatusUnauthorized, mailbox.PollReply{Error: "prove it with this nonce", Nonce: s.nonces.give(addr, now)})
		return false
	}
	return true
}

// admitPoll makes sure that the mailbox exists. If it returns false, it has
// answered.
func (s *Server) admitPoll(w http.ResponseWriter, addr mailbox.Address, sender netip.Addr) bool {
	switch err := s.admit(addr, sender, s.cfg.Now()); {
	case errors.Is(err, ErrTooManyMailboxes):
		s.tooMany.add(1, s.log, s.cfg.Now())
		w.Header().Set("Retry-After", strconv.Itoa(createRetry))
		fail(w, http.StatusTooManyRequests, "too many mailboxes")
		return false
	case err != nil:
		s.log.Error("mailbox not opened", "mailbox", addr, "error", err)
		fail(w, http.StatusServiceUnavailable, "store is not available")
		return false
	}
	return true
}

// remove deletes the mailbox, and then ends who reads it.
func (s *Server) remove(w http.ResponseWriter, addr mailbox.Address) {
	ctx, cancel := context.WithTimeout(s.ctx, mailbox.ProofTimeout) // also for who hung up
	defer cancel()
	existed, _ := s.cfg.Store.Exists(ctx, addr) // for the log: anyone may delete nothing
	if err := s.cfg.Store.Delete(ctx, addr); err != nil {
		s.log.Error("mailbox not deleted", "mailbox", addr, "error", err)
		fail(w, http.StatusServiceUnavailable, "store is not available")
		return
	}
	if existed {
		s.log.Info("mailbox deleted", "mailbox", addr)
	}
	s.mu.RLock()
	old := s.readers[addr]
	s.mu.RUnlock()
	if old != nil {
		s.handlers.Go(func() { old.end(mailbox.CloseDeleted, "mailbox was deleted") })
	}
	answer(w, http.StatusOK, mailbox.PollReply{Deleted: true})
}

// await returns the next frames for a poll, as soon as there are any, or none
// when its time is over. While it waits it is the mailbox's reader.
func (s *Server) await(ctx context.Context, addr mailbox.Address, p mailbox.Poll) ([]Frame, error) {
	backlog := func() ([]Frame, error) {
		return s.cfg.Store.Backlog(ctx, addr, uint64(p.After), mailbox.MaxPollFrames, mailbox.MaxPollBytes)
	}
	if p.WaitSeconds == 0 {
		return backlog()
	}
	ended := make(chan *endedError, 1)
	r := newReader(addr, func(code int, reason string) {
		select {
		case ended <- &endedError{code, reason}:
		default: // it has ended already
		}
	})
	if !s.register(r) {
		return nil, ErrClosed
	}
	defer s.unregister(r)
	wait := time.NewTimer(time.Duration(min(p.WaitSeconds, maxWaitSeconds)) * time.Second)
	defer wait.Stop()
	for {
		frames, behind := r.take()
		if behind {
			var err error
			if frames, err = backlog(); err != nil {
				return nil, err
			}
		}
		if len(frames) > 0 {
			return page(frames), nil
		}
		select {
		case <-r.wake:
		case <-wait.C:
			return nil, nil
		case err := <-ended:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// page returns as many of frames, from the first on, as one reply may hold.
func page(frames []Frame) []Frame {
	size := 0
	for i, f := range frames {
		if size += len(f.Body); i > 0 && (i == mailbox.MaxPollFrames || size > mailbox.MaxPollBytes) {
			return frames[:i]
		}
	}
	return frames
}

// endedError says why a poll ended before its time.
type endedError struct {
	code   int // as for a WebSocket
	reason string
}

func (e *endedError) Error() string { return fmt.Sprintf("relay: poll ended: %s", e.reason) }

// failPoll answers a proven poll that got no frames for a reason. One that was
// replaced gets its next nonce: it may come again.
func (s *Server) failPoll(w http.ResponseWriter, r *http.Request, addr mailbox.Address, err error) {
	var ended *endedError
	switch {
	case errors.As(err, &ended) && ended.code == mailbox.CloseSuperseded:
		answer(w, http.StatusConflict, mailbox.PollReply{Error: ended.reason, Nonce: s.nonces.give(addr, s.cfg.Now())})
	case errors.As(err, &ended) && ended.code == mailbox.CloseDeleted, errors.Is(err, ErrNoMailbox):
		fail(w, http.StatusGone, "mailbox was deleted")
	case errors.As(err, &ended), errors.Is(err, ErrClosed):
		fail(w, http.StatusServiceUnavailable, "relay is going away")
	case r.Context().Err() != nil: // nobody is there to read an answer
	default:
		s.log.Error("backlog not read", "mailbox", addr, "error", err)
		fail(w, http.StatusServiceUnavailable, "store is not available")
	}
}
