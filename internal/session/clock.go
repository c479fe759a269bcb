package session

import (
	"time"

	"kryptonite/internal/wire"
)

// wall is the wall clock's time.
func (s *Session) wall() time.Time { return s.cfg.Now().Round(0) }

// setOffset learns the phone's clock from r, which was made at some time between sent
// and now: it may have lain in a mailbox while we slept. What we took that clock for
// stays if it fits. The caller holds mu.
func (s *Session) setOffset(r *wire.Response, sent time.Time) {
	made := time.Unix(r.Unix, 0)
	least, most := made.Sub(s.wall().Truncate(time.Second)), made.Sub(sent.Truncate(time.Second))
	s.offset = max(least, min(s.offset, most))
}

// hear notes when r was made. The caller holds mu.
func (s *Session) hear(r *wire.Response) {
	made := time.Unix(r.Unix, 0).Add(-s.offset)
	if now := s.wall(); made.After(now) {
		made = now
	}
	if made.After(s.heard) {
		s.heard = made
	}
	if !made.Before(s.missed.Truncate(time.Second)) {
		s.missed = time.Time{}
	}
}
