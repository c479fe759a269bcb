package transport

import "context"

// Broken returns a Link that cannot be used because of err: it carries nothing,
// and says why.
func Broken(name string, err error) Link { return &broken{name, err} }

type broken struct {
	name string
	err  error
}

func (b *broken) Name() string { return b.name }

func (b *broken) Send(context.Context, []byte) error { return b.err }

func (b *broken) Receive(ctx context.Context, _ func([]byte) error) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (b *broken) Status() Status { return Status{LastError: b.err} }
