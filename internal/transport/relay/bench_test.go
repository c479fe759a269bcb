package relay_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport/relay"
)

// BenchmarkDelivery measures, over HTTP, WebSocket and boltstore on loopback:
// from before Post to the call of handle (deliver) and to Post's return (answer,
// after the fsync), one frame at a time.
func BenchmarkDelivery(b *testing.B) { delivery(b, nil) }

// BenchmarkDeliveryByPoll is the same where WebSockets are blocked.
func BenchmarkDeliveryByPoll(b *testing.B) { delivery(b, blocked{http.DefaultTransport}) }

// blocked lets no WebSocket through.
type blocked struct{ http.RoundTripper }

func (b blocked) RoundTrip(r *http.Request) (*http.Response, error) {
	if upgrades(r) {
		return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Request: r}, nil
	}
	return b.RoundTripper.RoundTrip(r)
}

func delivery(b *testing.B, rt http.RoundTripper) {
	h := newHarness(b, 1, rt)
	var deliver, answer []time.Duration
	for b.Loop() {
		start := time.Now()
		answered := make(chan time.Duration, 1)
		go func() {
			if err := h.c.Post(b.Context(), h.keys[0].Address(), h.frame(start)); err != nil {
				b.Error(err)
			}
			answered <- time.Since(start)
		}()
		deliver = append(deliver, <-h.came)
		answer = append(answer, <-answered)
	}
	report(b, "deliver", deliver)
	report(b, "answer", answer)
}

// BenchmarkRoundTrip is the relay's part of one signature: a frame there, and
// as soon as it has come, a frame back.
func BenchmarkRoundTrip(b *testing.B) {
	h := newHarness(b, 2, nil)
	var trips []time.Duration
	var posts sync.WaitGroup
	post := func(to int) {
		posts.Go(func() {
			if err := h.c.Post(b.Context(), h.keys[to].Address(), h.frame(time.Now())); err != nil {
				b.Error(err)
			}
		})
	}
	for b.Loop() {
		start := time.Now()
		post(0)
		<-h.came
		post(1)
		<-h.came
		trips = append(trips, time.Since(start))
		posts.Wait() // as people do: the next signature comes later
	}
	report(b, "trip", trips)
}

// BenchmarkLoad posts 2,000 frames of 1 KiB a second to 100 mailboxes.
func BenchmarkLoad(b *testing.B) {
	h := newHarness(b, 100, nil)
	tick := time.NewTicker(time.Second / 200)
	defer tick.Stop()
	var posts sync.WaitGroup
	var mu sync.Mutex
	var deliver, answer []time.Duration
	total := 0
	start := time.Now()
	for b.Loop() {
		<-tick.C
		for range 10 {
			total++
			to := h.keys[total%len(h.keys)].Address()
			posts.Go(func() {
				start := time.Now()
				if err := h.c.Post(b.Context(), to, h.frame(start)); err != nil {
					b.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				answer = append(answer, time.Since(start))
			})
		}
	}
	posts.Wait()
	took := time.Since(start)
	for range total {
		deliver = append(deliver, <-h.came)
	}
	b.ReportMetric(float64(total)/took.Seconds(), "frames/s")
	report(b, "deliver", deliver)
	report(b, "answer", answer)
}

type harness struct {
	c    *relay.Client
	keys []mailbox.Key
	came chan time.Duration // from the time in the frame to handle
	body []byte
	zero time.Time
}

func newHarness(b *testing.B, mailboxes int, rt http.RoundTripper) *harness {
	b.Helper()
	r := relaytest.New(b)
	up := make(chan mailbox.Address, mailboxes)
	h := &harness{
		c:    newClient(b, r.Origin(), relay.Options{RoundTripper: rt, OnConnect: func(a mailbox.Address) { up <- a }}),
		came: make(chan time.Duration, 1<<20),
		body: make([]byte, 1024),
		zero: time.Now(),
	}
	rand.Read(h.body)
	ctx, cancel := context.WithCancel(context.Background())
	var receivers sync.WaitGroup
	b.Cleanup(func() { cancel(); receivers.Wait() })
	for range mailboxes {
		key := newKey(b)
		h.keys = append(h.keys, key)
		receivers.Go(func() {
			_ = h.c.Receive(ctx, key, func(f []byte) error {
				h.came <- time.Since(h.zero) - time.Duration(binary.BigEndian.Uint64(f))
				return nil
			})
		})
	}
	for range mailboxes {
		<-up
	}
	return h
}

func (h *harness) frame(start time.Time) []byte {
	f := slices.Clone(h.body)
	binary.BigEndian.PutUint64(f, uint64(start.Sub(h.zero)))
	return f
}

func report(b *testing.B, what string, all []time.Duration) {
	slices.Sort(all)
	for _, p := range []int{50, 99} {
		v := all[(len(all)-1)*p/100]
		b.ReportMetric(float64(v.Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", what, p))
	}
	b.ReportMetric(0, "ns/op")
}
