package transport

import (
	"errors"
	"testing"
	"time"
)

// TestHealth: a failure leaves standing what went well before, and how long that
// took; the next success ends it.
func TestHealth(t *testing.T) {
	at, broken := time.Unix(1_795_000_000, 0), errors.New("broken")
	after := func(ms int) time.Time { return at.Add(time.Duration(ms) * time.Millisecond) }
	var h Health
	for i, step := range []struct {
		do   func()
		want Status
	}{
		{func() {}, Status{}},
		{func() { h.Note(after(1), broken) }, Status{LastError: broken}},
		{func() { h.Connected(after(2), "long poll") }, Status{Connected: true, Mode: "long poll", LastOK: after(2)}},
		{func() { h.Sent(after(3), after(8), nil) },
			Status{Connected: true, Mode: "long poll", LastOK: after(8), Took: 5 * time.Millisecond}},
		{func() { h.Sent(after(9), after(99), broken) },
			Status{Connected: true, Mode: "long poll", LastOK: after(8), LastError: broken, Took: 5 * time.Millisecond}},
		{func() { h.Disconnected() }, Status{LastOK: after(8), LastError: broken, Took: 5 * time.Millisecond}},
		{func() { h.Note(after(100), nil) }, Status{LastOK: after(100), Took: 5 * time.Millisecond}},
	} {
		step.do()
		if got := h.Status(); got != step.want {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
}
