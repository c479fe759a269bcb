package daemon

import (
	"net/http"

	"kryptonite/internal/control"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/owner"
)

// handleCheckSQS tries an account's queues, for as long as kr listens.
func (d *Daemon) handleCheckSQS(w http.ResponseWriter, req *http.Request) {
	var in control.SQS
	if !decode(w, req, &in) {
		return
	}
	a, err := owner.Open(req.Context(), owner.Config{Region: in.Region, Profile: in.Profile, Endpoint: in.Endpoint, Prefix: in.Prefix})
	if err != nil {
		fail(w, http.StatusBadRequest, &control.Error{Code: control.CodeSQS, Text: err.Error()})
		return
	}
	phone, page := sqs.NewClient(nil), sqs.NewPage(nil)
	defer phone.Close()
	defer page.Close()
	out := control.SQSCheck{Region: a.Region(), Facts: []control.Fact{}}
	for _, f := range a.Check(req.Context(), phone, page) {
		fact := control.Fact{What: f.What}
		if f.Err != nil {
			fact.Problem = f.Err.Error()
		}
		out.Facts = append(out.Facts, fact)
	}
	reply(w, out)
}
