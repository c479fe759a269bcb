// Package relayd is the program kr-relay: flags, files, signals.
//
// [Main] serves a relay and the phone app, or one of them, on a TCP port until SIGTERM or SIGINT, then shuts down
// in good order; a second signal ends it at once. "kr-relay backup" copies the
// store, also while a relay has it open: that one hands out copies on a unix
// socket in its data directory. With --domain it serves https with certificates
// of package certs; front.go has what comes before the relay. Exit codes: 0 it ended as asked, 1 it could not
// start or failed, 2 the command line is wrong, 130 a backup was interrupted.
//
// References: [kryptonite/internal/relay.Server] and
// [kryptonite/internal/webapp.Handler] do the work.
package relayd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/escape"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/peer"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/boltstore"
	"kryptonite/internal/statedir"
)

// What the data directory holds.
const (
	storeName  = "relay.db"
	socketName = "backup.sock"
	certsName  = "certs" // a directory, with --domain
)

const defaultData = "kr-relay-data"

const usage = `Keep sealed mail between computers and phones, and serve the phone app

Usage:
  kr-relay [--data <directory>]                        this machine only
  kr-relay --domain <name> [--data <directory>]        the internet
  kr-relay --behind-proxy --origin <url> [...]         behind a web server
  kr-relay backup [--data <directory>] <file>          (kr-relay backup --help)

Takes sealed messages and keeps each until the phone or computer that it is for
has fetched it, at most 48 hours. It cannot read them. At the same address it
serves the phone app; who opens the app there trusts this server with its code.

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
  --serve <app,api>       the phone app, the relay's API, or both (default app,api)
  --data <directory>      where mail and certificates are kept, made if missing
                          (default ./kr-relay-data; not used by --serve app without --domain)
  --listen <address>      where to listen (default 127.0.0.1:8080, with --domain :443;
                          port 0: any free one)
  --listen-http <address> with --domain: for the CA's challenge and a redirect (default :80)
  --acme-email <address>  told to the CA
  --acme-directory <url>  another CA than Let's Encrypt
  --acme-ca <file>        root certificates, in PEM, that vouch for --acme-directory
  --sender-rate <n>       posts a second from one sender (default 200)
  --sender-burst <n>      posts at once from one sender (default 1000)
  --sender-bytes <n>      bytes a second from one sender over time; 8192 times that
                          at once (default 8192)
  --sender-mailboxes <n>  new mailboxes an hour from one sender (default 120)
  --max-mailboxes <n>     mailboxes in all (default 100000)
  --max-bytes <n>         bytes of waiting mail in all, 512 added for each message
                          (default 4294967296)
  --log-level <level>     debug, info, warn or error (default info)
  --log-format <format>   text or json (default text)
  --version               print the version and end

Examples:
  $ kr-relay
  $ kr-relay --domain relay.example --data /var/lib/kr-relay
  $ kr-relay --behind-proxy --origin https://relay.example --data /var/lib/kr-relay
  $ kr-relay --serve app --domain app.example --data /var/lib/kr-app

Next: kr pair --relay https://relay.example
`

// Built is what this program was built with.
type Built struct {
	Version string
	App     fs.FS // the phone app, or a page that says how to build it
	HasApp  bool
}

// Main runs the program and returns its exit code.
func Main(args []string, built Built, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the handler is gone: the second one kills.
	defer context.AfterFunc(ctx, stop)()
	return Run(ctx, args, built, stdout, stderr)
}

// Run is Main until ctx ends, without signals.
func Run(ctx context.Context, args []string, built Built, stdout, stderr io.Writer) int {
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
		fmt.Fprintln(stdout, "kr-relay", built.Version)
		return 0
	}
	if err := o.serve(ctx, built, stdout, stderr); err != nil {
		complain(stderr, "kr-relay", err)
		return 1
	}
	return 0
}

// complain prints an error, and what to do about it where it says that.
func complain(w io.Writer, program string, err error) {
	fmt.Fprintf(w, "%s: %v\n", program, err)
	if hint := interface{ Hint() []string }(nil); errors.As(err, &hint) {
		fmt.Fprintf(w, "%s\n", strings.Join(hint.Hint(), "\n"))
	}
}

type options struct {
	listen, data string
	origins      []string
	trustProxy   bool // behindProxy, or the flag's old name
	behindProxy  bool
	front        frontOptions
	app, api     bool // what is served
	limits       relay.Limits
	level        slog.Level
	json         bool
	version      bool
}

