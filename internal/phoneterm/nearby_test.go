package phoneterm

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/transport/ble/bluez/bluetest"
	"kryptonite/internal/wire"
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

// TestLastWordLooksForItsComputer: a farewell waits until the computer is near and
// asks, once, and no longer when another channel has told it.
func TestLastWordLooksForItsComputer(t *testing.T) {
	t.Setenv(bluetest.Variable, "unix:path="+t.TempDir()+"/none")
	synctest.Test(t, func(t *testing.T) {
		r := newRunner(nil, nil, nil, nil, slog.New(slog.DiscardHandler))
		at := wire.BluetoothAddress{Service: make([]byte, 16)}
		looks := func() bool {
			synctest.Wait()
			yes, _ := r.near(at).Wanted()
			return yes
		}
		say := phone.Send{Pairing: "p", To: []wire.Address{{Bluetooth: &at}}, Frame: []byte("farewell")}
		r.send(t.Context(), say)
		time.Sleep(sendLimit + time.Second)
		if looks() {
			t.Error("a frame that is no farewell waits")
		}
		say.Farewell = true
		r.send(t.Context(), say)
		r.send(t.Context(), say)
		time.Sleep(time.Hour)
		if !looks() {
			t.Error("the farewell does not wait")
		}
		r.parted["p"]()
		if looks() {
			t.Error("the computer was told, and is looked for")
		}
		r.bg.Wait()
		r.still()
		r.radios.Wait()
	})
}
