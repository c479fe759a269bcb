package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/control"
	snsowner "kryptonite/internal/wake/sns/owner"
	"kryptonite/internal/wake/sns/snstest"
	"kryptonite/internal/wire"
)

// snsRig is krd with an account, and a phone whose app has told no token yet.
type snsRig struct {
	*snstest.Server
	t    *testing.T
	d    *Daemon
	said buffer
	url  string
	app  string
	end  context.CancelFunc
}

func newSNSRig(t *testing.T) *snsRig {
	t.Helper()
	awstest.Settings(t)
	s, url := snstest.New(t)
	r := &snsRig{Server: s, t: t, d: newDaemon(t), url: url, app: s.Application(wire.PlatformGCM, "kryptonite")}
	r.d.cfg.Log = slog.New(slog.NewTextHandler(&r.said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.start()
	t.Cleanup(func() { r.d.close(r.end) })
	r.set(control.SNS{Applications: []string{r.app}, Endpoint: url})
	return r
}

// start begins a run with what is on disk.
func (r *snsRig) start() {
	r.t.Helper()
	r.d.life, r.end = context.WithCancel(context.Background())
	r.d.phones = map[string]*phone{}
	for _, load := range []func() error{r.d.loadSNS, r.d.loadPhones, r.d.loadEndpoints} {
		if err := load(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// again ends the run, and begins another.
func (r *snsRig) again() {
	r.t.Helper()
	r.d.close(r.end)
	r.start()
}

func (r *snsRig) set(how control.SNS) {
	r.t.Helper()
	b, err := json.Marshal(how)
	if err != nil {
		r.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.d.handleSetSNS(w, httptest.NewRequest(http.MethodPost, "/v1/sns", bytes.NewReader(b)))
	if w.Code != http.StatusOK {
		r.t.Fatalf("set: %d %s", w.Code, w.Body)
	}
}

// pair adds a phone whose app has a token.
func (r *snsRig) pair(token string) *phone {
	r.t.Helper()
	rec := newRecord(r.t)
	rec.PushToken = &wire.PushToken{Platform: wire.PlatformGCM, Token: token}
	store(r.t, r.d, rec)
	if err := r.d.startPhone(rec, nil, 0); err != nil {
		r.t.Fatal(err)
	}
	return r.d.phones[rec.ID]
}

// until waits for what goes on in the background.
func (r *snsRig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not yet: %s\n%s", what, r.said.String())
		}
	}
}

func (r *snsRig) endpoints(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d endpoints, and none that is to be deleted", n), func() bool {
		left, err := os.ReadDir(r.d.cfg.Dir.Path(endpointDir))
		return len(r.Endpoints()) == n && (errors.Is(err, fs.ErrNotExist) || err == nil && len(left) == 0)
	})
}

func (r *snsRig) state(p *phone, want control.PushState) {
	r.t.Helper()
	r.until("state "+string(want), func() bool { return p.describeSNS().State == want })
}

func (r *snsRig) wake(p *phone) error {
	_, err := bell{r.d, p}.Wake(r.t.Context(), wire.ID{1}, []byte("sealed"), time.Minute)
	return err
}

// unpair ends a pairing as the phone does.
func (r *snsRig) unpair(p *phone) {
	r.t.Helper()
	if err := r.d.phoneLeft(p); err != nil {
		r.t.Fatal(err)
	}
}

// TestSharedEndpoint: two pairings with one phone have one endpoint, which goes with
// the last of them.
func TestSharedEndpoint(t *testing.T) {
	r := newSNSRig(t)
	device := r.Install(wire.PlatformGCM, "token-of-ana")
	ana, again := r.pair("token-of-ana"), r.pair("token-of-ana")
	for _, p := range []*phone{ana, again} {
		if err := r.wake(p); err != nil {
			t.Fatal(err)
		}
		<-device.Got()
		r.state(p, control.PushYes)
	}
	r.endpoints(1)
	r.unpair(ana)
	r.endpoints(1)
	if err := r.wake(again); err != nil {
		t.Fatal(err)
	}
	<-device.Got()
	r.unpair(again)
	r.endpoints(0)
	if strings.Contains(r.said.String(), "token-of-ana") {
		t.Error("the token was logged")
	}
}

// TestSettingsChange for phones that are paired: at once, and the endpoints of
// before are deleted.
func TestSettingsChange(t *testing.T) {
	r := newSNSRig(t)
	device := r.Install(wire.PlatformGCM, "token-of-ana")
	p := r.pair("token-of-ana")
	r.endpoints(1)
	other := r.Application(wire.PlatformGCM, "other")
	r.set(control.SNS{Applications: []string{other}, Endpoint: r.url})
	r.until("one endpoint, of the other application", func() bool {
		all := r.Endpoints()
		return len(all) == 1 && strings.Contains(all[0], "/other/")
	})
	if err := r.wake(p); err != nil {
		t.Fatal(err)
	}
	<-device.Got()
	n := len(r.Calls())
	r.set(control.SNS{Applications: []string{other}, Endpoint: r.url + "/"}) // another way there
	if err := r.wake(p); err != nil || p.SNS.URL != r.url+"/" {
		t.Fatal(err)
	}
	<-device.Got()
	if all := r.Calls()[n:]; len(all) != 1 {
		t.Errorf("another way to the same endpoint: %+v", all)
	}
	r.set(control.SNS{Applications: []string{r.Application(wire.PlatformAPNS, "x")}, Endpoint: r.url})
	r.endpoints(0)
	if st := p.describeSNS(); st.State != control.PushFailing || !strings.Contains(st.LastError, "GCM") {
		t.Errorf("no application for the platform: %+v", st)
	}
	r.again()
	if s := r.d.sns.Load(); s == nil || len(s.apps) != 1 {
		t.Error("the settings are not durable")
	}
	r.set(control.SNS{})
	p = r.d.phones[p.ID]
	if r.d.sns.Load() != nil || p.describeSNS().State != control.PushNone || r.wake(p) != nil {
		t.Error("SNS is still used")
	}
	r.again()
	if r.d.sns.Load() != nil {
		t.Error("after a new start SNS is used again")
	}
}

// TestEndpointIsDurable: a new run uses the endpoint, and finds it when krd died
// before it heard its name.
func TestEndpointIsDurable(t *testing.T) {
	r := newSNSRig(t)
	p := r.pair("token-of-ana")
	r.endpoints(1)
	r.until("it is kept", func() bool { p.list.mu.Lock(); defer p.list.mu.Unlock(); return p.SNS != nil && p.SNS.ARN != "" })
	device := r.Install(wire.PlatformGCM, "token-of-ana")
	r.until("it is ready", func() bool { all := r.Calls(); return all[len(all)-1].Op == "SetEndpointAttributes" })
	n := len(r.Calls())
	r.again()
	p = r.d.phones[p.ID]
	if err := r.wake(p); err != nil {
		t.Fatal(err)
	}
	<-device.Got()
	if all := r.Calls()[n:]; len(all) != 1 {
		t.Errorf("a push after a start takes %+v", all)
	}
	r.d.close(r.end)
	rec := p.record
	rec.SNS.ARN = ""
	store(t, r.d, rec)
	r.start()
	p = r.d.phones[p.ID]
	r.until("it is found again", func() bool { p.list.mu.Lock(); defer p.list.mu.Unlock(); return p.SNS.ARN == r.Endpoints()[0] })
	r.unpair(p)
	r.endpoints(0)
}

// TestFailedUnpair: a pairing that could not be ended goes on to be woken, and ends
// with the next try.
func TestFailedUnpair(t *testing.T) {
	r := newSNSRig(t)
	device := r.Install(wire.PlatformGCM, "token-of-ana")
	p := r.pair("token-of-ana")
	r.until("it is kept", func() bool { p.list.mu.Lock(); defer p.list.mu.Unlock(); return p.SNS != nil && p.SNS.ARN != "" })
	for _, dir := range []string{endpointDir, farewellDir} { // a file in its place, as on a disk that takes no more
		at := r.d.cfg.Dir.Path(dir)
		if err := errors.Join(os.RemoveAll(at), os.WriteFile(at, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.d.unpair(t.Context(), p); err == nil {
			t.Fatalf("unpaired without %s", dir)
		}
		if dir == endpointDir {
			if err := r.d.phoneLeft(p); err == nil {
				t.Fatalf("the phone left without %s", dir)
			}
		}
		if err := r.wake(p); err != nil {
			t.Fatal(err)
		}
		select {
		case <-device.Got():
		case <-time.After(20 * time.Second):
			t.Fatalf("after a failure at %s it is not woken", dir)
		}
		r.state(p, control.PushYes)
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
	}
	r.unpair(p)
	r.endpoints(0)
}

// TestSettingsOfANewerKrd: SNS is not used, and they are left alone.
func TestSettingsOfANewerKrd(t *testing.T) {
	r := newSNSRig(t)
	newer := []byte(`{"version":2,"data":{"applications":"another shape"}}`)
	if err := r.d.cfg.Dir.WriteFile(snsFile, newer); err != nil {
		t.Fatal(err)
	}
	r.d.sns.Store(nil)
	r.again()
	if r.d.sns.Load() != nil || !strings.Contains(r.said.String(), "a newer krd knows") {
		t.Errorf("used are %+v; krd says %s", r.d.sns.Load(), r.said.String())
	}
	for _, how := range []string{`{"platform_applications":["` + r.app + `"],"endpoint":"` + r.url + `"}`, `{}`} {
		w := httptest.NewRecorder()
		r.d.api().ServeHTTP(w, request(http.MethodPost, "/v1/sns", how))
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), string(control.CodeNewer)) {
			t.Errorf("%s: %d %s", how, w.Code, w.Body)
		}
	}
	if b, err := r.d.cfg.Dir.ReadFile(snsFile); err != nil || !bytes.Equal(b, newer) {
		t.Errorf("the file holds %s, %v", b, err)
	}
}

// TestLeftEndpoints: SNS cannot be reached when a phone leaves; a later run deletes
// its endpoint. Files that are none are left alone, and named.
func TestLeftEndpoints(t *testing.T) {
	r := newSNSRig(t)
	p := r.pair("token-of-ana")
	r.endpoints(1)
	r.until("it is kept", func() bool { p.list.mu.Lock(); defer p.list.mu.Unlock(); return p.SNS != nil && p.SNS.ARN != "" })
	r.Fail(func(snstest.Call) *snstest.Fault { return new(snstest.Fault) })
	r.unpair(p)
	r.until("it is tried", func() bool { return strings.Contains(r.said.String(), "an endpoint is not deleted yet") })
	if len(r.Endpoints()) != 1 {
		t.Fatal("it is gone")
	}
	r.d.close(r.end)
	r.Fail(nil)
	for name, l := range map[string]ended{"none.json": {}, "other.json": {Endpoint: &endpoint{Endpoint: snsowner.Endpoint{Application: r.app, Device: wire.PushToken{Platform: wire.PlatformGCM, Token: "x"}}}}} {
		if err := r.d.cfg.Dir.WriteJSON(endpointDir+"/"+name, recordVersion, l); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.d.cfg.Dir.WriteFile(endpointDir+"/damaged.json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("it is deleted", func() bool {
		left, err := r.d.cfg.Dir.List(endpointDir)
		return err == nil && len(left) == 3 && len(r.Endpoints()) == 0
	})
	for _, name := range []string{"none.json", "other.json", "damaged.json"} {
		if !strings.Contains(r.said.String(), name) {
			t.Errorf("the log does not name %s", name)
		}
	}
}
