package session

import (
	"context"
	"errors"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/fault"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// Progress is told how a request does, for people who wait; any field may be
// nil. Its functions are called from Sign's goroutine and must not block.
type Progress struct {
	Acked func() // the phone has it
	Slow  func() // 5 s without an acknowledgement
}

// SignOptions are how to ask.
type SignOptions struct {
	Progress Progress
	// Hurry gives a phone that is known to be away 5 s instead of 30 s, for
	// callers that have other keys to try.
	Hurry bool
	// Report, when not nil, is filled in by Sign.
	Report *Report
	// Trace, when not nil, is told where the request is.
	Trace *Trace
}

// errOver is why a channel does not have a copy of a request that ended first.
var errOver = errors.New("given up: the request was over first")

// Sign asks the phone to sign and returns the signature (SSH wire format),
// verified over req.Payload with publicKey (an SSH key blob). Errors: those of
// this package, *RefusedError, or ctx's.
func (s *Session) Sign(ctx context.Context, publicKey []byte, req wire.SignRequest, opts SignOptions) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, hardLimit, ErrTimeout)
	defer cancel()
	for try := 0; ; try++ {
		sig, err := s.once(ctx, publicKey, req, opts)
		if errors.Is(err, ErrSkew) && try == 0 {
			opts.Trace.Mark(HopSkew, "", nil)
			continue // the answer told the phone's time: once more, with a new id
		}
		return sig, err
	}
}

// once is Sign with one request.
func (s *Session) once(ctx context.Context, publicKey []byte, req wire.SignRequest, opts SignOptions) ([]byte, error) {
	r, err := s.newRequest(req)
	if errors.Is(err, ErrLocked) { // the phone answers a hello by what it told last, if that got lost
		s.sayHello(context.WithoutCancel(ctx), opts.Trace)
	}
	if err != nil {
		return nil, err
	}
	defer s.forget(r.id)
	resp, err := r.ask(ctx, opts)
	if err != nil {
		return nil, err
	}
	sig, err := checked(publicKey, req.Payload, resp)
	if err == nil {
		opts.Trace.Mark(HopVerified, "", nil)
		s.keepLease(r.pending, resp.LeaseToken)
	}
	return sig, err
}

// Patience is how long Sign waits now for the acknowledgement, and how long
// after it for the decision.
func (s *Session) Patience(opts SignOptions) (ack, decide time.Duration) {
	if opts.Hurry && s.Away() {
		return awayPatience, decidePatient
	}
	return ackPatience, decidePatient
}

// checked turns a response into a signature that ssh may see, or an error.
func checked(publicKey, payload []byte, r *wire.SignResponse) ([]byte, error) {
	switch r.Error {
	case "":
	case wire.CodeRejected:
		return nil, ErrDenied
	case wire.CodeLocked:
		return nil, ErrLocked
	case wire.CodeExpired, wire.CodeCancelled:
		return nil, ErrTimeout
	case wire.CodeClockSkew:
		return nil, ErrSkew
	default:
		reason := r.Reason
		if reason == "" {
			reason = string(r.Error)
		}
		return nil, &RefusedError{reason}
	}
	key, err := sshwire.ParsePublicKey(publicKey)
	if err != nil {
		return nil, &RefusedError{"the key of this pairing cannot be read"}
	}
	if !holds(key, payload, r.Signature) {
		return nil, &RefusedError{"the signature it sent does not hold"}
	}
	return r.Signature, nil
}

// holds reports whether signature is key's over exactly payload, in the one
// format that goes with the key. [kr-protocol] §4.5.
func holds(key sshwire.PublicKey, payload, signature []byte) bool {
	if key.Type() == sshwire.KeyPasskey {
		sig, err := sshwire.ParseWebAuthn(signature)
		return err == nil && key.VerifyWebAuthn(payload, sig) == nil
	}
	sig, err := sshwire.ParseSignature(signature)
	return err == nil && sig.Format == key.Type() && key.Verify(payload, sig) == nil
}

// request is one request on its way to an answer.
type request struct {
	s     *Session
	id    wire.ID
	plain []byte
	*pending
	acked   bool
	resends int
	pushes  int
	ticket  auditlog.Ticket
	report  *Report // or nil
	trace   *Trace  // or nil
}

// ask sends the request and waits for its final answer.
func (r *request) ask(ctx context.Context, opts SignOptions) (*wire.SignResponse, error) {
	s := r.s
	r.trace = opts.Trace
	if s.cfg.Asking != nil {
		defer s.cfg.Asking()()
	}
	r.begin(opts.Report)
	patience, decide := s.Patience(opts)
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	slow := time.NewTimer(awayPatience)
	defer slow.Stop()
	wake := time.NewTimer(wakeAfter)
	defer wake.Stop()
	again := time.NewTimer(helloAfter)
	defer again.Stop()
	start := time.Now()
	fresh := r.post(ctx)
	if s.Away() {
		s.sayHello(ctx, r.trace) // it may have lost the epoch; do not wait to find out
	}
	fault.Point("krd.request.posted")
	for {
		select {
		case a := <-r.answers:
			resp := a.resp
			r.saw(resp)
			switch {
			case resp == nil:
				return nil, ErrUnpaired
			case resp.Sign != nil:
				r.trace.heard(HopAnswered, a)
				fault.Point("krd.request.answered")
				s.note(time.Time{})
				return resp.Sign, nil
			case resp.Error != nil:
				r.trace.heard(HopAnswered, a)
				return nil, &RefusedError{"it does not know this kind of request; update the phone app"}
			case resp.Ack != nil && !r.acked:
				r.acked = true
				r.trace.heard(HopAcked, a)
				fault.Point("krd.request.acked")
				giveUp.Reset(decide)
				call(opts.Progress.Acked)
			}
		case <-fresh: // a new epoch: the same plaintext under it
			r.trace.Mark(HopAgreed, "", nil)
			fresh = r.post(ctx)
		case <-again.C:
			if !r.acked {
				s.sayHello(ctx, r.trace)
			}
			fresh = r.post(ctx)
			again.Reset(r.pause())
		case <-wake.C:
			if r.acked {
				continue
			}
			r.wake(ctx, patience-time.Since(start))
			if r.pushes == 1 {
				wake.Reset(wakeAgain - wakeAfter)
			}
		case <-slow.C:
			if !r.acked {
				r.trace.Mark(HopSlow, "", nil)
				call(opts.Progress.Slow)
			}
		case <-giveUp.C:
			r.cancel(ctx)
			if r.acked {
				return nil, ErrTimeout
			}
			s.note(r.sent)
			return nil, ErrNoAck
		case <-ctx.Done():
			r.cancel(ctx)
			return nil, context.Cause(ctx)
		case <-s.over:
			return nil, ErrEnded
		}
	}
}

