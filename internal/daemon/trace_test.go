package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"kryptonite/internal/control"
	"kryptonite/internal/session"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

// ways asks krd for the newest traces.
func ways(t *testing.T, d *Daemon, n string) (out control.Traces, size int) {
	t.Helper()
	w := httptest.NewRecorder()
	d.api().ServeHTTP(w, request("GET", "/v1/trace?n="+n, ""))
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
		t.Fatalf("%d, %v: %s", w.Code, err, w.Body)
	}
	return out, w.Body.Len()
}

// TestTracesAreBounded: the newest 32 are kept, with the names of then, and a reply
// has no more than fits.
func TestTracesAreBounded(t *testing.T) {
	d := newDaemon(t)
	login := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: sshwire.MethodPublicKey, Algorithm: sshwire.KeyEd25519, PublicKey: []byte("k")}.Marshal()
	for i := range maxTraces + 5 {
		tr := d.traces.begin(&phone{record: record{ID: "id", Name: fmt.Sprint("phone ", i)}}, login)
		tr.describe(wire.Reported{Program: "git push > ssh", Host: "server.example"})
		tr.sent(wire.ID{byte(i + 1)})
		tr.end(session.ErrNoAck)
	}
	got, _ := ways(t, d, "1000")
	if len(got.Traces) != maxTraces || got.Traces[0].Phone != "phone 5" || got.Traces[maxTraces-1].Phone != fmt.Sprint("phone ", maxTraces+4) {
		t.Fatalf("%d traces, the first %+v", len(got.Traces), got.Traces[0])
	}
	last := got.Traces[maxTraces-1]
	if last.Kind != control.KindLogin || last.User != "root" || last.Host != "server.example" || last.Outcome != control.OutcomeNoAnswer ||
		*last.Request != (wire.ID{maxTraces + 5}) || len(last.Steps) != 3 || last.Steps[2].Problem != session.ErrNoAck.Error() {
		t.Errorf("%+v", last)
	}
	if got, _ := ways(t, d, "2"); len(got.Traces) != 2 || got.Traces[1].Phone != last.Phone {
		t.Errorf("the newest two: %+v", got)
	}
	waits := d.traces.begin(&phone{}, []byte("neither"))
	for range 500 {
		waits.Mark(session.HopNotTaken, "relay", errors.New(strings.Repeat("\x01", 300)))
	}
	for _, tr := range d.traces.list {
		for range 500 {
			tr.Mark(session.HopNotTaken, "relay", errors.New(strings.Repeat("\x01", 300)))
		}
	}
	got, size := ways(t, d, "32")
	newest := got.Traces[len(got.Traces)-1]
	if size > 1<<20 || len(got.Traces) == maxTraces || newest.Outcome != "" || newest.Request != nil || newest.Dropped == 0 || newest.Kind != control.KindOther {
		t.Errorf("%d traces in %d bytes, the newest %+v", len(got.Traces), size, newest)
	}
}
