package owner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/transport/sqs/sqstest"
)

// BenchmarkDelivery is from the computer's Send to the phone's handler, over
// loopback and the double, which stores nothing: what the two ends cost beside
// SQS itself.
func BenchmarkDelivery(b *testing.B) {
	awstest.Settings(b)
	s := sqstest.New()
	endpoint := s.Listen(b)
	a, err := owner.Open(b.Context(), owner.Config{Region: sqstest.Region, Endpoint: endpoint})
	if err != nil {
		b.Fatal(err)
	}
	q, err := a.Create(b.Context(), a.Names())
	if err != nil {
		b.Fatal(err)
	}
	computer, err := a.Link(q, nil)
	if err != nil {
		b.Fatal(err)
	}
	toComputer, toPhone, err := sqs.Queues(q, endpoint)
	if err != nil {
		b.Fatal(err)
	}
	c := sqs.NewClient(nil)
	defer c.Close()
	came, ended := make(chan struct{}), make(chan error, 1)
	ctx, stop := context.WithCancel(b.Context())
	go func() {
		ended <- sqs.NewLink(c, toComputer, toPhone, nil).Receive(ctx, func([]byte) error { came <- struct{}{}; return nil })
	}()
	frame := make([]byte, 1024)
	for b.Loop() {
		if err := computer.Send(ctx, frame); err != nil {
			b.Fatal(err)
		}
		select {
		case <-came:
		case <-time.After(20 * time.Second):
			b.Fatal("a frame did not arrive")
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		b.Error(err)
	}
}
