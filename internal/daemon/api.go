package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"

	"kryptonite/internal/control"
	"kryptonite/internal/mailbox"
	"kryptonite/internal/statedir"
)

const (
	maxRequest = 64 << 10 // bytes of a local API request
	maxName    = 64       // runes of a computer's or phone's name
)

// api is the control socket's handler.
func (d *Daemon) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) { reply(w, d.status(r.Context())) })
	mux.HandleFunc("POST /v1/pair", d.handlePair)
	mux.HandleFunc("POST /v1/pair/answer", d.handleAnswer)
	mux.HandleFunc("POST /v1/unpair", d.handleUnpair)
	mux.HandleFunc("POST /v1/relay/add", d.handleAddRelay)
	mux.HandleFunc("POST /v1/relay/remove", d.handleRemoveRelay)
	mux.HandleFunc("POST /v1/sqs/add", d.handleAddSQS)
	mux.HandleFunc("POST /v1/sqs/remove", d.handleRemoveSQS)
	mux.HandleFunc("POST /v1/sqs/check", d.handleCheckSQS)
	mux.HandleFunc("POST /v1/bluetooth/add", d.handleAddBluetooth)
	mux.HandleFunc("POST /v1/bluetooth/remove", d.handleRemoveBluetooth)
	mux.HandleFunc("POST /v1/sns", d.handleSetSNS)
	mux.HandleFunc("POST /v1/sns/check", d.handleCheckSNS)
	mux.HandleFunc("POST /v1/limit", d.handleLimit)
	mux.HandleFunc("GET /v1/log", d.handleLog)
	mux.HandleFunc("POST /v1/log/accept", d.handleAccept)
	mux.HandleFunc("GET /v1/trace", d.handleTrace)
	mux.HandleFunc("POST /v1/stop", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, struct{}{})
		d.stop(ErrStopped)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" || r.Host != "krd" {
			fail(w, http.StatusForbidden, &control.Error{Code: control.CodeBadRequest, Text: "krd does not talk to web pages"})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		d.bg.Add(1) // what a handler leaves to do is waited for with it
		defer d.bg.Done()
		mux.ServeHTTP(w, r)
	})
}

func (d *Daemon) status(ctx context.Context) control.Status {
	st := control.Status{
		SchemaVersion: control.SchemaVersion, Version: d.cfg.Version, PID: os.Getpid(),
		Started: d.started, AgentSocket: d.cfg.Dir.Path(control.AgentSocket), OtherAgent: d.other.describe(ctx),
		Phones: []control.Phone{},
	}
	for _, p := range d.list() {
		described := d.describe(p)
		described.Log = d.asked.state(p.ID)
		st.Phones = append(st.Phones, described)
	}
	if s := d.sns.Load(); s != nil {
		st.SNS = &s.SNS
	}
	st.Untold = d.untold()
	return st
}

// handlePair runs one pairing for as long as kr listens.
func (d *Daemon) handlePair(w http.ResponseWriter, req *http.Request) {
	var in control.PairRequest
	if !decode(w, req, &in) {
		return
	}
	relay, err1 := in.Relay, error(nil)
	if relay != "" || in.SQS == nil && !in.Bluetooth {
		relay, err1 = mailbox.CanonicalOrigin(in.Relay)
	}
	app, err2 := mailbox.CanonicalOrigin(in.App)
	if err := errors.Join(err1, err2); err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeBadRequest, Text: err.Error()})
		return
	}
	in.Relay, in.App = relay, app
	in.Name = phoneName(in.Name)
	out := http.NewResponseController(w)
	emit := func(ev control.PairEvent) error {
		if err := json.NewEncoder(w).Encode(ev); err != nil {
			return err
		}
		return out.Flush()
	}
	run := &pairRun{d: d, req: in, emit: emit, question: newQuestion()}
	if !d.beginPair(run) {
		fail(w, http.StatusConflict, &control.Error{Code: control.CodeBusy, Text: "another kr pair is running"})
		return
	}
	defer d.endPair()
	p, err := run.run(req.Context())
	if err != nil {
		d.cfg.Log.Info("pairing failed", "err", err)
		if req.Context().Err() != nil {
			return // krd ends, and kr knows what a stream without an end means; or kr has left
		}
		emit(control.PairEvent{Error: asError(err)})
		return
	}
	described := d.describe(p)
	emit(control.PairEvent{Phone: &described})
}

func (d *Daemon) beginPair(r *pairRun) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pair != nil {
		return false
	}
	d.pair = r
	return true
}

func (d *Daemon) endPair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pair = nil
}

func (d *Daemon) handleUnpair(w http.ResponseWriter, req *http.Request) {
	var in control.UnpairRequest
	if !decode(w, req, &in) {
		return
	}
	p, err := d.find(in.Phone)
	if err != nil {
		fail(w, http.StatusNotFound, asError(err))
		return
	}
	out := control.Unpaired{Phone: d.describe(p)}
	if out.Told, err = d.unpair(context.WithoutCancel(req.Context()), p); err != nil {
		fail(w, http.StatusInternalServerError, asError(err))
		return
	}
	reply(w, out)
}

func decode(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeBadRequest, Text: "the request cannot be read"})
		return false
	}
	return true
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // a client that left is no fault of ours
}

func fail(w http.ResponseWriter, status int, e *control.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(e)
}

func asError(err error) *control.Error {
	if e := new(control.Error); errors.As(err, &e) {
		return e
	}
	if errors.As(err, new(*statedir.VersionError)) {
		return &control.Error{Code: control.CodeNewer, Text: err.Error()}
	}
	return &control.Error{Code: control.CodeInternal, Text: err.Error()}
}

// phoneName bounds a name from outside; who shows it cleans it.
func phoneName(s string) string {
	r := []rune(strings.ToValidUTF8(strings.TrimSpace(s), "\ufffd"))
	if len(r) == 0 {
		return "phone"
	}
	return string(r[:min(len(r), maxName)])
}
