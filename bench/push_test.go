package bench

import (
	"crypto/ecdh"
	"crypto/rand"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/e2e"
)

// ackWait is how long krd waits for the phone before it pushes. [kr-protocol] §5.6.
const ackWait = 300 * time.Millisecond

// BenchmarkPush is the time from a request at the agent's socket, for a phone
// that is away, until its push is at the push service, by way of a proxy on this
// machine. "over" is without the wait for an acknowledgement.
func BenchmarkPush(b *testing.B) {
	h, v := empty(b), e2e.NewVendor(b)
	v.Lead(h)
	must(b, h.StartRelay())
	v.Serve(b, e2e.PublicHosts[0], h.Origin)
	_, err := h.Kr("config", "set", "relay", h.Public)
	must(b, err)
	must(b, h.StartKrd())
	must(b, h.Pair("ana"))
	_, err = h.Krd.Stop(syscall.SIGTERM)
	must(b, err)
	vapid, err := ecdh.P256().GenerateKey(rand.Reader)
	must(b, err)
	must(b, h.TellPush(v.Subscribe(vapid)))
	must(b, h.StartKrd())
	must(b, h.RunPhone("ana", "always"))
	a := dial(b, h.Path("kr", "agent.sock"))
	signer(b, a)() // there is an epoch, so that pushes carry the request
	keys, err := a.List()
	must(b, err)
	pub, err := ssh.ParsePublicKey(keys[0].Blob)
	must(b, err)
	_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
	must(b, err)

	var took []time.Duration
	for b.Loop() {
		conn, err := net.Dial("unix", h.Path("kr", "agent.sock"))
		must(b, err)
		done := make(chan struct{})
		start := time.Now()
		go func() {
			defer close(done)
			agent.NewClient(conn).Sign(pub, freshLogin(pub)) // ends with conn
		}()
		p := v.Next(b)
		if p.Wrong != "" || len(p.Body) == 0 {
			b.Fatalf("a push of %d bytes: %q", len(p.Body), p.Wrong)
		}
		took = append(took, p.At.Sub(start))
		conn.Close()
		<-done
	}
	b.ReportMetric(0, "ns/op")
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		t := quantile(took, q)
		b.ReportMetric(ms(t), name+"-ms")
		b.ReportMetric(ms(t-ackWait), name+"-over-ms")
	}
}
