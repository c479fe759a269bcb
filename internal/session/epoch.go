package session

import (
	"time"

	"kryptonite/internal/fault"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/wire"
)

type epoch struct {
	sealbox.Epoch
	since time.Time
	wall  time.Time // the same, without a monotonic reading, which stands still in sleep
}

func (s *Session) newEpoch(e sealbox.Epoch) epoch { return epoch{e, time.Now(), s.wall()} }

// age is how old e is at the wall's time now, also if the computer slept, or the wall
// clock was set back.
func (e epoch) age(wall time.Time) time.Duration { return max(time.Since(e.since), wall.Sub(e.wall)) }

// hello is an ephemeral key that waits for the phone's.
type hello struct {
	id    wire.ID // of the request that carries e_c
	eC    sealbox.PrivateKey
	sent  time.Time // first, by the wall clock
	frame []byte    // the hello, or nil when e_c rides in another request
}

// current returns the newest epoch, or nil.
func (s *Session) current() *epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.epochs) == 0 {
		return nil
	}
	return &s.epochs[len(s.epochs)-1]
}

// startHello returns the hello of a new epoch; the same one until it is answered.
func (s *Session) startHello() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hello != nil && s.hello.frame != nil {
		return s.hello.frame, nil
	}
	eC, err := sealbox.NewKey()
	if err != nil {
		return nil, err
	}
	id, err := wire.NewID()
	if err != nil {
		return nil, err
	}
	pub := eC.Public()
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{
		ID: id, Unix: s.cfg.Now().Add(s.offset).Unix(), K: wire.Protocol, V: s.cfg.Version,
		EphemeralC: &pub, Me: s.whereabouts(), KeysSeq: s.keysSeq,
	}})
	if err != nil {
		return nil, err
	}
	body, err := s.box.Seal(plain)
	if err != nil {
		return nil, err
	}
	s.hello = &hello{id, eC, s.wall(), wire.NewFrame(wire.HeaderSession, body)}
	fault.Point("krd.hello.made")
	return s.hello.frame, nil
}

func (s *Session) openEpoch(body []byte) ([]byte, error) {
	id, _ := sealbox.EpochOf(body)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.epochs {
		if e.ID == id {
			return e.Open(body)
		}
	}
	return nil, sealbox.ErrOpen
}

// agreed completes a key agreement whose e_c went out with request r.ID, under
// the header of its answer; nil: r is not about one. Not ok, and counted: who made r
// has not made that epoch. An answer under an epoch may come without e_s: the phone
// keeps few epochs that wait.
func (s *Session) agreed(r *wire.Response, h wire.Header) (e *sealbox.Epoch, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ack := h == wire.HeaderSession
	if s.hello == nil || r.ID != s.hello.id || ack != (s.hello.frame != nil) || !ack && r.EphemeralS == nil {
		return nil, true
	}
	if r.EphemeralS == nil {
		s.dropped++
		return nil, false
	}
	made, err := sealbox.ComputerEpoch(s.cfg.Own, s.hello.eC, s.cfg.Phone, *r.EphemeralS)
	if err != nil || !made.Proved(r.EpochProof) {
		s.dropped++
		return nil, false
	}
	return &made, true
}

// takeEpoch makes e the newest epoch, unless another copy of r has. The caller holds mu.
func (s *Session) takeEpoch(e *sealbox.Epoch, r *wire.Response) {
	if s.hello == nil || r.ID != s.hello.id {
		return
	}
	s.setOffset(r, s.hello.sent)
	s.hello = nil
	s.epochs = append(s.epochs, s.newEpoch(*e))
	if n := len(s.epochs); n > keptEpochs {
		s.epochs = append([]epoch{}, s.epochs[n-keptEpochs:]...)
	}
	fault.Point("krd.epoch.new")
	close(s.fresh)
	s.fresh = make(chan struct{})
}
