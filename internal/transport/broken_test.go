package transport_test

import (
	"context"
	"errors"
	"testing"

	"kryptonite/internal/transport"
)

func TestBroken(t *testing.T) {
	why := errors.New("no account")
	l := transport.Broken("sqs", why)
	ctx, stop := context.WithCancel(t.Context())
	if err := l.Send(ctx, []byte("x")); !errors.Is(err, why) {
		t.Errorf("Send = %v", err)
	}
	stop()
	if err := l.Receive(ctx, func([]byte) error { t.Error("a frame"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v", err)
	}
	if s := l.Status(); l.Name() != "sqs" || s.Connected || !errors.Is(s.LastError, why) {
		t.Errorf("%s: %+v", l.Name(), s)
	}
}
