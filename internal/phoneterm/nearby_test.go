package phoneterm

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestParting: a frame on its way by Bluetooth holds kr-phone's end up for a moment,
// the last one of a pairing for as long as any frame may take.
func TestParting(t *testing.T) {
	for _, parting := range []time.Duration{partLimit, sendLimit} {
		synctest.Test(t, func(t *testing.T) {
			r := &runner{parting: parting}
			outer, end := context.WithCancel(t.Context())
			sending, cancel := context.WithTimeout(context.WithoutCancel(outer), time.Hour)
			defer cancel()
			sending, done := r.soon(sending, outer)
			defer done()
			time.Sleep(time.Minute)
			if sending.Err() != nil {
				t.Error("it ends before kr-phone does")
			}
			end()
			begun := time.Now()
			<-sending.Done()
			if took := time.Since(begun); took != parting {
				t.Errorf("it ended %s after kr-phone, want %s", took, parting)
			}
		})
	}
}
