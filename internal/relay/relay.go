// Package relay is the mailbox server between computers and phones.
//
// A [Server] takes sealed frames by HTTP and hands them to the holder of the
// mailbox key over a WebSocket or by long polls; package mailbox shows both in
// bytes. It is trusted with nothing: it sees ciphertext, addresses, sizes and
// times.
//
// A frame goes to a connected holder at once, in parallel with the commit to
// the [Store]; the poster gets his answer when the frame is durable. So a frame
// may arrive although its post failed, and comes again on the next connection
// if it was not acknowledged: at least once, as Links promise.
//
// Answers to a post:
//
//	202  stored, durably              404  no such mailbox
//	200  was stored before            409  same Idempotency-Key, other body
//	400  empty, or bad key            413  over 64 KiB
//	429  mailbox full, or too much from the sender, with Retry-After
//	503  shutting down or a fault of the store; 507 the store is full
//
// Answers to a poll:
//
//	200  frames, or none came in time; deleted
//	401  no proof, or its nonce was used or is old: here is one
//	403  proof does not hold          409  another reads now
//	410  deleted while it waited      413, 400  no poll
//	429  too many mailboxes, or too much from the sender, with Retry-After
//	503  shutting down or a fault of the store
//
// What the relay itself serves is JSON or application/octet-stream, never a page,
// and never runs in a browser. Logs show mailboxes only by their LogName, and no
// bodies.
//
// References: [kr-protocol] docs/protocol.md §5; [RFC 6455] WebSocket.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/mailbox"
)

// Limits bound what strangers can make the relay keep or do. A zero field means
// its default.
type Limits struct {
	MailboxFrames int           // frames waiting in one mailbox; default mailbox.MaxMailboxFrames
	MailboxBytes  int64         // their bytes; default mailbox.MaxMailboxBytes
	TotalBytes    int64         // bytes of all waiting frames, and FrameOverhead for each; default 4 GiB
	Mailboxes     int           // mailboxes in all; default 100,000
	Connections   int           // WebSockets and polls at a time; default 50,000
	Retention     time.Duration // of a frame; default mailbox.Retention
	Unread        time.Duration // until an unread mailbox goes; default mailbox.UnreadRetention

	// One sender is one IPv4 address or one IPv6 /64; loopback is no exception. An
	// IPv6 /56 has four times a sender's limits in all, a /48 sixteen times.
	SendRate   float64 // posts, polls and connections per second; default 200
	SendBurst  int     // default 1,000
	InProgress int     // posts, polls, and WebSockets that are not proven yet, at a time; default 500
	NewPerHour int     // new mailboxes, also the burst; default 120

	// SendBytes is how many bytes of frames one sender may post per second over
	// time, FrameOverhead added to each, with a burst of 8,192 times that; default
	// 8 KiB, and 64 MiB. So within Retention it is 8 KiB * 172,800 s + 64 MiB =
	// 1.4 GiB at most, a third of TotalBytes: nobody fills the relay alone. A login
	// posts some KB, so that is two each second without end, or 10,000 at once.
	SendBytes int64
}

// FrameOverhead is what a frame costs a store besides its body, in bytes: its
// entry, its header and its idempotency record, in memory and in the file.
const FrameOverhead = 512

const burstSeconds = 8192 // of SendBytes

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.MailboxFrames, mailbox.MaxMailboxFrames)
	orDefault(&l.MailboxBytes, mailbox.MaxMailboxBytes)
	orDefault(&l.TotalBytes, 4<<30)
	orDefault(&l.Mailboxes, 100_000)
	orDefault(&l.Connections, 50_000)
	orDefault(&l.Retention, mailbox.Retention)
	orDefault(&l.Unread, mailbox.UnreadRetention)
	orDefault(&l.SendRate, 200)
	orDefault(&l.SendBurst, 1_000)
	orDefault(&l.InProgress, 500)
	orDefault(&l.NewPerHour, 120)
	orDefault(&l.SendBytes, 8<<10)
	return l
}

// Config says what New needs. Only Store is required.
type Config struct {
	Store  Store
	Logger *slog.Logger // nil: discard
	Limits Limits

	// Origins are the public origins under which holders reach this relay. A
	// proof of reading counts only if it was signed for one of them, so that
	// another relay cannot pass its callers' proofs on. Without any, the origin
	// is taken from the request's Host header, but only if that is localhost,
	// 127.0.0.1 or [::1]: the header is the client's word. For other hosts
	// nobody can read until an origin is configured (421).
	Origins []string

	// TrustProxy takes the sender's address from the last entry of
	// X-Forwarded-For if the connection comes from a loopback or private address.
	TrustProxy bool

	// Beside answers what is not the API's, see Owns; nil: not found. None of the
	// relay's headers and limits are put on its answers.
	Beside http.Handler

	Now          func() time.Time // nil: time.Now
	SweepEvery   time.Duration    // between sweeps in Run; 0: ten minutes
	PingInterval time.Duration    // 0: mailbox.PingInterval
}

// Server is the relay's http.Handler. Use [New]. Either call Run, or serve the
// handler yourself and call Close at the end.
type Server struct {
	cfg     Config
	limits  Limits
	log     *slog.Logger
	origins []string
	senders *senders
	crowd   *Crowd
	nonces  *nonces   // of polls
	unnamed sync.Once // said that a proxy names nobody
	tooMany refusals
	full    refusals

	// ctx ends when connections are cut without further courtesy.
	ctx  context.Context
	stop context.CancelFunc
	// handlers counts live connections, polls, and what they started.
	handlers sync.WaitGroup

	mu      sync.RWMutex
	closing bool
	open    int // WebSockets and polls, proven or not
	readers map[mailbox.Address]*reader
}

