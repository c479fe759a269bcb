// Package daemon is krd: it holds the pairings of one user on one computer,
// answers ssh on the agent socket by asking phones, and answers kr on the
// control socket.
//
// Everything lives in one state directory (~/.kr or KR_HOME):
//
//	agent.sock         the SSH agent            krd.sock   the local API
//	pairings/ID.json   one phone each           krd.lock   one krd at a time
//	farewells/ID.json  phones to be told        heard.json when they last spoke
//	queues/ID.json     queues at SQS that are to be deleted
//	sns.json           how Amazon SNS is used, if it is
//	endpoints/ID.json  endpoints at SNS that are to be deleted
//	limits.json        which keys are offered to some hosts only
//	log.journal        what was asked, and what is known of the phones' logs
//
// The agent that the user had before answers for its own keys (otheragent.go).
//
// Residents meet here: sshagent asks through an agentConn, session carries
// the question to a phone. Neither knows the other.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/backoff"
	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshname"
	"kryptonite/internal/sshversion"
	"kryptonite/internal/statedir"
	"kryptonite/internal/transport/ble/bluez"
	"kryptonite/internal/waitline"
	"kryptonite/internal/wake/webpush"
)

const shutdownPatience = 3 * time.Second

// Config is what a Daemon needs; OtherAgent, Passed, Push, Desktop and Adapter may be empty.
type Config struct {
	Dir        *statedir.Dir
	Version    string
	Log        *slog.Logger
	OtherAgent string          // socket of the agent that the user has beside krd
	Push       webpush.Options // for tests
	Adapter    string          // of Bluetooth, "hci1"; "": the first that is on

	// Desktop opens what shows notifications; nil: there is none.
	Desktop func(context.Context) (waitline.Desk, error)

	Passed map[string]*net.UnixListener // sockets that were made for krd, by path: see peer.Passed
}

// Daemon is a running krd.
type Daemon struct {
	cfg     Config
	started time.Time
	life    context.Context // of sessions and of bg; ends after the agent's clients withdrew
	stop    context.CancelCauseFunc
	bg      sync.WaitGroup // what phones that have gone leave to do, and small writes

	rejected rejected
	names    sshname.Resolver
	versions sshversion.Versions
	lines    waitline.Board
	notes    waitline.Notes
	asked    askedLog
	limits   limits
	traces   traces
	other    *otherAgent // or nil

	mu        sync.Mutex
	phones    map[string]*phone   // by pairing id
	farewells map[string]farewell // by pairing id
	pair      *pairRun            // the pairing that runs, or nil

	channels sync.Mutex // held while channels of pairings change

	peripheral *bluez.Peripheral // does nothing until a pairing uses Bluetooth

	pushOnce sync.Once
	push     *webpush.Client // by pushClient

	snsMu sync.Mutex                  // held while sns is changed
	sns   atomic.Pointer[snsSettings] // nil: Amazon SNS is not used

	heardMu sync.Mutex
	heard   map[string]time.Time // as heard.json has it
}

// ErrStopped is the cause of an end that somebody asked for.
var ErrStopped = errors.New("krd was asked to stop")

// errAgentEnded is why clients of the agent socket end when it does.
var errAgentEnded = errors.New("krd accepts nobody any more")

// noRoom are the errors of accept after which there may be room later.
var noRoom = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

// Run is krd from start to end: it blocks until ctx ends or kr asks it to
// stop, and returns nil after a clean end. ready is called when both sockets
// answer.
func Run(ctx context.Context, cfg Config, ready func()) error {
	lock, err := cfg.Dir.Lock(control.LockFile)
	if errors.Is(err, statedir.ErrLocked) {
		return fmt.Errorf("krd is running already in %s", cfg.Dir.Path())
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	d := &Daemon{cfg: cfg, started: time.Now(), life: life, stop: stop, phones: map[string]*phone{}, farewells: map[string]farewell{},
		peripheral: bluez.NewPeripheral(bluez.Options{Adapter: cfg.Adapter, Log: cfg.Log})}
	d.notes.Open, d.notes.Lost = cfg.Desktop, func(err error) { cfg.Log.Debug("no notification on the desktop", "err", err) }
	agentSock, err := cfg.listen(control.AgentSocket)
	if err != nil {
		return fmt.Errorf("open the agent socket: %w", err)
	}
	defer agentSock.Close()
	d.other = newOtherAgent(cfg.OtherAgent, cfg.Dir.Path(control.AgentSocket), cfg.Log)
	controlSock, err := cfg.listen(control.Socket)
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	defer controlSock.Close()
	defer d.close(end)
	if err := d.loadFarewells(); err != nil {
		return err
	}
	d.limits.open(cfg.Dir, cfg.Log)
	d.asked.open(cfg.Dir, cfg.Log, d.pairingIDs())
	if err := d.loadSNS(); err != nil {
		return err
	}
	if err := d.loadPhones(); err != nil {
		return err
	}
	if err := d.loadLeftovers(); err != nil {
		return err
	}
	if err := d.loadEndpoints(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.serveAgent(ctx, peer.NewListener(agentSock)) })
	g.Go(func() error { return d.serveControl(ctx, peer.NewListener(controlSock)) })
	cfg.Log.Info("krd is ready", "version", cfg.Version, "phones", len(d.phones))
	ready()
	err = g.Wait()
	cfg.Log.Info("krd has ended")
	if cause := context.Cause(ctx); errors.Is(cause, ErrStopped) || errors.Is(cause, context.Canceled) {
		return nil
	}
	return err
}

// listen returns the socket with this name: the one that systemd made, if it
// made any, or a new one.
func (cfg Config) listen(name string) (*net.UnixListener, error) {
	path := cfg.Dir.Path(name)
	if len(cfg.Passed) == 0 {
		return peer.Listen(path)
	}
	l := cfg.Passed[path]
	if l == nil {
		return nil, fmt.Errorf("systemd passed sockets, but not %s: kr setup writes the units anew", path)
	}
	return l, peer.CheckPassed(path)
}

// serveAgent accepts ssh clients until ctx ends and waits for them.
func (d *Daemon) serveAgent(ctx context.Context, l *peer.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, end := context.WithCancelCause(ctx) // clients end when this does, whatever the reason
	defer end(errAgentEnded)
	slots := newSlots(maxAgentConns, d.cfg.Log)
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if slices.ContainsFunc(noRoom, func(e error) bool { return errors.Is(err, e) }) {
			d.cfg.Log.Warn("a client of the agent waits: the system has no room for it", "err", err)
			_ = backoff.Sleep(ctx, 200*time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("accept on the agent socket: %w", err)
		}
		if !slots.take() {
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer slots.give()
			a := d.agentFor(ctx, conn)
			defer a.close()
			if err := sshagent.Serve(ctx, conn, a, d.other.of(conn)); err != nil && ctx.Err() == nil {
				d.cfg.Log.Info("agent connection ended", "err", err)
			}
		})
	}
}

// serveControl answers kr until ctx ends.
func (d *Daemon) serveControl(ctx context.Context, l *peer.Listener) error {
	srv := &http.Server{
		Handler:           d.api(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(d.cfg.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
		defer cancel()
		if srv.Shutdown(end) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-done
	}
	if errors.Is(err, http.ErrServerClosed) {
		return context.Cause(ctx)
	}
	return fmt.Errorf("serve the control socket: %w", err)
}
