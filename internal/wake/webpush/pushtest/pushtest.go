// Package pushtest is a push service and a browser for tests. It is strict: what
// a real service may refuse, it refuses, and says why in [Push.Wrong].
//
// It shares no code with package webpush, so that the two can disagree.
//
// References: [RFC 8030], [RFC 8188], [RFC 8291], [RFC 8292].
package pushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/hkdf"

	"kryptonite/internal/wire"
)

// Reply is a scripted answer.
type Reply struct {
	Status     int
	RetryAfter string
	Location   string
	Body       string
}

// Push is one push as the service got it.
type Push struct {
	At     time.Time
	Path   string // of the endpoint
	Sealed []byte // as it came; nil: a bare wake-up
	Body   []byte // decrypted, if the service made the browser's keys
	TTL    int    // seconds
	Topic  string
	Token  string // the JWT
	Status int    // what it was answered
	Wrong  string // why it was refused, or ""
}

// Service is a push service.
type Service struct {
	URL   string
	Taken func(Push) // if set before the first push: called for each that is answered 201, before the answer

	server *httptest.Server
	roots  *x509.CertPool
	now    func() time.Time
	got    chan Push

	mu     sync.Mutex
	subs   map[string]*Browser // by path
	script []Reply
}

// Browser is one subscription as its browser keeps it.
type Browser struct {
	Endpoint string
	P256dh   []byte
	Auth     []byte

	key   *ecdh.PrivateKey
	vapid []byte // the public key that it was subscribed with
}

// New starts a service on this machine, which ends with the test.
func New(t testing.TB) *Service { return NewWith(t, nil) }

// NewWith is New with a certificate, for names by which a proxy leads here.
func NewWith(t testing.TB, cert *tls.Certificate) *Service {
	s := &Service{now: time.Now, got: make(chan Push, 1000), subs: map[string]*Browser{}}
	s.server = httptest.NewUnstartedServer(s)
	if cert != nil {
		s.server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	s.server.EnableHTTP2 = true
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	s.URL, s.roots = s.server.URL, x509.NewCertPool()
	s.roots.AddCert(s.server.Certificate())
	return s
}

// TLS lets a client trust the service. It also has to take addresses of this
// machine (webpush.Options.Local).
func (s *Service) TLS() *tls.Config {
	return &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// Subscribe is what a page's pushManager.subscribe does, with a VAPID public key
// (an uncompressed point).
func (s *Service) Subscribe(vapid []byte) *Browser {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	b := &Browser{P256dh: key.PublicKey().Bytes(), Auth: random(16), key: key, vapid: vapid}
	path := "/push/" + base64.RawURLEncoding.EncodeToString(random(24))
	b.Endpoint = s.URL + path
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[path] = b
	return b
}

// Adopt makes path the endpoint of a browser that keeps its keys to itself, and
// was subscribed with that VAPID public key.
func (s *Service) Adopt(path string, vapid []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[path] = &Browser{Endpoint: s.URL + path, vapid: vapid}
}

// End ends the subscription at path.
func (s *Service) End(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subs, path)
}

// Address is b as a phone with that VAPID key tells it.
func (b *Browser) Address(vapidPrivate []byte) wire.Push {
	return wire.Push{Endpoint: b.Endpoint, P256dh: b.P256dh, Auth: b.Auth, VAPID: vapidPrivate}
}

// Script sets what the next pushes that nothing is wrong with are answered.
func (s *Service) Script(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, replies...)
}

// Got yields the pushes, in order.
func (s *Service) Got() <-chan Push { return s.got }

func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := Push{At: s.now(), Path: r.URL.Path}
	reply, err := s.take(r, &p)
	if err != nil {
		p.Wrong = err.Error()
		reply.Body = p.Wrong
	}
	p.Status = reply.Status
	if s.Taken != nil && p.Status == http.StatusCreated {
		s.Taken(p)
	}
	s.got <- p
	if reply.RetryAfter != "" {
		w.Header().Set("Retry-After", reply.RetryAfter)
	}
	if reply.Location != "" {
		w.Header().Set("Location", reply.Location)
	}
	w.WriteHeader(reply.Status)
	io.WriteString(w, reply.Body)
}

