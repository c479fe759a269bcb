package relay

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"

	"kryptonite/internal/fault"
	"kryptonite/internal/mailbox"
)

// fullRetry is how long a poster to a full mailbox is asked to wait, in seconds.
const fullRetry = 5

// post stores one frame; see the package comment for the answers.
func (s *Server) post(w http.ResponseWriter, r *http.Request, addr mailbox.Address, sender netip.Addr) {
	id, err := mailbox.ParsePostID(r.Header.Get(mailbox.HeaderIdempotencyKey))
	if err != nil {
		fail(w, http.StatusBadRequest, "Idempotency-Key must be 32 lower-case hex characters")
		return
	}
	// Who knows no mailbox gets no memory for a body. Append looks again.
	if exists, err := s.cfg.Store.Exists(r.Context(), addr); err == nil && !exists {
		fail(w, http.StatusNotFound, "no such mailbox")
		return
	}
	body, err := readBody(r, mailbox.MaxFrame)
	switch {
	case errors.Is(err, errTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "frame is over 65536 bytes")
		return
	case err != nil: // the client hung up or is too slow
		fail(w, http.StatusBadRequest, "body did not arrive")
		return
	case len(body) == 0:
		fail(w, http.StatusBadRequest, "frame is empty")
		return
	}
	if !s.senders.allow(sender, ofBytes, float64(len(body)+FrameOverhead), s.cfg.Now()) {
		w.Header().Set("Retry-After", strconv.Itoa(fullRetry))
		fail(w, http.StatusTooManyRequests, "too many bytes")
		return
	}
	fault.Point("relay.post.received")
	repeated, err := s.cfg.Store.Append(r.Context(), Post{
		To: addr, ID: id, Body: body, At: s.cfg.Now(),
		Quota: Quota{
			MailboxFrames: s.limits.MailboxFrames,
			MailboxBytes:  s.limits.MailboxBytes,
			TotalBytes:    s.limits.TotalBytes,
		},
	})
	fault.Point("relay.post.stored")
	switch {
	case err == nil && repeated:
		w.WriteHeader(http.StatusOK)
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, ErrNoMailbox):
		fail(w, http.StatusNotFound, "no such mailbox")
	case errors.Is(err, ErrConflict):
		fail(w, http.StatusConflict, "the same Idempotency-Key came with another body")
	case errors.Is(err, ErrMailboxFull):
		s.log.Debug("mailbox is full", "mailbox", addr)
		w.Header().Set("Retry-After", strconv.Itoa(fullRetry))
		fail(w, http.StatusTooManyRequests, "mailbox is full")
	case errors.Is(err, ErrStoreFull):
		s.full.add(1, s.log, s.cfg.Now())
		fail(w, http.StatusInsufficientStorage, "relay is full")
	case errors.Is(err, ErrClosed):
		fail(w, http.StatusServiceUnavailable, "relay is going away")
	case r.Context().Err() != nil: // nobody is there to read an answer
	default:
		s.log.Error("frame was not stored", "mailbox", addr, "error", err)
		fail(w, http.StatusServiceUnavailable, "relay cannot store now")
	}
}

var errTooLarge = errors.New("relay: body is too large")

// readBody reads a whole body of at most limit bytes. Memory grows as they come:
// a length is only a promise.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, errTooLarge
	}
	return b, err
}