func parse(args []string) (*options, error) {
	o := &options{app: true, api: true}
	flags := flag.NewFlagSet("kr-relay", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Run prints errors and help
	flags.StringVar(&o.listen, "listen", "", "")
	flags.StringVar(&o.data, "data", defaultData, "")
	flags.Func("origin", "", func(s string) error {
		c, err := mailbox.CanonicalOrigin(s)
		o.origins = append(o.origins, c)
		return err
	})
	flags.BoolVar(&o.behindProxy, "behind-proxy", false, "")
	flags.BoolVar(&o.trustProxy, "trust-proxy", false, "") // of 0.1 before --behind-proxy; not in the help
	flags.Func("serve", "", o.serveOnly)
	o.front.define(flags)
	flags.Float64Var(&o.limits.SendRate, "sender-rate", 200, "")
	flags.IntVar(&o.limits.SendBurst, "sender-burst", 1000, "")
	flags.Int64Var(&o.limits.SendBytes, "sender-bytes", 8<<10, "")
	flags.IntVar(&o.limits.NewPerHour, "sender-mailboxes", 120, "")
	flags.IntVar(&o.limits.Mailboxes, "max-mailboxes", 100_000, "")
	flags.Int64Var(&o.limits.TotalBytes, "max-bytes", 4<<30, "")
	flags.TextVar(&o.level, "log-level", slog.LevelInfo, "")
	flags.Func("log-format", "", func(s string) error {
		if s != "text" && s != "json" {
			return errors.New("want text or json")
		}
		o.json = s == "json"
		return nil
	})
	flags.BoolVar(&o.version, "version", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	l := o.limits
	if !(l.SendRate > 0) || l.SendBurst < 1 || l.SendBytes < 1 || l.NewPerHour < 1 || l.Mailboxes < 1 || l.TotalBytes < 1 {
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

// serveOnly takes the flag --serve.
func (o *options) serveOnly(s string) error {
	o.app, o.api = false, false
	for part := range strings.SplitSeq(s, ",") {
		switch part {
		case "app":
			o.app = true
		case "api":
			o.api = true
		default:
			return errors.New("want app, api, or app,api")
		}
	}
	return nil
}

func (o *options) serve(ctx context.Context, built Built, stdout, stderr io.Writer) error {
	var handler slog.Handler = slog.NewTextHandler(escape.Writer(stderr), &slog.HandlerOptions{Level: o.level})
	if o.json {
		handler = slog.NewJSONHandler(escape.Writer(stderr), &slog.HandlerOptions{Level: o.level})
	}
	log := slog.New(handler)
	var app http.Handler
	if o.app {
		var err error
		if app, err = o.appHandler(built.App); err != nil {
			return err
		}
		if !built.HasApp {
			log.Warn("this kr-relay was built without the phone app; build it with: go run ./web/build && go build ./cmd/kr-relay")
		}
	}
	if o.api || len(o.front.domains) > 0 {
		if err := os.MkdirAll(o.data, 0o700); err != nil {
			return fmt.Errorf("make data directory: %w", err)
		}
		if err := statedir.Guarded(o.data); err != nil {
			return err
		}
	}
	what, err := o.openService(app, log)
	if err != nil {
		return err
	}
	f, err := o.openFront(ctx, built.Version, log)
	if err != nil {
		return errors.Join(err, what.close())
	}
	var copies *peer.Listener
	if what.store != nil {
		copies = listenForCopies(o.data, log)
	}
	if len(o.origins) == 0 && o.api {
		log.Warn("without --domain or --origin only clients on this machine can read their mail")
	} else if len(o.origins) == 0 {
		log.Warn("without --domain or --origin only browsers on this machine are shown the phone app")
	}
	if _, err := fmt.Fprintf(stdout, "listening on %s\n", f); err != nil {
		log.Warn("ready line not printed", "error", err)
	}
	log.Info("relay is up", "listen", f.main.Addr().String(), "origins", strings.Join(o.origins, " "), "app", o.app, "api", o.api)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.run(ctx) })
	if copies != nil {
		g.Go(func() error {
			handOutCopies(ctx, copies, what.store, log)
			return nil
		})
	}
	g.Go(func() error { return what.run(ctx, f.main) })
	err = g.Wait()
	log.Info("relay is down")
	return err
}

// service is what is behind the front: a relay, with or without the app beside
// it, or the app alone.
type service struct {
	store *boltstore.Store // nil: the app alone
	run   func(context.Context, net.Listener) error
}

// openService opens the store, if there is to be a relay. app may be nil.
func (o *options) openService(app http.Handler, log *slog.Logger) (service, error) {
	if !o.api {
		return service{run: func(ctx context.Context, l net.Listener) error { return serveApp(ctx, l, app, log) }}, nil
	}
	store, err := boltstore.Open(filepath.Join(o.data, storeName), boltstore.Options{Logger: log})
	if err != nil {
		return service{}, err
	}
	server, err := relay.New(relay.Config{
		Store: store, Logger: log, Limits: o.limits, Origins: o.origins, TrustProxy: o.trustProxy, Beside: app,
	})
	if err != nil {
		return service{}, errors.Join(err, store.Close())
	}
	return service{store, server.Run}, nil
}

// close is for a service that never ran.
func (s service) close() error {
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}