// take checks a push and fills in p.
func (s *Service) take(r *http.Request, p *Push) (Reply, error) {
	bad := func(status int, format string, args ...any) (Reply, error) {
		return Reply{Status: status}, fmt.Errorf(format, args...)
	}
	s.mu.Lock()
	b := s.subs[r.URL.Path]
	s.mu.Unlock()
	switch {
	case b == nil:
		return bad(http.StatusNotFound, "no such subscription")
	case r.Method != http.MethodPost || r.TLS == nil || r.URL.RawQuery != "":
		return bad(http.StatusBadRequest, "not a POST to the endpoint by https")
	}
	var err error
	if p.Token, err = s.authorized(r, b); err != nil {
		return bad(http.StatusForbidden, "%w", err)
	}
	if p.TTL, err = strconv.Atoi(r.Header.Get("TTL")); err != nil || p.TTL < 0 || p.TTL > 90 {
		return bad(http.StatusBadRequest, "TTL %q", r.Header.Get("TTL"))
	}
	if u := r.Header.Get("Urgency"); u != "high" {
		return bad(http.StatusBadRequest, "Urgency %q", u)
	}
	if p.Topic = r.Header.Get("Topic"); !regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`).MatchString(p.Topic) {
		return bad(http.StatusBadRequest, "Topic %q", p.Topic)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return bad(http.StatusBadRequest, "read the body: %w", err)
	}
	if len(body) > 4096 {
		return bad(http.StatusRequestEntityTooLarge, "%d bytes", len(body))
	}
	switch encoding := r.Header.Get("Content-Encoding"); {
	case len(body) == 0 && encoding != "":
		return bad(http.StatusBadRequest, "no body, in %q", encoding)
	case len(body) > 0 && encoding != "aes128gcm":
		return bad(http.StatusBadRequest, "a body in %q", encoding)
	case len(body) > 0 && b.key == nil:
		p.Sealed = body
	case len(body) > 0:
		p.Sealed = body
		if p.Body, err = Decrypt(body, b.key, b.Auth); err != nil {
			return bad(http.StatusBadRequest, "%w", err)
		}
		if !utf8.Valid(p.Body) {
			return bad(http.StatusBadRequest, "Chromium drops what is not UTF-8")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.script) == 0 {
		return Reply{Status: http.StatusCreated, Location: s.URL + "/message/1"}, nil
	}
	reply := s.script[0]
	s.script = s.script[1:]
	if reply.Status == http.StatusGone || reply.Status == http.StatusNotFound {
		delete(s.subs, r.URL.Path)
	}
	return reply, nil
}

// authorized checks the VAPID token. [RFC 8292] §2, §3, §4.2.
func (s *Service) authorized(r *http.Request, b *Browser) (jwt string, err error) {
	m := regexp.MustCompile(`^vapid t=([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86}), k=([A-Za-z0-9_-]{87})$`).
		FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return "", errors.New("no vapid token")
	}
	if k := unbase64(m[3]); string(k) != string(b.vapid) {
		return "", errors.New("the key is not the one that was subscribed with")
	}
	sig, sum := unbase64(m[2]), sha256.Sum256([]byte(m[1]))
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b.vapid)
	if err != nil {
		return "", err
	}
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return "", errors.New("the token's signature does not hold")
	}
	head, claims, _ := strings.Cut(m[1], ".")
	var h struct{ Typ, Alg string }
	var c struct {
		Aud, Sub string
		Exp      int64
	}
	if err := errors.Join(json.Unmarshal(unbase64(head), &h), json.Unmarshal(unbase64(claims), &c)); err != nil {
		return "", err
	}
	left := time.Unix(c.Exp, 0).Sub(s.now())
	switch {
	case h.Alg != "ES256" || h.Typ != "JWT":
		return "", fmt.Errorf("alg %q, typ %q", h.Alg, h.Typ)
	case c.Aud != "https://"+r.Host:
		return "", fmt.Errorf("aud %q, this is %q", c.Aud, r.Host)
	case left <= 0 || left > 24*time.Hour:
		return "", fmt.Errorf("exp is in %s", left)
	case !realContact(c.Sub):
		return "", fmt.Errorf("sub %q", c.Sub)
	}
	return m[1] + "." + m[2], nil
}

// realContact is what Apple asks of "sub": an address with a host that may exist.
func realContact(sub string) bool {
	u, err := url.Parse(sub)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if u.Scheme == "mailto" {
		_, host, _ = strings.Cut(u.Opaque, "@")
	} else if u.Scheme != "https" {
		return false
	}
	return strings.Contains(host, ".") && net.ParseIP(host) == nil && !strings.HasSuffix(host, ".localhost") && !strings.ContainsAny(host, " @:")
}

// Decrypt opens a body of one record as a browser does. [RFC 8188] §2, [RFC 8291] §3.
func Decrypt(body []byte, key *ecdh.PrivateKey, auth []byte) ([]byte, error) {
	if len(body) < 86 || body[20] != 65 {
		return nil, errors.New("no header of aes128gcm with a P-256 key")
	}
	salt, size, sender, sealed := body[:16], binary.BigEndian.Uint32(body[16:]), body[21:86], body[86:]
	if size < 18 || len(sealed) > int(size) {
		return nil, fmt.Errorf("more than one record of %d bytes", size)
	}
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil {
		return nil, err
	}
	shared, err := key.ECDH(public)
	if err != nil {
		return nil, err
	}
	derive := func(secret, salt, info []byte, n int) []byte {
		out := make([]byte, n)
		if _, err := io.ReadFull(hkdf.New(sha256.New, secret, salt, info), out); err != nil {
			panic(err)
		}
		return out
	}
	ikm := derive(shared, auth, append(append([]byte("WebPush: info\x00"), key.PublicKey().Bytes()...), sender...), 32)
	block, err := aes.NewCipher(derive(ikm, salt, []byte("Content-Encoding: aes128gcm\x00"), 16))
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, derive(ikm, salt, []byte("Content-Encoding: nonce\x00"), 12), sealed, nil)
	if err != nil {
		return nil, errors.New("the record does not open")
	}
	trimmed := strings.TrimRight(string(plain), "\x00")
	if !strings.HasSuffix(trimmed, "\x02") {
		return nil, errors.New("the record has no delimiter of a last one")
	}
	return []byte(trimmed[:len(trimmed)-1]), nil
}

func random(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return b
}

func unbase64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
