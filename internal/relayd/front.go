package relayd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"kryptonite/internal/certs"
	"kryptonite/internal/mailbox"
)

// frontOptions are the flags of a relay that has its own certificate.
type frontOptions struct {
	domains    []string
	listenHTTP string
	directory  string
	ca, email  string
}

func (o *frontOptions) define(flags *flag.FlagSet) {
	flags.Func("domain", "", func(s string) error {
		name, err := domainName(s)
		o.domains = append(o.domains, name)
		return err
	})
	flags.StringVar(&o.listenHTTP, "listen-http", "", "")
	flags.StringVar(&o.directory, "acme-directory", "", "")
	flags.StringVar(&o.ca, "acme-ca", "", "")
	flags.StringVar(&o.email, "acme-email", "", "")
}

// domainName returns s in lower case if a public CA may make a certificate for
// it.
func domainName(s string) (string, error) {
	c, err := mailbox.CanonicalOrigin("https://" + s)
	name, _ := strings.CutPrefix(c, "https://")
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case err != nil || strings.ContainsAny(name, ":[_"):
		return "", errors.New("want a name like relay.example.com, without https:// and port")
	case last == name || strings.Trim(last, "0123456789") == "":
		return "", errors.New("a CA wants a whole name like relay.example.com; for this machine only leave --domain out")
	}
	return name, nil
}

// arrange fits the flags together: which origins, which ports.
func (o *options) arrange() error {
	for _, d := range o.front.domains {
		if origin := "https://" + d; !slices.Contains(o.origins, origin) {
			o.origins = append(o.origins, origin)
		}
	}
	if o.behindProxy && len(o.origins) == 0 {
		return errors.New("--behind-proxy needs the relay's public address: --origin https://relay.example.com")
	}
	o.trustProxy = o.trustProxy || o.behindProxy
	if o.behindProxy { // the proxy has the certificate
		o.front.domains = nil
	}
	f := o.front
	if len(f.domains) == 0 && (f.listenHTTP != "" || f.directory != "" || f.ca != "" || f.email != "") {
		return errors.New("--listen-http and --acme-… are for --domain without --behind-proxy")
	}
	usual := "127.0.0.1:8080"
	if len(f.domains) > 0 {
		usual = ":443"
		o.front.listenHTTP = cmp.Or(f.listenHTTP, ":80")
	}
	o.listen = cmp.Or(o.listen, usual)
	return nil
}

// front is where the world comes in: the listener of the relay, and, if it has
// its own certificates, that of plain HTTP and who keeps them.
type front struct {
	main, plain net.Listener
	keeper      *certs.Keeper // nil: no TLS
	origins     []string
}

// openFront opens all ports, so that what is not permitted shows at the start.
func (o *options) openFront(ctx context.Context, version string, log *slog.Logger) (*front, error) {
	if len(o.front.domains) == 0 {
		l, err := listen(ctx, o.listen, "--listen")
		return &front{main: l}, err
	}
	keeper, err := o.keeper(version, log)
	if err != nil {
		return nil, err
	}
	l, err := listen(ctx, o.listen, "--listen")
	if err != nil {
		return nil, err
	}
	plain, err := listen(ctx, o.front.listenHTTP, "--listen-http")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	secure := tls.NewListener(l, &tls.Config{
		GetCertificate: keeper.Certificate,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
	})
	return &front{main: secure, plain: plain, keeper: keeper, origins: o.origins}, nil
}

func (o *options) keeper(version string, log *slog.Logger) (*certs.Keeper, error) {
	cfg := certs.Config{
		Domains: o.front.domains, Path: filepath.Join(o.data, certsName), Directory: o.front.directory,
		Email: o.front.email, UserAgent: "kr-relay/" + version, Logger: log,
	}
	if o.front.ca != "" {
		b, err := os.ReadFile(o.front.ca)
		if err != nil {
			return nil, fmt.Errorf("--acme-ca: %w", err)
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("--acme-ca: no certificate in %s", o.front.ca)
		}
	}
	return certs.New(cfg)
}

// listen opens address, which the flag named flagName gave.
func listen(ctx context.Context, address, flagName string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, listenError(err, flagName)
	}
	return l, nil
}

// listenError says what to do about err.
func listenError(err error, flagName string) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("listen: %w\nPorts below 1024 need a right. Grant it, as root: setcap cap_net_bind_service=+ep %s\n"+
			"or let a web server that has it stand before kr-relay: --behind-proxy", err, program())
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen: %w\nAnother program has that port. End it, name another port with %s,\n"+
			"or, if it is a web server, let it stand before kr-relay: --behind-proxy", err, flagName)
	}
	return fmt.Errorf("listen: %w", err)
}

func program() string {
	path, err := os.Executable()
	if err != nil {
		return "kr-relay"
	}
	return path
}

// String is for the ready line.
func (f *front) String() string {
	if f.keeper == nil {
		return "http://" + f.main.Addr().String()
	}
	return fmt.Sprintf("%s and %s for %s", f.main.Addr(), f.plain.Addr(), strings.Join(f.origins, " "))
}

// run serves plain HTTP and keeps the certificates until ctx ends.
func (f *front) run(ctx context.Context) error {
	if f.keeper == nil {
		return nil
	}
	srv := &http.Server{
		Handler:           f.keeper,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          stdlog.New(io.Discard, "", 0), // of strangers
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(f.plain); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve plain http: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		return srv.Close()
	})
	g.Go(func() error { return f.keeper.Run(ctx) })
	return g.Wait()
}
