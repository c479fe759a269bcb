package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/pairing"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/wire"
)

// Times. [kr-protocol] §4.5.
const (
	wakeAfter     = 300 * time.Millisecond
	wakeAgain     = 2 * time.Second
	wakeLimit     = 10 * time.Second // one push
	helloAfter    = 2 * time.Second
	ackPatience   = 30 * time.Second
	awayPatience  = 5 * time.Second
	decidePatient = 60 * time.Second
	hardLimit     = 100 * time.Second
	requestLife   = 90 * time.Second // expires_unix_seconds after the start
	epochLife     = 24 * time.Hour
	sendLimit     = 15 * time.Second // one frame on one link
	cancelLimit   = 3 * time.Second  // the same for a withdrawal: krd's end waits for it
	keptEpochs    = 2                // epochs under which an answer still opens
)

// Errors of Sign. A caller decides by them.
var (
	ErrDenied   = errors.New("declined on the phone")
	ErrNoAck    = errors.New("the phone did not answer")
	ErrTimeout  = errors.New("nobody decided on the phone in time")
	ErrSkew     = errors.New("the clocks of phone and computer do not agree")
	ErrUnpaired = errors.New("the phone has ended the pairing")
	ErrLocked   = errors.New("the phone locked this computer; unlock it there: Computers > this computer > Unlock")
	ErrEnded    = errors.New("the pairing is not in use any more") // Run has returned
)

// RefusedError is a phone that does not sign this, whoever asks.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "the phone refused: " + e.Reason }

// Config is what a Session needs. All fields but FirstEpoch are required.
type Config struct {
	Own     sealbox.PrivateKey // c_priv of this pairing
	Phone   sealbox.PublicKey  // s_pub
	Links   []transport.Link   // not the same one twice; SetLinks may change them
	Version string
	Log     *slog.Logger

	// Addresses are where the computer listens.
	Addresses Addresses
	// Told is called with the number of the addresses that the phone has, and,
	// if not nil, where it listens itself: queues that are ours it takes by
	// repeating them. It is called with a number that is not ours if the one of
	// both is a restored copy. It returns nil when that is durable. nil: nobody is.
	Told func(seq int64, at []wire.Address) error

	// FirstEpoch is the epoch of the pairing, when it has just been made.
	FirstEpoch *sealbox.Epoch
	// Offset is the phone's clock minus ours, as far as it is known.
	Offset time.Duration
	// Heard is when the phone was last heard of, in an earlier run.
	Heard time.Time
	// Now is the wall clock; nil: time.Now. It needs no monotonic reading.
	Now func() time.Time

	// Witness is told of the phone's log; nil: nobody is.
	Witness Witness

	// Unpaired is called once when the phone ends the pairing. It returns nil
	// when that is durable; the frame comes again otherwise.
	Unpaired func() error

	// Asking is called when a request begins, and what it returns when that is over;
	// nil: nothing is.
	Asking func() (over func())

	// Waker wakes the phone when it does not acknowledge; nil: nothing does.
	Waker Waker

	// KeysSeq is the notice_seq of the newest list of keys that is stored.
	KeysSeq int64
	// Locked is whether that list says that the phone refuses all that this computer asks.
	Locked bool
	// Keys is called with each newer list, what came with it, and whether this computer is locked, one at a time. It returns nil when
	// that is durable; the frame comes again otherwise. nil: lists are dropped.
	Keys func(seq int64, keys []wire.SSHKey, wake wire.Wakers, locked bool) error
}

// Session is one paired phone.
type Session struct {
	cfg  Config
	box  *sealbox.Shared
	bg   sync.WaitGroup // sends on their way
	over chan struct{}  // closed when Run ends; nothing is sent from then on

	keysMu  sync.Mutex // held while a list of keys is made durable; before mu
	leaveMu sync.Mutex // held while the phone's unpair is made durable; before mu
	left    bool       // it is; leaveMu

	mu       sync.Mutex
	keysSeq  int64 // of the newest list that is durable
	locked   bool  // as that says
	links    []transport.Link
	addrs    Addresses
	tell     bool          // the phone is to be told addrs
	reminded time.Time     // when it was told again
	changed  chan struct{} // closed and replaced when links or tell is
	leases   []*lease      // newest last
	ended    bool          // over is closed, and bg takes no more
	epochs   []epoch       // newest last
	hello    *hello        // the e_c on its way, or nil
	fresh    chan struct{}
	offset   time.Duration
	waiting  map[wire.ID]*pending
	heard    time.Time // when the newest frame was made, by our wall clock
	missed   time.Time // when what it did not answer last was sent; zero: it answers
	unpaired bool
	dropped  int
}

// pending is a request that waits for answers, or whose answer is looked at.
type pending struct {
	answers chan arrival
	sent    time.Time // first, by the wall clock
	key     string    // fingerprint of the SSH key
	over    []string  // rules of which the phone said since then that they are over
	void    bool      // it said so of all that there may be for key
}

// arrival is what came for a request.
type arrival struct {
	resp *wire.Response // nil: the pairing has ended
	via  string         // the link
}

