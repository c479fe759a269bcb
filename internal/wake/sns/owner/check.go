package owner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"kryptonite/internal/wake/sns"
	"kryptonite/internal/wire"
)

// Fact is one thing that Check tried.
type Fact struct {
	What string
	Err  error // nil: it works
}

// Check tries, for a device that there is not, all that a pairing does with an
// application. It stops at the first thing that does not work. That a push arrives,
// it cannot show.
func (a *Account) Check(ctx context.Context, app sns.Application) (facts []Fact) {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	device := wire.PushToken{Platform: app.Platform, Token: hex.EncodeToString(b)}
	arn, err := a.make(ctx, app, device)
	facts = append(facts, Fact{"make an endpoint", err})
	if err != nil {
		return facts
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"give it a token and enable it", func() error { return a.set(ctx, arn, device) }},
		{"publish to it", func() error { return a.publish(ctx, arn, sns.NewMessage(app.Platform, wire.ID{}, nil, time.Second)) }},
	} {
		err := step.do()
		facts = append(facts, Fact{step.what, err})
		if err != nil {
			break
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	return append(facts, Fact{"delete it", a.delete(end, arn)})
}