// pause is how long after a copy of the request the next one goes out. With a
// link that loses every fifth frame each way, one login in 30,000 would still
// miss its acknowledgement.
func (r *request) pause() time.Duration {
	switch {
	case r.acked:
		return 8 * time.Second // only the answer may be lost
	case r.resends <= 5:
		return 2 * time.Second
	}
	return 4 * time.Second
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// newRequest makes the plaintext, which stays the same for all copies.
func (s *Session) newRequest(req wire.SignRequest) (*request, error) {
	id, err := wire.NewID()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unpaired {
		return nil, ErrUnpaired
	}
	if s.locked {
		return nil, ErrLocked
	}
	now := s.phoneNow()
	req.LeaseTokens = s.leaseTokens(req.Fingerprint)
	msg := &wire.Request{ID: id, Unix: now.Unix(), Expires: now.Add(requestLife).Unix(),
		K: wire.Protocol, V: s.cfg.Version, KeysSeq: s.keysSeq, Sign: &req}
	if err := s.renew(msg); err != nil {
		return nil, err
	}
	plain, err := wire.Encode(wire.Message{Request: msg})
	if err != nil {
		return nil, &RefusedError{"the request is too large"}
	}
	r := &request{s: s, id: id, plain: plain, pending: &pending{answers: make(chan arrival, 4), sent: s.wall(), key: req.Fingerprint}}
	s.waiting[id] = r.pending
	return r, nil
}

// renew puts a new e_c into the first request after epochLife. The caller
// holds mu.
func (s *Session) renew(msg *wire.Request) error {
	n := len(s.epochs)
	if n == 0 || s.hello != nil || s.epochs[n-1].age(s.wall()) < epochLife {
		return nil
	}
	eC, err := sealbox.NewKey()
	if err != nil {
		return err
	}
	pub := eC.Public()
	msg.EphemeralC = &pub
	s.hello = &hello{id: msg.ID, eC: eC, sent: s.wall()}
	return nil
}

// post sends the request under the newest epoch, or a hello when there is
// none. It returns a channel that closes when a newer epoch exists.
func (r *request) post(ctx context.Context) <-chan struct{} {
	s := r.s
	s.mu.Lock()
	fresh := s.fresh
	s.mu.Unlock()
	e := s.current()
	if e == nil {
		s.sayHello(ctx, r.trace)
		return fresh
	}
	if body, err := e.Seal(r.plain); err == nil {
		r.trace.Mark(HopSealed, "", nil)
		s.send(ctx, wire.NewFrame(wire.HeaderEpoch, body), r.trace)
		r.resends++
	}
	return fresh
}

func (s *Session) sayHello(ctx context.Context, t *Trace) {
	if frame, err := s.startHello(); err == nil {
		t.Mark(HopHello, "", nil)
		s.send(ctx, frame, t)
	}
}

// cancel withdraws the request on the phone, on its own time: ctx has ended
// in most cases.
func (r *request) cancel(ctx context.Context) {
	if frame := r.s.withdrawal(r.id); frame != nil {
		r.trace.Mark(HopWithdrawn, "", nil)
		r.s.sendWithin(context.WithoutCancel(ctx), frame, cancelLimit, r.trace)
		fault.Point("krd.cancel.sent")
	}
}

// withdrawal is the frame that cancels a request, or nil without an epoch.
func (s *Session) withdrawal(of wire.ID) []byte {
	e := s.current()
	id, err := wire.NewID()
	if e == nil || err != nil {
		return nil
	}
	s.mu.Lock()
	now, seq := s.phoneNow(), s.keysSeq
	s.mu.Unlock()
	plain, err := wire.Encode(wire.Message{Request: &wire.Request{
		ID: id, Unix: now.Unix(), Expires: now.Add(requestLife).Unix(), K: wire.Protocol, V: s.cfg.Version,
		KeysSeq: seq, Cancel: &wire.CancelRequest{ID: of}}})
	if err != nil {
		return nil
	}
	body, err := e.Seal(plain)
	if err != nil {
		return nil
	}
	return wire.NewFrame(wire.HeaderEpoch, body)
}

func (s *Session) forget(id wire.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
	if s.hello != nil && s.hello.frame == nil && s.hello.id == id {
		s.hello = nil // its e_c will not be answered any more
	}
}

// note remembers when what the phone did not answer was sent; zero: it did.
func (s *Session) note(missed time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = missed
}
