package owner_test

import (
	"errors"
	"testing"

	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/transport"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/fauxqs"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/transport/transporttest"
	"kryptonite/internal/wire"
)

// TestSecondOpinion: with an SQS that others wrote, AWS's SDK at the one end and
// no credentials at the other are a Link, and queues come and go.
func TestSecondOpinion(t *testing.T) {
	awstest.Settings(t)
	endpoint := fauxqs.Start(t)
	a, err := owner.Open(t.Context(), owner.Config{Region: fauxqs.Region, Prefix: "kr-", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	pair := func(t *testing.T, q wire.SQSAddress) (computer, phone transport.Link) {
		t.Helper()
		computer, err := a.Link(q, nil)
		if err != nil {
			t.Fatal(err)
		}
		toComputer, toPhone, err := sqs.Queues(q, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		c := sqs.NewClient(nil)
		t.Cleanup(c.Close)
		return computer, sqs.NewLink(c, toComputer, toPhone, nil)
	}
	for name, swap := range map[string]bool{"computer to phone": false, "phone to computer": true} {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Link, transport.Link) {
				computer, phone := pair(t, create(t, a))
				if swap {
					return phone, computer
				}
				return computer, phone
			}, transporttest.Stores())
		})
	}
	t.Run("the end", func(t *testing.T) {
		q := create(t, a)
		computer, phone := pair(t, q)
		if err := computer.Send(t.Context(), []byte("farewell")); err != nil {
			t.Fatal(err)
		}
		if taken, err := a.Taken(t.Context(), q); taken || err != nil {
			t.Errorf("before the phone took it: %v, %v", taken, err)
		}
		named := q
		named.Account = "" // as after a crash
		for range 2 {      // what is gone is no error
			if err := errors.Join(a.DeleteToComputer(t.Context(), named), a.DeleteToPhone(t.Context(), q)); err != nil {
				t.Error(err)
			}
		}
		if taken, err := a.Taken(t.Context(), q); !taken || err != nil {
			t.Errorf("after the end: %v, %v", taken, err)
		}
		for name, l := range map[string]transport.Link{"computer": computer, "phone": phone} {
			if err := l.Send(t.Context(), []byte("x")); !errors.Is(err, transport.ErrNoMailbox) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