// New checks cfg and returns a Session that does not run yet.
func New(cfg Config) (*Session, error) {
	if cfg.Version == "" || cfg.Log == nil || cfg.Unpaired == nil || len(cfg.Links) == 0 {
		return nil, errors.New("session: Config.Version, Log, Unpaired and Links are required")
	}
	box, err := sealbox.NewShared(cfg.Own, cfg.Phone)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Session{cfg: cfg, box: box, offset: cfg.Offset, heard: cfg.Heard, keysSeq: cfg.KeysSeq, locked: cfg.Locked, over: make(chan struct{}),
		links: slices.Clone(cfg.Links), addrs: cfg.Addresses, tell: cfg.FirstEpoch == nil, changed: make(chan struct{}),
		fresh: make(chan struct{}), waiting: map[wire.ID]*pending{}}
	if cfg.FirstEpoch != nil {
		s.epochs = []epoch{s.newEpoch(*cfg.FirstEpoch)}
	}
	return s, nil
}

// Run receives on all links until ctx ends, and waits for what it started. It
// is called once.
func (s *Session) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.keepLinks(ctx, g) })
	if s.cfg.FirstEpoch != nil {
		g.Go(func() error { s.greet(ctx); return nil })
	}
	err := g.Wait()
	s.mu.Lock()
	s.ended = true
	s.dropAllLeases()
	close(s.over)
	s.mu.Unlock()
	s.bg.Wait()
	return err
}

// Status is what people see of a phone.
type Status struct {
	Heard   time.Time     // the last valid frame; zero: never
	Away    bool          // it did not answer last time
	Offset  time.Duration // its clock minus ours
	Dropped int           // frames that changed nothing
	Links   map[string]transport.Status
}

// Status returns the state of now.
func (s *Session) Status() Status {
	s.mu.Lock()
	st := Status{Heard: s.heard, Away: !s.missed.IsZero(), Offset: s.offset, Dropped: s.dropped}
	s.mu.Unlock()
	st.Links = map[string]transport.Status{}
	for _, l := range s.linkList() {
		st.Links[l.Name()] = l.Status()
	}
	return st
}

// Away reports whether the phone did not answer when it was last asked.
func (s *Session) Away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.missed.IsZero()
}

// Farewell seals the frame that ends the pairing at the phone.
func (s *Session) Farewell() ([]byte, error) {
	return pairing.UnpairRequest(s.box, s.cfg.Now(), s.cfg.Version)
}

// receive takes a frame from the link named via. Whatever does not open or fit is dropped and counted,
// and said to be transport.ErrForged; what could not be made durable is another error.
func (s *Session) receive(via string, frame []byte) error {
	m, h, ok := s.open(frame)
	if !ok {
		s.mu.Lock()
		s.dropped++
		s.mu.Unlock()
		return transport.ErrForged
	}
	if m.Notice != nil {
		return s.notice(m.Notice)
	}
	r := m.Response
	agreed, ok := s.agreed(r, h)
	if !ok {
		return transport.ErrForged
	}
	if err := s.told(r, h); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if agreed != nil {
		s.takeEpoch(agreed, r)
	}
	request, waits := s.waiting[r.ID]
	waits = waits && h == wire.HeaderEpoch
	if waits {
		s.setOffset(r, request.sent)
	}
	if agreed != nil || h == wire.HeaderEpoch { // other acks anybody may have made who has c
		s.hear(r)
	}
	if !waits {
		return nil // late, repeated, or the ack of a hello
	}
	ch := request.answers
	if r.Ack != nil && len(ch) > 0 {
		return nil // copies of an ack take no answer's place
	}
	select {
	case ch <- arrival{r, via}:
	default: // the asker has an answer already
	}
	return nil
}

// open opens and decodes a frame of the phone.
func (s *Session) open(frame []byte) (m wire.Message, h wire.Header, ok bool) {
	h, body, err := wire.SplitFrame(frame)
	if err != nil {
		return m, h, false
	}
	var plain []byte
	switch h {
	case wire.HeaderSession:
		plain, err = s.box.Open(body)
	case wire.HeaderEpoch:
		plain, err = s.openEpoch(body)
	default:
		return m, h, false
	}
	if err != nil {
		return m, h, false
	}
	m, err = wire.Decode(plain)
	return m, h, err == nil && m.Request == nil && m.FitsHeader(h)
}

func (s *Session) notice(n *wire.Notice) error {
	if n.Keys != nil {
		return s.takeKeys(n)
	}
	if n.Unpair == nil {
		s.leasesOver(n.LeasesOver)
		return nil
	}
	s.leaveMu.Lock() // a copy by another link waits until it is known whether it is durable
	defer s.leaveMu.Unlock()
	if s.left {
		return nil
	}
	s.mu.Lock()
	s.unpaired = true
	s.dropAllLeases()
	for _, a := range s.waiting {
		select {
		case a.answers <- arrival{}:
		default:
		}
	}
	s.mu.Unlock()
	if err := s.cfg.Unpaired(); err != nil {
		s.mu.Lock()
		s.unpaired = false
		s.mu.Unlock()
		return fmt.Errorf("session: unpair: %w", err)
	}
	s.left = true
	return nil
}
