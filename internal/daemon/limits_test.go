package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"kryptonite/internal/asker"
	"kryptonite/internal/control"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshname"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// limitedKrd is krd with two phones; the first key of the first is limited.
func limitedKrd(t *testing.T) (d *Daemon, key []byte) {
	t.Helper()
	d = newDaemon(t)
	d.limits.open(d.cfg.Dir, d.cfg.Log)
	ana, bo := newRecord(t), newRecord(t)
	ana.Keys = []wire.SSHKey{sshKey(1, "work"), sshKey(2, "default")}
	bo.Name, bo.Paired, bo.Keys = "bo", ana.Paired.Add(1), []wire.SSHKey{sshKey(3, "default")}
	working(t, d, ana, bo)
	key = ana.Keys[0].PublicKey
	if code, text := limit(t, d, sshwire.Fingerprint(key), "github.com", "*.corp"); code != http.StatusOK {
		t.Fatal(text)
	}
	return d, key
}

// limit asks krd as kr does.
func limit(t *testing.T, d *Daemon, key string, hosts ...string) (code int, text string) {
	t.Helper()
	body, err := json.Marshal(control.LimitRequest{Key: key, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	d.api().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://krd/v1/limit", bytes.NewReader(body)))
	return w.Code, w.Body.String()
}

// at is a connection of an ssh whose destination is known; "" if it is not.
func at(t *testing.T, d *Daemon, host string) *agentConn {
	a := &agentConn{d: d, resolved: make(chan struct{}), life: t.Context()}
	a.once.Do(func() {})
	a.local.Store(true)
	a.host = sshname.Answer{Host: host, Port: 22}
	close(a.resolved)
	return a
}

func names(keys []sshagent.Key) (out []string) {
	for _, k := range keys {
		out = append(out, k.Comment)
	}
	return out
}

// TestLimitedKey is offered to its hosts; elsewhere the phone's next key is first.
func TestLimitedKey(t *testing.T) {
	d, _ := limitedKrd(t)
	all, without := []string{"ana work", "bo", "ana"}, []string{"ana", "bo"}
	forwarded := at(t, d, "github.com")
	forwarded.local.Store(false)
	for _, c := range []struct {
		what string
		a    *agentConn
		want []string
	}{
		{"a host of the list", at(t, d, "github.com"), all},
		{"one by a pattern", at(t, d, "git.corp"), all},
		{"another host", at(t, d, "server.example"), without},
		{"an unknown host", at(t, d, ""), without},
		{"a forwarded or old client", forwarded, without},
		{"a program that is no ssh", &agentConn{d: d, resolved: make(chan struct{}), life: t.Context(), asker: asker.At(os.Getpid())}, without},
		{"ssh-add", &agentConn{d: d, resolved: make(chan struct{}), life: t.Context(), asker: played(t, "9.2", "ssh-add")}, all},
		{"ssh-keygen", &agentConn{d: d, resolved: make(chan struct{}), life: t.Context(), asker: played(t, "9.2", "ssh-keygen")}, all},
	} {
		if got := names(c.a.Keys()); !slices.Equal(got, c.want) {
			t.Errorf("%s: offered are %q, want %q", c.what, got, c.want)
		}
	}
}

// TestLimitedKeySignsNoOtherLogin: also for a client that remembers the key.
func TestLimitedKeySignsNoOtherLogin(t *testing.T) {
	d, key := limitedKrd(t)
	login := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: sshwire.MethodPublicKey, Algorithm: sshwire.KeyEd25519, PublicKey: key}.Marshal()
	file := sshwire.SSHSIG{Namespace: "git", Hash: "sha512", Digest: make([]byte, 64)}.Marshal()
	other := sshKey(2, "").PublicKey
	for _, c := range []struct {
		what, host string
		key, data  []byte
		want       error
	}{
		{"a login elsewhere", "server.example", key, login, errElsewhere},
		{"a login, who knows where", "", key, login, errElsewhere},
		{"neither login nor file", "server.example", key, []byte("x"), errElsewhere},
		{"a login there", "git.corp", key, login, nil},
		{"a file", "", key, file, nil},
		{"another key", "server.example", other, login, nil},
	} {
		a := at(t, d, c.host)
		if err := a.withinLimit(a.destination(t.Context()), sshagent.Request{Key: c.key, Data: c.data}); err != c.want {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	if _, err := d.sign(t.Context(), sshagent.Request{Key: key, Data: login}, at(t, d, "server.example")); !errors.Is(err, errElsewhere) {
		t.Errorf("krd signs: %v", err)
	}
}

// TestLimitsLast: over a restart, until they are ended, or the key is gone.
func TestLimitsLast(t *testing.T) {
	d, key := limitedKrd(t)
	fp := sshwire.Fingerprint(key)
	var again limits
	again.open(d.cfg.Dir, d.cfg.Log)
	if got, ok := again.of(key); !ok || got.String() != "github.com,*.corp" {
		t.Errorf("after a restart: %q, %v", got, ok)
	}
	if k := d.describe(d.list()[0]).Keys[0]; k.Fingerprint != fp || !slices.Equal(k.Hosts, []string{"github.com", "*.corp"}) {
		t.Errorf("kr sees %+v", k)
	}
	for _, c := range []struct {
		key, hosts string
		code       int
		say        string
	}{
		{fp, "a b", http.StatusBadRequest, "no pattern"},
		{fp, "!a", http.StatusBadRequest, "which hosts are meant"},
		{"SHA256:nobody", "a", http.StatusNotFound, "no paired phone"},
	} {
		if code, text := limit(t, d, c.key, c.hosts); code != c.code || !strings.Contains(text, c.say) {
			t.Errorf("limit %s to %q: %d, %s", c.key, c.hosts, code, text)
		}
	}
	if _, ok := d.limits.of(key); !ok {
		t.Error("a mistake ended the limit")
	}
	if err := d.keysTold(d.list()[0], 9, []wire.SSHKey{sshKey(2, "default")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if code, text := limit(t, d, sshwire.Fingerprint(sshKey(3, "").PublicKey), "x"); code != http.StatusOK {
		t.Error(text)
	}
	if code, text := limit(t, d, sshwire.Fingerprint(sshKey(3, "").PublicKey)); code != http.StatusOK {
		t.Error(text)
	}
	again.open(d.cfg.Dir, d.cfg.Log)
	if len(again.only) != 0 {
		t.Errorf("left are %v", again.only)
	}
}

// TestDamagedLimits limit nothing, and krd says so.
func TestDamagedLimits(t *testing.T) {
	d, key := limitedKrd(t)
	fp := sshwire.Fingerprint(key)
	for _, file := range []string{`{`, `{"version":1,"data":{"` + fp + `":["a b"]}}`, `{"version":1,"data":{"` + fp + `":[]}}`} {
		if err := os.WriteFile(d.cfg.Dir.Path(limitsFile), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		var l limits
		l.open(d.cfg.Dir, slog.New(slog.NewTextHandler(&out, nil)))
		if _, ok := l.of(key); ok || !strings.Contains(out.String(), "kr key limit") {
			t.Errorf("%s: limited %v, krd says %q", file, ok, out.String())
		}
	}
}

// TestLimitsOfANewerKrd limit nothing, and are left alone.
func TestLimitsOfANewerKrd(t *testing.T) {
	d, key := limitedKrd(t)
	newer := []byte(`{"version":2,"data":"another shape"}`)
	if err := d.cfg.Dir.WriteFile(limitsFile, newer); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d.limits.open(d.cfg.Dir, slog.New(slog.NewTextHandler(&out, nil)))
	if _, ok := d.limits.of(key); ok || !strings.Contains(out.String(), "a newer krd knows") {
		t.Errorf("limited %v, krd says %q", ok, out.String())
	}
	for _, hosts := range [][]string{{"github.com"}, nil} {
		if code, text := limit(t, d, sshwire.Fingerprint(key), hosts...); code != http.StatusInternalServerError || !strings.Contains(text, string(control.CodeNewer)) {
			t.Errorf("limit to %q: %d, %s", hosts, code, text)
		}
	}
	if b, err := d.cfg.Dir.ReadFile(limitsFile); err != nil || !bytes.Equal(b, newer) {
		t.Errorf("the file holds %s, %v", b, err)
	}
}