// New checks the configuration and returns a server. It becomes the Store's
// watcher; the Store is closed by Run or by the caller.
func New(cfg Config) (*Server, error) {
	if cfg.Store == nil {
		return nil, errors.New("relay: Config.Store is missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	orDefault(&cfg.SweepEvery, 10*time.Minute)
	orDefault(&cfg.PingInterval, mailbox.PingInterval)
	s := &Server{
		cfg:     cfg,
		limits:  cfg.Limits.withDefaults(),
		log:     cfg.Logger,
		readers: map[mailbox.Address]*reader{},
		tooMany: refusals{what: "mailboxes refused: too many"},
		full:    refusals{what: "frames refused: the store is full"},
	}
	for _, o := range cfg.Origins {
		c, err := mailbox.CanonicalOrigin(o)
		if err != nil {
			return nil, fmt.Errorf("relay: Config.Origins: %w", err)
		}
		s.origins = append(s.origins, c)
	}
	s.senders = newSenders(s.limits)
	s.crowd = NewCrowd(s.limits.InProgress, cfg.TrustProxy)
	s.nonces = newNonces(cfg.Now())
	s.ctx, s.stop = context.WithCancel(context.Background())
	cfg.Store.Watch(s.deliver)
	return s, nil
}

// Run serves on l, which may be a TLS listener, and sweeps now and from time to time, until ctx ends. Then it
// stops accepting, closes the WebSockets ("going away"), ends the polls, lets
// running posts finish, closes the Store, and returns nil or the first fault.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	srv := HTTPServer(s, s.log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("relay: serve: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		tick := time.NewTicker(s.cfg.SweepEvery)
		defer tick.Stop()
		for {
			if err := s.Sweep(s.cfg.Now()); err != nil && ctx.Err() == nil {
				s.log.Error("sweep failed", "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
	g.Go(func() error {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		var closing sync.WaitGroup
		closing.Go(s.Close)
		if err := srv.Shutdown(late); err != nil {
			_ = srv.Close() // the listener is closed; cut what is left
		}
		closing.Wait()
		return nil
	})
	err := g.Wait()
	if closeErr := s.cfg.Store.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Close refuses new WebSockets and polls, ends the open ones and waits for
// them, at most some seconds. The Store stays open.
func (s *Server) Close() {
	s.mu.Lock()
	s.closing = true
	for _, r := range s.readers {
		s.handlers.Go(func() { r.end(statusGoingAway, "relay is going away") })
	}
	s.mu.Unlock()
	cut := time.AfterFunc(closePatience, s.stop)
	defer cut.Stop()
	s.handlers.Wait()
	s.stop()
}

// Sweep removes frames and mailboxes that are too old at now. Run calls it; a
// test may.
func (s *Server) Sweep(now time.Time) error {
	s.senders.sweep(now)
	s.nonces.sweep(now)
	s.tooMany.add(0, s.log, now)
	s.full.add(0, s.log, now)
	// The Store calls deliver, which takes mu: never call the Store under mu.
	s.mu.RLock()
	connected := slices.Collect(maps.Keys(s.readers))
	s.mu.RUnlock()
	for _, addr := range connected {
		s.cfg.Store.Touch(addr, now)
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	n, err := s.cfg.Store.Expire(ctx, now, now.Add(-s.limits.Retention), now.Add(-s.limits.Unread))
	if err != nil {
		return fmt.Errorf("relay: sweep: %w", err)
	}
	if n != (Expired{}) {
		s.log.Info("old mail removed", "frames", n.Frames, "mailboxes", n.Mailboxes)
	}
	return nil
}

// Owns reports whether a path is the API's. Whatever else an origin serves has
// other paths.
func Owns(path string) bool {
	return path == "/healthz" || path == "/v1" || strings.HasPrefix(path, "/v1/")
}

// ServeHTTP routes by hand: the standard mux answers odd paths with HTML.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Beside != nil && !Owns(r.URL.Path) {
		s.cfg.Beside.ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Retry-After")

	if r.URL.Path == "/healthz" {
		s.health(w, r)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v1/mailboxes/")
	name, what, ok2 := strings.Cut(rest, "/")
	serve, method := s.route(what)
	if !ok || !ok2 || serve == nil {
		fail(w, http.StatusNotFound, "not found")
		return
	}
	switch r.Method {
	case method:
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", "Content-Type, "+mailbox.HeaderIdempotencyKey)
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		h.Set("Allow", method+", OPTIONS")
		fail(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	sender := s.sender(r)
	if !s.senders.allow(sender, ofRequests, 1, s.cfg.Now()) {
		h.Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, "too many requests")
		return
	}
	if !s.crowd.enter(sender) {
		h.Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, "too many requests at a time")
		return
	}
	defer s.crowd.leave(sender)
	addr, err := mailbox.ParseAddress(name)
	if err != nil {
		fail(w, http.StatusNotFound, "no such mailbox")
		return
	}
	serve(w, r, addr, sender)
}

// route returns what serves a mailbox's "frames", "live" or "poll", and its
// method; nil for all else.
func (s *Server) route(what string) (serve func(http.ResponseWriter, *http.Request, mailbox.Address, netip.Addr), method string) {
	switch what {
	case "frames":
		return s.post, http.MethodPost
	case "live":
		return s.live, http.MethodGet
	case "poll":
		return s.poll, http.MethodPost
	}
	return nil, ""
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if _, err := s.cfg.Store.Exists(r.Context(), mailbox.Address{}); err != nil {
		fail(w, http.StatusServiceUnavailable, "store is not available")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`+"\n")
}

// fail answers with JSON; text is one of our constants, never input.
func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, mailbox.PollReply{Error: text})
}

func answer(w http.ResponseWriter, status int, reply mailbox.PollReply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(reply.Encode(), '\n'))
}
