package e2e

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"kryptonite/internal/wake/webpush"
	"kryptonite/internal/wire"
)

// secondService is npm's web-push-testing, on loopback and a free port.
const secondService = `
const { PushApiModel } = require("web-push-testing/src/PushApiModel.js");
const Service = require("web-push-testing/src/server.js");
const service = new Service(new PushApiModel(), 0);
const listen = service._app.listen.bind(service._app);
service._app.listen = (port) => {
	const server = listen(port, "127.0.0.1", () => console.log("at http://127.0.0.1:" + server.address().port));
	return server;
};
service.startServer();
`

// TestPushSecondOpinion: a push service that others wrote takes our token and
// opens our encryption. It has no TLS; a proxy of ours has.
func TestPushSecondOpinion(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot()
	must(t, err)
	web := filepath.Join(root, "web")
	if _, err := os.Stat(filepath.Join(web, "node_modules", "web-push-testing")); err != nil && os.Getenv("CI") == "" {
		t.Skip("web-push-testing is missing; install it: cd web && npm ci")
	}
	script := filepath.Join(t.TempDir(), "service.cjs")
	must(t, os.WriteFile(script, []byte(secondService), 0o600))
	service, err := Start(append(os.Environ(), "NODE_PATH="+filepath.Join(web, "node_modules")), "node", script)
	must(t, err)
	t.Cleanup(func() { service.Stop(syscall.SIGKILL) })
	at, err := service.Await(`at (http://127\.0\.0\.1:[0-9]+)`)
	must(t, err)
	inner, err := url.Parse(at)
	must(t, err)
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(inner) }})
	t.Cleanup(front.Close)

	ask := func(path string, question, answer any) {
		t.Helper()
		body, err := json.Marshal(question)
		must(t, err)
		resp, err := http.Post(at+path, "application/json", bytes.NewReader(body))
		must(t, err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", path, resp.Status)
		}
		if answer != nil {
			must(t, json.NewDecoder(resp.Body).Decode(answer))
		}
	}
	vapid, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	var made struct {
		Data struct {
			ClientHash string
			Keys       struct{ P256dh, Auth string }
		}
	}
	ask("/subscribe", map[string]string{"userVisibleOnly": "true", "applicationServerKey": base64.RawURLEncoding.EncodeToString(vapid.PublicKey().Bytes())}, &made)
	to := wire.Push{Endpoint: front.URL + "/notify/" + made.Data.ClientHash, VAPID: vapid.Bytes()}
	to.P256dh, err = base64.RawURLEncoding.DecodeString(made.Data.Keys.P256dh)
	must(t, err)
	to.Auth, err = base64.RawURLEncoding.DecodeString(made.Data.Keys.Auth)
	must(t, err)

	roots := x509.NewCertPool()
	roots.AddCert(front.Certificate())
	c := webpush.NewClient(webpush.Options{Local: true, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	t.Cleanup(c.Close)
	w, err := c.Waker(to, "https://kr.example.com")
	must(t, err)
	frame := bytes.Repeat([]byte{0xff, 0, 0x80}, webpush.MaxFrame/3)
	must(t, w.Wake(t.Context(), wire.ID{1}, frame, time.Minute))
	var got struct{ Data struct{ Messages []string } }
	ask("/get-notifications", map[string]string{"clientHash": made.Data.ClientHash}, &got)
	if all := got.Data.Messages; len(all) != 1 || all[0] != base64.StdEncoding.EncodeToString(frame) {
		t.Errorf("the second service opened %d messages: %.60q", len(all), all)
	}
	ask("/expire-subscription/"+made.Data.ClientHash, map[string]string{}, nil)
	if err := w.Wake(t.Context(), wire.ID{2}, frame, time.Minute); !errors.Is(err, webpush.ErrGone) {
		t.Errorf("after its end: %v", err)
	}

	other, err := ecdh.P256().GenerateKey(rand.Reader) // it does look at tokens
	must(t, err)
	ask("/subscribe", map[string]string{"applicationServerKey": base64.RawURLEncoding.EncodeToString(other.PublicKey().Bytes())}, &made)
	to.Endpoint = front.URL + "/notify/" + made.Data.ClientHash
	w, err = c.Waker(to, "https://kr.example.com")
	must(t, err)
	var refused *webpush.StatusError
	if err := w.Wake(t.Context(), wire.ID{3}, frame, time.Minute); !errors.As(err, &refused) {
		t.Errorf("a token by another key: %v", err)
	}
}
