// Package relaytest starts a real relay in a test, in one line.
//
//	r := relaytest.New(t)
//	client, err := relay.NewClient(r.Origin(), relay.Options{})
//
// It listens on a free port of 127.0.0.1 and keeps its mail with boltstore in
// the test's temporary directory. Stop and Start take it down and up again, on
// the same port and with the same file.
//
// References: [kryptonite/internal/relay.Server].
package relaytest

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"kryptonite/internal/relay"
	"kryptonite/internal/relay/boltstore"
)

// Relay is a running relay. Its methods belong to the test's goroutine, except
// Origin.
type Relay struct {
	t      testing.TB
	path   string
	addr   string
	config func(*relay.Config)

	server *relay.Server
	stop   context.CancelFunc
	done   chan error
}

// New starts a relay that lets one sender do 100,000 things a second and at a
// time, post 1 GiB a second, and make 100,000 mailboxes an hour. configure, if given, changes its configuration.
// The relay stops when the test ends.
func New(t testing.TB, configure ...func(*relay.Config)) *Relay {
	t.Helper()
	r := &Relay{
		t:    t,
		path: filepath.Join(t.TempDir(), "relay.db"),
		addr: "127.0.0.1:0",
		config: func(c *relay.Config) {
			for _, f := range configure {
				f(c)
			}
		},
	}
	r.Start()
	t.Cleanup(r.Stop)
	return r
}

// Origin returns "http://127.0.0.1:PORT".
func (r *Relay) Origin() string { return "http://" + r.addr }

// Path returns the store's file.
func (r *Relay) Path() string { return r.path }

// Server returns the running server, for Sweep.
func (r *Relay) Server() *relay.Server { return r.server }

// Start starts a stopped relay.
func (r *Relay) Start() {
	r.t.Helper()
	store, err := boltstore.Open(r.path, boltstore.Options{LockWait: 5 * time.Second})
	if err != nil {
		r.t.Fatalf("relaytest: %v", err)
	}
	cfg := relay.Config{
		Store:  store,
		Logger: slog.New(slog.DiscardHandler),
		Limits: relay.Limits{SendRate: 100_000, SendBurst: 100_000, InProgress: 100_000, NewPerHour: 100_000, SendBytes: 1 << 30},
	}
	r.config(&cfg)
	if r.server, err = relay.New(cfg); err != nil {
		r.t.Fatalf("relaytest: %v", err)
	}
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatalf("relaytest: %v", err)
	}
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop, r.done = cancel, make(chan error, 1)
	go func() { r.done <- r.server.Run(ctx, l) }()
}

// Stop stops the relay as SIGTERM would and waits for it.
func (r *Relay) Stop() {
	r.t.Helper()
	if r.stop == nil {
		return
	}
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("relaytest: %v", err)
	}
	r.stop = nil
}

// Restart stops and starts the relay.
func (r *Relay) Restart() {
	r.t.Helper()
	r.Stop()
	r.Start()
}
