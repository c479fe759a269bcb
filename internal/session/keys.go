package session

import (
	"bytes"
	"fmt"
	"slices"

	"kryptonite/internal/wire"
)

// takeKeys takes a list of keys and a push address if they are newer than the last. Requests say
// from then on that it is here. [kr-protocol] §4.10.
func (s *Session) takeKeys(seq int64, keys []wire.SSHKey, push *wire.Push) error {
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
	if err := s.cfg.Keys(seq, keys, push); err != nil {
		return fmt.Errorf("session: keys: %w", err)
	}
	s.mu.Lock()
	s.keysSeq = seq
	s.leasesOf(keys)
	s.mu.Unlock()
	return nil
}

// maxEarly is how many frames are kept for the answer to a hello. The phone
// sends a list under up to five epochs, once at its start and once more when the
// hello comes.
const maxEarly = 10

// keepEarly keeps a frame that may be the notice that overtook the answer to
// our hello: both are on their way at once. The caller holds mu.
func (s *Session) keepEarly(frame []byte) {
	if s.hello == nil || s.hello.frame == nil || len(frame) == 0 || wire.Header(frame[0]) != wire.HeaderEpoch {
		return
	}
	if len(s.early) == maxEarly {
		s.early = s.early[1:]
	}
	s.early = append(s.early, bytes.Clone(frame))
}

// overtook returns those frames once no hello waits for its answer.
func (s *Session) overtook() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hello != nil {
		return nil
	}
	early := s.early
	s.early = nil
	return early
}
