// Package relayd is the program kr-relay: flags, files, signals.
//
// [Main] serves a relay on a TCP port until SIGTERM or SIGINT, then shuts down
// in good order; a second signal ends it at once. "kr-relay backup" copies the
// store, also while a relay has it open: that one hands out copies on a unix
// socket in its data directory. With --domain it serves https with certificates
// of package certs; front.go has what comes before the relay. Exit codes: 0 it ended as asked, 1 it could not
// start or failed, 2 the command line is wrong, 130 a backup was interrupted.
//
// References: [kryptonite/internal/relay.Server] does the work.
package relayd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/boltstore"
)

// What the data directory holds.
const (
	storeName  = "relay.db"
	socketName = "backup.sock"
	certsName  = "certs" // a directory, with --domain
)

const defaultData = "kr-relay-data"

const usage = `Keep sealed mail between computers and phones

Usage:
  kr-relay [--data <directory>]                        this machine only
  kr-relay --domain <name> [--data <directory>]        the internet
  kr-relay --behind-proxy --origin <url> [...]         behind a web server
  kr-relay backup [--data <directory>] <file>          (kr-relay backup --help)

Takes sealed messages and keeps each until the phone or computer that it is for
has fetched it, at most 48 hours. It cannot read them.

With --domain it gets a certificate for that name, renews it, and serves
https://NAME. The name must lead to this machine, and ports 80 and 443 must be
reachable from the internet. You accept the terms of the CA (Let's Encrypt).
Without --domain it speaks plain HTTP: to this machine (http://localhost:PORT),
or, with --behind-proxy, to a web server that has the certificate.

Flags:
  --domain <name>         get a certificate for it and serve https; may be repeated
  --behind-proxy          a web server on a private address has the certificate: speak
                          plain HTTP and believe its last X-Forwarded-For; needs --origin
                          or --domain
  --origin <url>          public address of this relay; may be repeated
  --data <directory>      where mail and certificates are kept, made if missing
                          (default ./kr-relay-data)
  --listen <address>      where to listen (default 127.0.0.1:8080, with --domain :443;
                          port 0: any free one)
  --listen-http <address> with --domain: for the CA's challenge and a redirect (default :80)
  --acme-email <address>  told to the CA
  --acme-directory <url>  another CA than Let's Encrypt
  --acme-ca <file>        root certificates, in PEM, that vouch for --acme-directory
  --sender-rate <n>       posts a second from one sender (default 200)
  --sender-burst <n>      posts at once from one sender (default 1000)
  --sender-mailboxes <n>  new mailboxes an hour from one sender (default 120)
  --max-mailboxes <n>     mailboxes in all (default 100000)
  --max-bytes <n>         bytes of waiting mail in all (default 4294967296)
  --log-level <level>     debug, info, warn or error (default info)
  --log-format <format>   text or json (default text)
  --version               print the version and end

Examples:
  $ kr-relay
  $ kr-relay --domain relay.example --data /var/lib/kr-relay
  $ kr-relay --behind-proxy --origin https://relay.example --data /var/lib/kr-relay

Next: kr pair --relay https://relay.example
`

// Main runs the program and returns its exit code. version is printed for
// --version.
func Main(args []string, version string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the handler is gone: the second one kills.
	defer context.AfterFunc(ctx, stop)()
	return Run(ctx, args, version, stdout, stderr)
}

// Run is Main until ctx ends, without signals.
func Run(ctx context.Context, args []string, version string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "backup" {
		return runBackup(ctx, args[1:], stdout, stderr)
	}
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "kr-relay: %v\nTry: kr-relay --help\n", err)
		return 2
	case o.version:
		fmt.Fprintln(stdout, "kr-relay", version)
		return 0
	}
	if err := o.serve(ctx, version, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "kr-relay: %v\n", err)
		return 1
	}
	return 0
}

type options struct {
	listen, data string
	origins      []string
	trustProxy   bool // behindProxy, or the flag's old name
	behindProxy  bool
	front        frontOptions
	limits       relay.Limits
	level        slog.Level
	json         bool
	version      bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("kr-relay", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // Run prints errors and help
	fs.StringVar(&o.listen, "listen", "", "")
	fs.StringVar(&o.data, "data", defaultData, "")
	fs.Func("origin", "", func(s string) error {
		c, err := mailbox.CanonicalOrigin(s)
		o.origins = append(o.origins, c)
		return err
	})
	fs.BoolVar(&o.behindProxy, "behind-proxy", false, "")
	fs.BoolVar(&o.trustProxy, "trust-proxy", false, "") // of 0.1 before --behind-proxy; not in the help
	o.front.define(fs)
	fs.Float64Var(&o.limits.SendRate, "sender-rate", 200, "")
	fs.IntVar(&o.limits.SendBurst, "sender-burst", 1000, "")
	fs.IntVar(&o.limits.NewPerHour, "sender-mailboxes", 120, "")
	fs.IntVar(&o.limits.Mailboxes, "max-mailboxes", 100_000, "")
	fs.Int64Var(&o.limits.TotalBytes, "max-bytes", 4<<30, "")
	fs.TextVar(&o.level, "log-level", slog.LevelInfo, "")
	fs.Func("log-format", "", func(s string) error {
		if s != "text" && s != "json" {
			return errors.New("want text or json")
		}
		o.json = s == "json"
		return nil
	})
	fs.BoolVar(&o.version, "version", false, "")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	l := o.limits
	if !(l.SendRate > 0) || l.SendBurst < 1 || l.NewPerHour < 1 || l.Mailboxes < 1 || l.TotalBytes < 1 {
		return nil, errors.New("limits must be positive")
	}
	if o.data == "" {
		return nil, errors.New("--data must name a directory")
	}
	if err := o.arrange(); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *options) serve(ctx context.Context, version string, stdout, stderr io.Writer) error {
	var handler slog.Handler = slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.level})
	if o.json {
		handler = slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: o.level})
	}
	log := slog.New(handler)

	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	store, err := boltstore.Open(filepath.Join(o.data, storeName), boltstore.Options{Logger: log})
	if err != nil {
		return err
	}
	server, err := relay.New(relay.Config{
		Store: store, Logger: log, Limits: o.limits, Origins: o.origins, TrustProxy: o.trustProxy,
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	f, err := o.openFront(ctx, version, log)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	copies := listenForCopies(o.data, log)
	if len(o.origins) == 0 {
		log.Warn("without --domain or --origin only clients on this machine can read their mail")
	}
	if _, err := fmt.Fprintf(stdout, "listening on %s\n", f); err != nil {
		log.Warn("ready line not printed", "error", err)
	}
	log.Info("relay is up", "listen", f.main.Addr().String(), "origins", strings.Join(o.origins, " "))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.run(ctx) })
	if copies != nil {
		g.Go(func() error {
			handOutCopies(ctx, copies, store, log)
			return nil
		})
	}
	g.Go(func() error { return server.Run(ctx, f.main) })
	err = g.Wait()
	log.Info("relay is down")
	return err
}
