package session

import (
	"fmt"
	"slices"

	"kryptonite/internal/wire"
)

// takeKeys takes a list of keys and the wakers if they are newer than the last. Requests say
// from then on that it is here. [kr-protocol] §4.10.
func (s *Session) takeKeys(seq int64, keys []wire.SSHKey, wake wire.Wakers) error {
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	s.mu.Lock()
	news := seq > s.keysSeq && !s.unpaired && s.cfg.Keys != nil
	if len(keys) > wire.MaxKeys || slices.ContainsFunc(keys, func(k wire.SSHKey) bool { return len(k.PublicKey) == 0 }) {
		s.dropped++
		news = false
	}
	s.mu.Unlock()
	if !news {
		return nil
	}
	if err := s.cfg.Keys(seq, keys, wake); err != nil {
		return fmt.Errorf("session: keys: %w", err)
	}
	s.mu.Lock()
	s.keysSeq = seq
	s.leasesOf(keys)
	s.mu.Unlock()
	return nil
}
