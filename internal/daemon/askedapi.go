package daemon

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/session"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/wire"
)

const (
	maxText     = 256       // bytes of a text in an entry
	maxLogReply = 512 << 10 // bytes of entries in one reply
)

// witness watches the log of one phone for its session.
type witness struct {
	d       *Daemon
	pairing string
}

// Ask is called before a request goes out.
func (w witness) Ask() auditlog.Ticket { return w.d.asked.ask(w.pairing) }

// Answer is called with each answer.
func (w witness) Answer(t auditlog.Ticket, m auditlog.Mark) {
	f := w.d.asked.answer(w.pairing, t, m, fault.Now())
	if f == nil {
		return
	}
	w.d.cfg.Log.Warn(f.String(), "pairing", w.pairing, "before", f.Before, "now", f.Now)
	w.d.bg.Go(w.d.asked.flush)
}

// keepAsked writes down, in the background, what was asked and what came of it. host
// is where ssh said that it logs in, if that is known.
func (d *Daemon) keepAsked(p *phone, key string, payload []byte, host string, r session.Report, took time.Duration, err error) {
	if r.Request == (wire.ID{}) {
		return // nothing went out
	}
	e := control.LogEntry{Time: fault.Now().Add(-took).Round(0).Truncate(time.Millisecond), Pairing: p.ID, Phone: p.Name, Request: r.Request,
		Key: key, TookMS: took.Milliseconds()}
	e.Outcome, e.Reason = outcome(err)
	describePayload(&e, payload)
	if e.Kind == control.KindLogin {
		e.Host = host
	}
	if r.Told {
		e.LogLength, e.LogHead = r.Log.Length, r.Log.Head.String()
	}
	d.bg.Go(func() { d.asked.add(e) })
}

// describePayload fills in what the bytes to be signed say.
func describePayload(e *control.LogEntry, payload []byte) {
	e.Kind = control.KindOther
	if u, err := sshwire.ParseUserauth(payload); err == nil {
		e.Kind, e.User = control.KindLogin, limited(u.User)
		if key, err := sshwire.ParsePublicKey(u.HostKey); err == nil {
			e.HostKey = key.Fingerprint()
		}
	} else if s, err := sshwire.ParseSSHSIG(payload); err == nil {
		e.Kind, e.Namespace = control.KindSignature, limited(s.Namespace)
	}
}

// limited is s with whole characters only, and not without end.
func limited(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// outcome is what became of a request that ended with err, and the phone's
// reason.
func outcome(err error) (control.Outcome, string) {
	refused := new(session.RefusedError)
	switch {
	case err == nil:
		return control.OutcomeAllowed, ""
	case errors.As(err, &refused):
		return control.OutcomeRefused, limited(refused.Reason)
	case errors.Is(err, session.ErrDenied):
		return control.OutcomeRejected, ""
	case errors.Is(err, session.ErrLocked):
		return control.OutcomeRefused, err.Error()
	case errors.Is(err, session.ErrTimeout):
		return control.OutcomeExpired, ""
	case errors.Is(err, session.ErrNoAck):
		return control.OutcomeNoAnswer, ""
	case errors.Is(err, session.ErrSkew):
		return control.OutcomeSkew, ""
	case errors.Is(err, session.ErrUnpaired), errors.Is(err, session.ErrEnded):
		return control.OutcomeUnpaired, ""
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return control.OutcomeWithdrawn, ""
	}
	return control.OutcomeWithdrawn, limited(err.Error())
}

// handleLog answers with the newest entries, oldest first: at most n (0: all)
// before the entry number "before" (0: the newest), of one phone or of all, and
// not more than fit into a reply.
func (d *Daemon) handleLog(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	n, err1 := number(q.Get("n"))
	before, err2 := number(q.Get("before"))
	if err := errors.Join(err1, err2); err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeBadRequest, Text: "n and before are numbers"})
		return
	}
	out := d.asked.page(q.Get("phone"), before, n)
	if name := q.Get("phone"); name != "" && len(out.Entries) == 0 {
		if _, err := d.find(name); err != nil {
			fail(w, http.StatusNotFound, asError(err))
			return
		}
	}
	reply(w, out)
}

func number(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseUint(s, 10, 63)
}

// page is one reply to handleLog. Phones that are not paired any more can be
// named, too.
func (l *askedLog) page(phone string, before, n uint64) control.Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := control.Log{SchemaVersion: control.SchemaVersion, Entries: []control.LogEntry{}}
	size := 0
	for i := len(l.entries) - 1; i >= 0; i-- {
		e := l.entries[i]
		if before != 0 && e.Seq >= before || phone != "" && e.Pairing != phone && !strings.EqualFold(e.Phone, phone) {
			continue
		}
		if n != 0 && uint64(len(out.Entries)) == n {
			break
		}
		if size += len(encoded(e)); size > maxLogReply {
			out.More = true
			break
		}
		out.Entries = append(out.Entries, e)
	}
	slices.Reverse(out.Entries)
	return out
}

// handleAccept takes what was found of a phone's log for known.
func (d *Daemon) handleAccept(w http.ResponseWriter, req *http.Request) {
	var in control.AcceptLog
	if !decode(w, req, &in) {
		return
	}
	p, err := d.find(in.Phone)
	if err != nil {
		fail(w, http.StatusNotFound, asError(err))
		return
	}
	n, err := d.asked.accept(p.ID)
	if err != nil {
		fail(w, http.StatusInternalServerError, asError(err))
		return
	}
	d.cfg.Log.Info("what was found of the phone's log is accepted", "pairing", p.ID, "findings", n)
	reply(w, control.LogAccepted{Findings: n})
}

// pairingIDs are the pairings on disk, also those that this krd cannot read.
func (d *Daemon) pairingIDs() (ids []string) {
	names, err := d.cfg.Dir.List(pairingDir)
	if err != nil {
		d.cfg.Log.Warn("pairings cannot be listed", "err", err)
	}
	for _, n := range names {
		id, _, _ := strings.Cut(n, ".")
		ids = append(ids, id)
	}
	return ids
}
