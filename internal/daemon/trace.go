package daemon

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/session"
	"kryptonite/internal/wire"
)

const maxTraces = 32 // requests whose way is kept, the newest

// traces are the ways of the newest requests. They are in memory only. The zero
// value is empty; it is safe for concurrent use.
type traces struct {
	mu   sync.Mutex
	list []*traced // oldest first
}

// traced is one request and its way. Its methods are safe for concurrent use.
type traced struct {
	*session.Trace

	mu    sync.Mutex
	about control.Trace // without steps
}

// begin is when ssh asks p for a signature.
func (ts *traces) begin(p *phone, payload []byte) *traced {
	var e control.LogEntry
	describePayload(&e, payload)
	t := &traced{Trace: session.NewTrace(fault.Now)}
	t.about = control.Trace{Time: t.Began().Round(0).Truncate(time.Millisecond), Pairing: p.ID, Phone: p.Name, Kind: e.Kind, User: e.User, Namespace: e.Namespace}
	t.Mark(session.HopAsked, "", nil)
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.list) == maxTraces {
		ts.list = slices.Delete(ts.list, 0, 1)
	}
	ts.list = append(ts.list, t)
	return t
}

// describe notes who asks and for which host.
func (t *traced) describe(r wire.Reported) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.about.Program, t.about.Host = r.Program, r.Host
	t.Mark(session.HopDescribed, "", nil)
}

// sent notes the id of the last try; zero: nothing went out.
func (t *traced) sent(id wire.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != (wire.ID{}) {
		t.about.Request = &id
	}
}

// end notes what became of the request.
func (t *traced) end(err error) {
	if err != nil {
		t.Mark(session.HopEnded, "", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.about.Outcome, t.about.Reason = outcome(err)
	t.about.TookMS = inMS(fault.Now().Sub(t.Began()))
}

func inMS(d time.Duration) float64 { return float64(max(0, d).Microseconds()) / 1000 }

// report is the trace as it is now.
func (t *traced) report() control.Trace {
	steps, dropped := t.Steps()
	t.mu.Lock()
	out := t.about
	t.mu.Unlock()
	out.Steps, out.Dropped = make([]control.TraceStep, 0, len(steps)), dropped
	for _, s := range steps {
		out.Steps = append(out.Steps, control.TraceStep{AtMS: inMS(s.At), Hop: string(s.Hop), Via: s.Via, PhoneTime: s.Phone, Problem: s.Problem})
	}
	return out
}

// newest are the newest n traces, oldest first, not more than fit into a reply.
func (ts *traces) newest(n uint64) control.Traces {
	ts.mu.Lock()
	list := slices.Clone(ts.list)
	ts.mu.Unlock()
	out := control.Traces{SchemaVersion: control.SchemaVersion, Traces: []control.Trace{}}
	size := 0
	for _, t := range slices.Backward(list) {
		r := t.report()
		if size += len(encoded(r)); uint64(len(out.Traces)) == n || size > maxLogReply {
			break
		}
		out.Traces = append(out.Traces, r)
	}
	slices.Reverse(out.Traces)
	return out
}

// handleTrace answers with the newest n traces.
func (d *Daemon) handleTrace(w http.ResponseWriter, req *http.Request) {
	n, err := number(req.URL.Query().Get("n"))
	if err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeBadRequest, Text: "n is a number"})
		return
	}
	reply(w, d.traces.newest(n))
}
