package daemon

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/pairing"
	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/sealbox"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshwire"
	relaylink "kryptonite/internal/transport/relay"
	"kryptonite/internal/wire"
)

// buffer is a log that many goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestTokensStayInMemory: a phone's token comes back with the next request, and
// krd writes it nowhere: not while it works, not at its end, at no log level.
func TestTokensStayInMemory(t *testing.T) {
	server, err := relay.New(relay.Config{Store: memstore.New()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() { server.Close(); web.Close() })
	client, err := relaylink.NewClient(web.URL, relaylink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	blob := sshwire.Ed25519Blob(pub)

	r := newRecord(t)
	s, err := sealbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	far, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	near, err := mailbox.KeyFromSeed(r.Mailbox)
	if err != nil {
		t.Fatal(err)
	}
	r.Phone, r.ID, r.Relay, r.Peer, r.Keys = s.Public(), pairing.ID(r.Own.Public(), s.Public()), web.URL, far.Address(), []wire.SSHKey{{PublicKey: blob}}
	for _, k := range []mailbox.Key{far, near} {
		if err := client.Open(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	own := sealbox.Epoch{ID: sealbox.EpochID{1}, Send: sealbox.Key32{2}, Recv: sealbox.Key32{3}}
	phone := sealbox.Epoch{ID: own.ID, Send: own.Recv, Recv: own.Send}

	d := newDaemon(t)
	var said buffer
	d.cfg.Log = slog.New(slog.NewJSONHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	life, end := context.WithCancel(context.Background())
	d.life, d.farewells = life, map[string]farewell{}
	d.asked.open(d.cfg.Dir, d.cfg.Log, nil)
	store(t, d, r)
	if err := d.startPhone(r, &own, 0); err != nil {
		t.Fatal(err)
	}

	token := wire.LeaseToken{Rule: "12", Token: sealbox.Key32(bytes.Repeat([]byte{0xa7, 0x5c, 0x91, 0xee}, 8)), Until: time.Now().Add(time.Hour).Unix()}
	brought := make(chan []wire.LeaseToken, 100)
	listening, deaf := context.WithCancel(t.Context())
	var phoneSide sync.WaitGroup
	phoneSide.Go(func() {
		client.Receive(listening, far, func(frame []byte) error {
			h, body, _ := wire.SplitFrame(frame)
			if h != wire.HeaderEpoch {
				return nil
			}
			plain, err := phone.Open(body)
			if err != nil {
				t.Error(err)
				return nil
			}
			m, err := wire.Decode(plain)
			if err != nil || m.Request == nil || m.Request.Sign == nil {
				return nil
			}
			brought <- m.Request.Sign.LeaseTokens
			plain, err = wire.Encode(wire.Message{Response: &wire.Response{ID: m.Request.ID, Unix: time.Now().Unix(), K: wire.Protocol,
				Sign: &wire.SignResponse{Signature: sshwire.SignEd25519(key, m.Request.Sign.Payload), LeaseToken: token}}})
			if err != nil {
				t.Error(err)
				return nil
			}
			sealed, err := phone.Seal(plain)
			if err != nil {
				t.Error(err)
				return nil
			}
			return client.Post(listening, near.Address(), wire.NewFrame(wire.HeaderEpoch, sealed))
		})
	})
	a := &agentConn{d: d, resolved: make(chan struct{})}
	for i := range byte(3) {
		payload := sshwire.Userauth{SessionID: bytes.Repeat([]byte{i}, 32), User: "root", Method: sshwire.MethodPublicKey,
			Algorithm: sshwire.KeyEd25519, PublicKey: blob}.Marshal()
		if _, err := d.sign(t.Context(), sshagent.Request{Key: blob, Data: payload}, a); err != nil {
			t.Fatal(err)
		}
		tokens := <-brought
		if i == 0 && len(tokens) != 0 || i > 0 && (len(tokens) != 1 || tokens[0].Rule != "12" || tokens[0].Token != token.Token) {
			t.Errorf("request %d brings %d tokens", i, len(tokens))
		}
		for len(brought) > 0 {
			<-brought
		}
	}
	files := map[string][]byte{}
	read := func(when string) {
		filepath.WalkDir(d.cfg.Dir.Path(), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				files[when+" "+path], err = os.ReadFile(path)
				if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was being written, and is there by its name
					t.Error(err)
				}
			}
			return nil
		})
	}
	read("while it works:")
	d.close(end)
	deaf()
	phoneSide.Wait()
	read("after its end:")
	said.mu.Lock()
	files["log"] = said.b.Bytes()
	said.mu.Unlock()
	found := func(secret []byte) (where []string) {
		for name, b := range files {
			for _, spelling := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)[:40]} {
				if bytes.Contains(b, []byte(spelling)) {
					where = append(where, name)
				}
			}
		}
		return where
	}
	if where := found(token.Token[:]); len(where) != 0 {
		t.Errorf("the token is in %q", where)
	}
	if len(found(r.Own.Bytes())) == 0 || !bytes.Contains(files["log"], []byte("signature asked")) {
		t.Error("the search does not find what is there, so it proves nothing")
	}
}
