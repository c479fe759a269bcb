package daemon

import (
	"net/http"
	"sync"

	"kryptonite/internal/control"
)

// question is what a pairing asks the person at kr pair: does the phone show the
// same words? It is safe for concurrent use.
type question struct {
	answers chan bool // the person's; the first one counts

	mu    sync.Mutex
	words string // that kr was told to show; "": nothing was asked yet
}

func newQuestion() *question { return &question{answers: make(chan bool, 1)} }

// ask comes before kr is told the words.
func (q *question) ask(words string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.words = words
}

// take takes an answer, and reports whether it is to these words. A person may
// answer the question of an earlier pairing, or before there is any.
func (q *question) take(a control.PairAnswer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.words == "" || a.Words != q.words {
		return false
	}
	select {
	case q.answers <- a.Same:
	default:
	}
	return true
}

func (d *Daemon) handleAnswer(w http.ResponseWriter, req *http.Request) {
	var in control.PairAnswer
	if !decode(w, req, &in) {
		return
	}
	d.mu.Lock()
	run := d.pair
	d.mu.Unlock()
	if run == nil || !run.question.take(in) {
		fail(w, http.StatusConflict, &control.Error{Code: control.CodeBadRequest, Text: "no pairing that runs has shown these words"})
		return
	}
	reply(w, struct{}{})
}
