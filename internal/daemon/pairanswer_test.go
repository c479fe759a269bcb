package daemon

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
)

// TestAnswerToOtherWords: a late answer to another pairing, or one before there was
// a question, decides nothing; the one to the words that were shown does.
func TestAnswerToOtherWords(t *testing.T) {
	d := newDaemon(t)
	answer := func(body string) int {
		w := httptest.NewRecorder()
		d.api().ServeHTTP(w, request("POST", "/v1/pair/answer", body))
		return w.Code
	}
	run := &pairRun{d: d, question: newQuestion()}
	d.beginPair(run)
	tally := attacktest.New(t, "answers to other pairings, at krd")
	refused := func(bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			code := answer(body)
			select {
			case same := <-run.question.answers:
				tally.Succeeded("%s is the answer %v", body, same)
			default:
				if code != http.StatusConflict {
					t.Errorf("%s: %d, want 409", body, code)
				}
				tally.Rejected()
			}
		}
	}
	const late, lateNo, none, ours = `{"words":"ZOO ZOO","same":true}`, `{"words":"ZOO ZOO","same":false}`, `{"same":true}`, `{"words":"CABLE FOX","same":true}`
	refused(late, lateNo, none, ours) // before the phone has come
	run.question.ask("CABLE FOX")
	refused(late, lateNo, none)
	if code := answer(ours); code != http.StatusOK || !<-run.question.answers {
		t.Errorf("the answer to what was asked: %d", code)
	}
	d.endPair()
	refused(ours)
}

// TestPairingOfAKrdThatEnds: kr hears of no cause, as the reason is krd's; that the stream
// ends without an end is what it has words for.
func TestPairingOfAKrdThatEnds(t *testing.T) {
	d := newDaemon(t)
	alive(t, d)
	ctx, stop := context.WithCancelCause(t.Context())
	stop(ErrStopped)
	w := httptest.NewRecorder()
	d.api().ServeHTTP(w, request("POST", "/v1/pair", `{"relay":"http://127.0.0.1:1","app":"http://127.0.0.1:1"}`).WithContext(ctx))
	if strings.Contains(w.Body.String(), "error") {
		t.Errorf("kr is told: %s", w.Body)
	}
}
