package scenarios

import (
	"context"
	"sync"
	"testing"

	"kryptonite/internal/sealbox"
	"kryptonite/internal/transport/ble/bluez"
)

// forged is what frames begin with that nobody made.
const forged = "forged"

// flood is a stranger who finds the service, and sends what nobody made as fast as it
// is taken, until the computer sends it away. Then it leaves: the kernel breaks if a
// virtual controller has two centrals at a time.
func flood(t *testing.T, computer *end, service sealbox.ServiceUUID) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	stranger := newEnd(t)
	stranger.serve(t, bluez.NewCentral(options(t, strangerAdapter)), service)
	defer stranger.stop()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop()
	sending.Go(func() {
		for ctx.Err() == nil {
			_ = stranger.Send(ctx, append([]byte(forged), random(2000)...))
		}
	})
	until(t, "the stranger has sent enough", func() bool { return computer.forged.Load() >= 3 })
	until(t, "the computer sends it away", func() bool { return !computer.Status().Connected && !stranger.Status().Connected })
	if n := computer.forged.Load(); n > 11 { // eight may have waited
		t.Errorf("%d frames of the stranger came", n)
	}
}
