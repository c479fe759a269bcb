package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// Times of a token. Services refuse more than 24 h ([RFC 8292] §2), and Apple
// those that are made anew for each push.
const (
	tokenLife  = 12 * time.Hour
	tokenSpare = time.Hour // before its end a new one is made
)

// token is the Authorization header of one VAPID key at one push service.
type token struct {
	key      *ecdsa.PrivateKey
	audience string // origin of the service
	contact  string // "sub"; "" for none

	header string
	until  time.Time // when a new one is due
}

func newToken(vapid []byte, audience, contact string) (*token, error) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), vapid)
	if err != nil {
		return nil, fmt.Errorf("webpush: the VAPID key: %w", err)
	}
	return &token{key: key, audience: audience, contact: contact}, nil
}

// authorization returns the header, the same one until an hour before its end.
// A clock that was set back makes a new one, too.
func (t *token) authorization(now time.Time) (string, error) {
	if t.header != "" && now.Before(t.until) && now.After(t.until.Add(-tokenLife)) {
		return t.header, nil
	}
	public, err := t.key.PublicKey.Bytes()
	if err != nil {
		return "", fmt.Errorf("webpush: the VAPID key: %w", err)
	}
	jwt, err := t.sign(now.Add(tokenLife))
	if err != nil {
		return "", err
	}
	t.header = "vapid t=" + jwt + ", k=" + base64.RawURLEncoding.EncodeToString(public)
	t.until = now.Add(tokenLife - tokenSpare)
	return t.header, nil
}

// forget makes the next push bring a new token.
func (t *token) forget() { t.header = "" }

// sign makes the JWT, ES256. [RFC 7515], [RFC 7518] §3.4.
func (t *token) sign(expires time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
		Subject  string `json:"sub,omitempty"`
	}{t.audience, expires.Unix(), t.contact})
	if err != nil {
		return "", fmt.Errorf("webpush: encode the token: %w", err)
	}
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + b64.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, t.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("webpush: sign the token: %w", err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return text + "." + b64.EncodeToString(sig), nil
}
