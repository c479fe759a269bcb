package bench

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/e2e"
	"kryptonite/internal/transport/sqs"
	"kryptonite/internal/transport/sqs/sqstest"
)

// BenchmarkChannel is one signature through agent socket, krd, one channel and an
// approving phone, with nothing, or 50 ms each way, between both ends and what
// keeps their frames: four times 50 ms at least. Connections are there before.
func BenchmarkChannel(b *testing.B) {
	for _, channel := range []string{"relay", "sqs"} {
		for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
			b.Run(channel+"/"+delay.String(), func(b *testing.B) { benchChannel(b, channel, delay) })
		}
	}
}

func benchChannel(b *testing.B, channel string, delay time.Duration) {
	far := newFar(b, delay) // ends after the house, whose connections it has
	h := empty(b)
	if channel == "relay" {
		h.Public = "http://" + far.addr
		must(b, h.StartRelay())
		far.lead(h.Origin)
		_, err := h.Kr("config", "set", "relay", h.Public)
		must(b, err)
	} else {
		cloud(b, h, far)
	}
	must(b, h.StartKrd("AWS_ACCESS_KEY_ID="+sqstest.AccessKey, "AWS_SECRET_ACCESS_KEY="+sqstest.Secret))
	must(b, h.Pair("ana"))
	must(b, h.RunPhone("ana", "always"))
	sign := signer(b, dial(b, h.Path("kr", "agent.sock")))
	for range 20 {
		sign()
	}
	var took []time.Duration
	for b.Loop() {
		took = append(took, sign())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(quantile(took, 0.5)), "p50-ms")
	b.ReportMetric(ms(quantile(took, 0.99)), "p99-ms")
	b.ReportMetric(resident(b, h), "krd-MiB")
}

// cloud gives a house the tests' SQS, by way of far, and no relay.
func cloud(b *testing.B, h *e2e.House, far *far) {
	b.Helper()
	s := sqstest.New()
	s.Grant(sqs.Actions()...)
	far.lead(s.Listen(b))
	s.Behind(far.addr)
	h.Env = append(h.Env, "AWS_ENDPOINT_URL_SQS=http://"+far.addr, "AWS_CA_BUNDLE=", "AWS_EC2_METADATA_DISABLED=true", "AWS_PROFILE=",
		"AWS_CONFIG_FILE="+h.Path("none"), "AWS_SHARED_CREDENTIALS_FILE="+h.Path("none"))
	for _, args := range [][]string{{"config", "set", "app", "http://" + far.addr}, {"channel", "add", "sqs", "--region", sqstest.Region}} {
		_, err := h.Kr(args...)
		must(b, err)
	}
}

// far makes a server seem further away than it is.
type far struct {
	addr  string
	delay time.Duration
	to    chan string // the server's address, once
	conns sync.WaitGroup
}

func newFar(b *testing.B, delay time.Duration) *far {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	f := &far{addr: l.Addr().String(), delay: delay, to: make(chan string, 1)}
	f.conns.Go(func() {
		to := <-f.to
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			f.conns.Go(func() { f.carry(near, there) })
			f.conns.Go(func() { f.carry(there, near) })
		}
	})
	b.Cleanup(func() { l.Close(); f.conns.Wait() })
	return f
}

// lead says where the server is.
func (f *far) lead(url string) { f.to <- strings.TrimPrefix(url, "http://") }

// carry copies from one to the other, each piece later than it came.
func (f *far) carry(from, to net.Conn) {
	type piece struct {
		due   time.Time
		bytes []byte
	}
	pieces := make(chan piece, 1024)
	f.conns.Go(func() {
		defer to.Close()
		for p := range pieces {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.bytes); err != nil {
				from.Close()
			}
		}
	})
	defer close(pieces)
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if n > 0 {
			pieces <- piece{time.Now().Add(f.delay), buf[:n]}
		}
		if err != nil {
			return
		}
	}
}
