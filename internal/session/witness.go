package session

import (
	"kryptonite/internal/auditlog"
	"kryptonite/internal/wire"
)

// Witness watches the phone's log, which each answer tells; see auditlog.Watch.
// Its methods are called by many goroutines and must not block.
type Witness interface {
	// Ask is called before a request goes out.
	Ask() auditlog.Ticket
	// Answer is called with what an answer to that request says.
	Answer(auditlog.Ticket, auditlog.Mark)
}

// Report is what is worth writing down about a request, besides its outcome.
type Report struct {
	Request wire.ID       // of the last try; zero: nothing was asked
	Log     auditlog.Mark // of the phone's log, as the last answer told it
	Told    bool          // Log is known
}

// begin is called before the request goes out.
func (r *request) begin(report *Report) {
	if r.report = report; report != nil {
		*report = Report{Request: r.id}
	}
	if w := r.s.cfg.Witness; w != nil {
		r.ticket = w.Ask()
	}
}

// saw takes note of how the phone's log ends. resp is nil after an unpair.
func (r *request) saw(resp *wire.Response) {
	if resp == nil {
		return
	}
	mark, ok := auditlog.MarkOf(resp.LogLength, resp.LogHead)
	if !ok {
		return
	}
	if r.report != nil {
		r.report.Log, r.report.Told = mark, true
	}
	if w := r.s.cfg.Witness; w != nil {
		w.Answer(r.ticket, mark)
	}
}
