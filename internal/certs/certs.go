// Package certs keeps the certificates of a server's names: it gets them from a
// CA by ACME, and renews them when a third of their time is left.
//
// A [Keeper] answers three sides: Certificate is for tls.Config.GetCertificate,
// ServeHTTP is all that port 80 serves (the CA's challenge, and a redirect to
// https for its own names), and Run asks the CA until its context ends. A CA
// that fails or cannot be reached stops nothing: what is there is served, Run
// tries again with growing pauses, and the log says so daily.
//
// On disk, below a directory of its own for each CA, so that the certificate of
// a test CA is never taken for another's:
//
//	HOST-XXXXXXXX/account.pem     the account's key
//	HOST-XXXXXXXX/NAME.pem        a certificate's key, then its chain
//
// It takes part in http-01 challenges only. It never asks for a name that it was
// not given, and tells who asks for another nothing.
//
// Why not autocert: it keeps to itself why a renewal failed, its timers have no
// owner and no clock that a test can move, and strangers' handshakes make it ask
// the CA.
//
// References: [RFC 8555] ACME, §8.3 http-01.
package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/statedir"
)

// LetsEncrypt is the directory of the CA that is asked if none is named.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Config says what New needs. Domains and Path are required.
type Config struct {
	Domains   []string       // DNS names, lower case
	Path      string         // directory for accounts and certificates, made if missing
	Directory string         // URL of the CA's ACME directory; "": LetsEncrypt
	Roots     *x509.CertPool // who vouches for the CA's own https; nil: the system's
	Email     string         // told to the CA; may be empty
	UserAgent string
	Logger    *slog.Logger     // nil: discard
	Now       func() time.Time // nil: time.Now
}

// Keeper has the certificates. Use [New].
type Keeper struct {
	cfg Config
	log *slog.Logger
	dir *statedir.Dir
	sub string // of dir: what belongs to this CA

	mu     sync.RWMutex
	certs  map[string]*tls.Certificate // Leaf is set
	tokens map[token]string            // answers to the CA's open challenges
}

// token is a challenge of the CA, asked for at a name.
type token struct{ domain, path string }

// New checks the configuration and reads the certificates that are there. One
// that cannot be read is set aside and named in the log.
func New(cfg Config) (*Keeper, error) {
	if len(cfg.Domains) == 0 || cfg.Path == "" {
		return nil, errors.New("certs: Config.Domains or Config.Path is missing")
	}
	if cfg.Directory == "" {
		cfg.Directory = LetsEncrypt
	}
	ca, err := url.Parse(cfg.Directory)
	if err != nil || ca.Scheme != "https" || ca.Hostname() == "" {
		return nil, fmt.Errorf("certs: %q is no ACME directory: want https://…", cfg.Directory)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	dir, err := statedir.Open(cfg.Path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(cfg.Directory))
	k := &Keeper{
		cfg: cfg, log: cfg.Logger, dir: dir,
		sub:    fileName(ca.Hostname()) + "-" + hex.EncodeToString(sum[:4]) + "/",
		certs:  map[string]*tls.Certificate{},
		tokens: map[token]string{},
	}
	for _, d := range cfg.Domains {
		if err := k.load(d); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// fileName returns s with what has no place in a file's name as "_".
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, strings.ToLower(s))
}

// load reads domain's certificate, if there is one.
func (k *Keeper) load(domain string) error {
	name := k.sub + domain + ".pem"
	b, err := k.dir.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := tls.X509KeyPair(b, b)
	if err == nil {
		err = c.Leaf.VerifyHostname(domain)
	}
	if err != nil {
		return k.setAside(name, b, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.certs[domain] = &c
	return nil
}

// setAside moves a damaged file out of the way, as statedir does with its own.
func (k *Keeper) setAside(name string, b []byte, why error) error {
	aside := fmt.Sprintf("%s.damaged-%d", name, k.cfg.Now().Unix())
	if err := k.dir.WriteFile(aside, b); err != nil {
		return err
	}
	if err := k.dir.Remove(name); err != nil {
		return err
	}
	k.log.Warn("damaged file set aside", "file", k.dir.Path(aside), "error", why)
	return nil
}

// Certificate is for tls.Config.GetCertificate. For a name that is not ours, and
// for none, it returns nil: the handshake fails and shows nothing.
func (k *Keeper) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.certs[strings.ToLower(hello.ServerName)], nil
}

// expires returns when domain's certificate ends, and when it is to be renewed;
// zero times if there is none.
func (k *Keeper) expires(domain string) (end, renew time.Time) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c := k.certs[domain]
	if c == nil {
		return time.Time{}, time.Time{}
	}
	return c.Leaf.NotAfter, renewal(c.Leaf)
}

// renewal returns when c is to be renewed: when a third of its time is left.
func renewal(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
}

func (k *Keeper) ours(domain string) bool { return slices.Contains(k.cfg.Domains, domain) }

// Run gets the certificates that are missing and renews those that are due,
// until ctx ends; then it returns nil.
func (k *Keeper) Run(ctx context.Context) error {
	tries := map[string]*try{}
	for _, d := range k.cfg.Domains {
		tries[d] = &try{}
	}
	for {
		var next time.Time
		for _, d := range k.cfg.Domains {
			at := k.attend(ctx, d, tries[d])
			if next.IsZero() || at.Before(next) {
				next = at
			}
		}
		// At most an hour: a machine that slept, or whose clock was set, is not
		// late for long.
		if backoff.Sleep(ctx, min(next.Sub(k.cfg.Now()), time.Hour)) != nil {
			return nil
		}
	}
}
