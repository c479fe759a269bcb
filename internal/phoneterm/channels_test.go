package phoneterm

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/phone"
)

// TestRelaysAreForgotten: a computer that names one relay after the other leaves
// nothing behind; a relay where another pairing listens stays.
func TestRelaysAreForgotten(t *testing.T) {
	r := newRunner(nil, nil, nil, nil, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	defer r.bg.Wait()
	defer cancel()
	listen := func(origin string) phone.Close {
		t.Helper()
		key, err := mailbox.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.listen(ctx, phone.Listen{Pairing: "p", Origin: origin, Seed: key.Seed()}); err != nil {
			t.Fatal(err)
		}
		return phone.Close{Pairing: "p", Origin: origin, Seed: key.Seed()}
	}
	const shared = "http://127.0.0.1:1"
	first, second := listen(shared), listen(shared)
	for port := range 10 {
		r.close(ctx, listen(fmt.Sprintf("http://127.0.0.1:%d", port+2)))
	}
	r.close(ctx, first)
	if len(r.clients) != 1 || r.clients[shared] == nil || len(r.ears) != 1 {
		t.Errorf("%d relays and %d ears are left", len(r.clients), len(r.ears))
	}
	r.close(ctx, second)
	if len(r.clients) != 0 || len(r.ears) != 0 {
		t.Errorf("in the end %d relays and %d ears are left", len(r.clients), len(r.ears))
	}
}
