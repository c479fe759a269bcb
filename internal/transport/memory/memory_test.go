package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kryptonite/internal/transport"
	"kryptonite/internal/transport/memory"
	"kryptonite/internal/transport/transporttest"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, func(*testing.T) (transport.Link, transport.Link) {
		return memory.New(memory.Options{})
	}, transporttest.Stores())
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memory.New(memory.Options{AToB: func(n int, _ []byte) memory.Fate {
			switch n {
			case 0:
				return memory.Fate{} // lost
			case 1:
				return memory.Fate{Copies: 1, Delay: 50 * time.Millisecond} // late
			case 2:
				return memory.Fate{Copies: 2} // repeated
			}
			return memory.Deliver
		}})
		for i := range 4 {
			if err := a.Send(t.Context(), fmt.Appendf(nil, "%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var got []string
		start := time.Now()
		var last time.Duration
		err := b.Receive(ctx, func(f []byte) error {
			got, last = append(got, string(f)), time.Since(start)
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive = %v", err)
		}
		if want := []string{"2", "2", "3", "1"}; !slices.Equal(got, want) || last != 50*time.Millisecond {
			t.Errorf("got %q, the last after %v, want %q after 50ms", got, last, want)
		}
	})
}

func TestSendBlocksWhenNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memory.New(memory.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		var err error
		for ; err == nil; n++ {
			err = a.Send(ctx, []byte("x"))
		}
		if !errors.Is(err, context.DeadlineExceeded) || n != 1025 {
			t.Errorf("Send number %d = %v", n, err)
		}
		b.SetDown(true)
		if err := b.Send(t.Context(), []byte("x")); !errors.Is(err, memory.ErrDown) || b.Status().LastError == nil {
			t.Errorf("Send on a link that is down = %v", err)
		}
	})
}
