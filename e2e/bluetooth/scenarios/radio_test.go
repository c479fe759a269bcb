package scenarios

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/ble"
	"kryptonite/internal/transport/ble/bluez"
)

// end is one end of a pairing's Bluetooth.
type end struct {
	*ble.Link
	frames chan []byte
	stop   func() // of its radio; waits until it has ended
}

type server interface {
	Serve(context.Context, sealbox.ServiceUUID, *ble.Link) error
}

// newEnd starts to receive, until the test ends.
func newEnd(t *testing.T) *end {
	e := &end{Link: ble.New(), frames: make(chan []byte, 64)}
	ctx, cancel := context.WithCancel(context.Background())
	var bg sync.WaitGroup
	bg.Go(func() {
		e.Receive(ctx, func(f []byte) error {
			e.frames <- f
			return nil
		})
	})
	t.Cleanup(func() { cancel(); bg.Wait() })
	return e
}

// serve starts a radio for the service, until the test or e.stop ends it.
func (e *end) serve(t *testing.T, radio server, service sealbox.ServiceUUID) {
	ctx, cancel := context.WithCancel(context.Background())
	var bg sync.WaitGroup
	bg.Go(func() { radio.Serve(ctx, service, e.Link) })
	e.stop = sync.OnceFunc(func() { cancel(); bg.Wait() })
	t.Cleanup(e.stop)
}

func options(t *testing.T, adapter string) bluez.Options {
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	return bluez.Options{Adapter: adapter, Log: log.With("at", adapter)}
}

// pass sends a frame from one end to the other.
func pass(t *testing.T, from, to *end, frame []byte) time.Duration {
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	defer to.Hold()() // as who waits for an answer
	if err := from.Send(ctx, frame); err != nil {
		t.Fatalf("%v; from: %+v, to: %+v", err, from.Status(), to.Status())
	}
	for {
		select {
		case got := <-to.frames:
			if bytes.Equal(got, frame) {
				return time.Since(begun)
			} // else a repeat
		case <-ctx.Done():
			t.Fatal("the frame does not come")
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestRadio passes frames of the largest size both ways. Then the phone leaves and comes
// back six times, and what was sent in between is there.
func TestRadio(t *testing.T) {
	bus := inMachine(t)
	neighbour(t, bus, computerAdapter)
	private, err := sealbox.NewKey()
	must(t, err)
	service := sealbox.RendezvousService(private.Public())
	computer, phone := newEnd(t), newEnd(t)
	computer.serve(t, bluez.NewPeripheral(options(t, computerAdapter)), service)
	phone.serve(t, bluez.NewCentral(options(t, phoneAdapter)), service)
	t.Logf("met after %v", pass(t, phone, computer, []byte("hello")))
	t.Logf("64 KiB to the computer: %v", pass(t, phone, computer, random(transport.MaxFrame)))
	t.Logf("64 KiB to the phone: %v", pass(t, computer, phone, random(transport.MaxFrame)))
	t.Cleanup(computer.Hold())
	for i := range 6 {
		phone.stop()
		phone.serve(t, bluez.NewCentral(options(t, phoneAdapter)), service)
		t.Logf("again: %v", pass(t, computer, phone, fmt.Appendf(nil, "question %d", i)))
		pass(t, phone, computer, fmt.Appendf(nil, "answer %d", i))
	}
}
