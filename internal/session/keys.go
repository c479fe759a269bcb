package session

import (
	"fmt"
	"slices"

	"kryptonite/internal/wire"
)

// takeKeys takes a notice with a list of keys, and what is told beside it, if it is newer
// than the last. Requests say from then on that it is here. [kr-protocol] §4.10, §4.13.
func (s *Session) takeKeys(n *wire.Notice) error {
	keys := *n.Keys
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	s.mu.Lock()
	news := n.Seq > s.keysSeq && !s.unpaired && s.cfg.Keys != nil
	if len(keys) > wire.MaxKeys || slices.ContainsFunc(keys, func(k wire.SSHKey) bool { return len(k.PublicKey) == 0 }) {
		s.dropped++
		news = false
	}
	s.mu.Unlock()
	if !news {
		return nil
	}
	if err := s.cfg.Keys(n.Seq, keys, n.Wakers, n.Locked); err != nil {
		return fmt.Errorf("session: keys: %w", err)
	}
	s.mu.Lock()
	s.keysSeq, s.locked = n.Seq, n.Locked
	if s.leasesOf(keys); n.Locked {
		s.dropAllLeases()
	}
	s.mu.Unlock()
	return nil
}
