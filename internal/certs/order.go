package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

const answerTimeout = 30 * time.Second // for one answer of the CA

// errClock: a certificate that is due for renewal as soon as it is made.
var errClock = errors.New("the new certificate is not valid now by this machine's clock")

// obtain gets a certificate for domain and serves it from then on. It returns
// the file that is to be stored; with errClock, too.
func (k *Keeper) obtain(ctx context.Context, domain string) (file []byte, err error) {
	transport := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{RootCAs: k.cfg.Roots, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	ca, err := k.account(ctx, &http.Client{Transport: transport, Timeout: answerTimeout})
	if err != nil {
		return nil, err
	}
	order, err := ca.AuthorizeOrder(ctx, acme.DomainIDs(domain))
	if err != nil {
		return nil, err
	}
	for _, u := range order.AuthzURLs {
		if err := k.authorize(ctx, ca, domain, u); err != nil {
			return nil, err
		}
	}
	if order, err = ca.WaitOrder(ctx, order.URI); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{domain}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := ca.CreateOrderCert(ctx, order.FinalizeURL, csr, true)
	if err != nil {
		return nil, err
	}
	return k.take(domain, key, chain)
}

// take serves a certificate that the CA made, before anything can fail on the
// disk: a CA makes few for one name. It returns its file.
func (k *Keeper) take(domain string, key *ecdsa.PrivateKey, chain [][]byte) (file []byte, err error) {
	b, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	for _, der := range chain {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	c, err := tls.X509KeyPair(b, b)
	if err == nil {
		err = c.Leaf.VerifyHostname(domain)
	}
	if err != nil {
		return nil, fmt.Errorf("the CA's certificate is of no use: %w", err)
	}
	k.mu.Lock()
	k.certs[domain] = &c
	k.mu.Unlock()
	if now := k.cfg.Now(); now.Before(c.Leaf.NotBefore) || !now.Before(renewal(c.Leaf)) {
		return b, errClock // others may still take it; do not ask for the next at once
	}
	return b, nil
}

// authorize shows the CA that domain leads here.
func (k *Keeper) authorize(ctx context.Context, ca *acme.Client, domain, url string) error {
	z, err := ca.GetAuthorization(ctx, url)
	if err != nil {
		return err
	}
	if z.Status == acme.StatusValid {
		return nil
	}
	for _, c := range z.Challenges {
		if c.Type != "http-01" {
			continue
		}
		answer, err := ca.HTTP01ChallengeResponse(c.Token)
		if err != nil {
			return err
		}
		at := token{domain, ca.HTTP01ChallengePath(c.Token)}
		k.setToken(at, answer)
		defer k.setToken(at, "")
		if _, err := ca.Accept(ctx, c); err != nil {
			return err
		}
		_, err = ca.WaitAuthorization(ctx, url)
		return err
	}
	return errors.New("the CA offers no http-01 challenge")
}

func (k *Keeper) setToken(t token, answer string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if answer == "" {
		delete(k.tokens, t)
		return
	}
	k.tokens[t] = answer
}

// account returns a client with this Keeper's account, which is made, or found
// again by its key.
func (k *Keeper) account(ctx context.Context, h *http.Client) (*acme.Client, error) {
	key, err := k.accountKey()
	if err != nil {
		return nil, err
	}
	ca := &acme.Client{Key: key, HTTPClient: h, DirectoryURL: k.cfg.Directory, RetryBackoff: retry, UserAgent: k.cfg.UserAgent}
	who := &acme.Account{}
	if k.cfg.Email != "" {
		who.Contact = []string{"mailto:" + k.cfg.Email}
	}
	if _, err := ca.Register(ctx, who, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, err
	}
	return ca, nil
}

// retry says how long to wait before the nth try of one request; -1: not again.
// A used nonce is worth another try at once, a busy CA two. All else is for Run.
func retry(n int, _ *http.Request, resp *http.Response) time.Duration {
	switch {
	case resp.StatusCode == http.StatusBadRequest && n <= 5:
		return time.Duration(n) * 50 * time.Millisecond
	case resp.StatusCode >= 500 && n <= 2:
		return time.Duration(n) * time.Second
	}
	return -1
}

func (k *Keeper) accountKey() (*ecdsa.PrivateKey, error) {
	name := k.sub + "account.pem"
	b, err := k.dir.ReadFile(name)
	if err == nil {
		key, err := decodeKey(b)
		if err == nil {
			return key, nil
		}
		if err := k.setAside(name, b, err); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if b, err = encodeKey(key); err != nil {
		return nil, err
	}
	return key, k.dir.WriteFile(name, b)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decodeKey(b []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(b)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("certs: not one key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("certs: the key is a %T, want ECDSA", key)
	}
	return ec, nil
}
