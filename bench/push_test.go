package bench

import (
	"crypto/ecdh"
	"crypto/rand"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/e2e"
	"kryptonite/internal/awsuser/awstest"
	"kryptonite/internal/wake/sns/snstest"
)

// ackWait is how long krd waits for the phone before it pushes. [kr-protocol] §5.6.
const ackWait = 300 * time.Millisecond

const appleToken = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

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
	timePushes(b, h, goAway(b, h), func() time.Time {
		p := v.Next(b)
		if p.Wrong != "" || len(p.Body) == 0 {
			b.Fatalf("a push of %d bytes: %q", len(p.Body), p.Wrong)
		}
		return p.At
	})
}

// BenchmarkSNS is BenchmarkPush by Amazon SNS, until the push is at the phone, with
// nothing, or 50 ms each way, between krd and SNS.
func BenchmarkSNS(b *testing.B) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run(delay.String(), func(b *testing.B) { benchSNS(b, delay) })
	}
}

func benchSNS(b *testing.B, delay time.Duration) {
	far := newFar(b, delay) // ends after the house, whose connections it has
	h := empty(b)
	s, url := snstest.New(b)
	far.lead(url)
	s.Behind(far.addr)
	device := s.Install("APNS", appleToken)
	h.Env = append(h.Env, "AWS_ENDPOINT_URL_SNS=http://"+far.addr, "AWS_CA_BUNDLE=", "AWS_EC2_METADATA_DISABLED=true", "AWS_PROFILE=",
		"AWS_CONFIG_FILE="+h.Path("none"), "AWS_SHARED_CREDENTIALS_FILE="+h.Path("none"))
	must(b, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(b, err)
	must(b, h.StartKrd("AWS_ACCESS_KEY_ID="+awstest.AccessKey, "AWS_SECRET_ACCESS_KEY="+awstest.Secret))
	_, err = h.Kr("channel", "add", "sns", "--platform-application", s.Application("APNS", "kryptonite"))
	must(b, err)
	policy, err := h.Kr("channel", "policy", "sns")
	must(b, err)
	s.Grant(policy)
	must(b, os.WriteFile(h.Path("token"), []byte("APNS:"+appleToken+"\n"), 0o600))
	must(b, h.Pair("ana"))
	must(b, h.RunPhone("ana", "always", "--push-token", h.Path("token")))
	for len(s.Endpoints()) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	timePushes(b, h, goAway(b, h), func() time.Time {
		if p := <-device.Got(); len(p.Payload) == 0 {
			b.Fatal("an empty push")
		}
		return time.Now()
	})
}

// goAway has the phone sign once by its key, so that pushes carry the request, and leave.
func goAway(b *testing.B, h *e2e.House) (key ssh.PublicKey) {
	b.Helper()
	a := dial(b, h.Path("kr", "agent.sock"))
	signer(b, a)() // there is an epoch, so that pushes carry the request
	keys, err := a.List()
	must(b, err)
	key, err = ssh.ParsePublicKey(keys[0].Blob)
	must(b, err)
	_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
	must(b, err)
	return key
}

// timePushes times requests until next says that their push is there.
func timePushes(b *testing.B, h *e2e.House, key ssh.PublicKey, next func() time.Time) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		conn, err := net.Dial("unix", h.Path("kr", "agent.sock"))
		must(b, err)
		done := make(chan struct{})
		start := time.Now()
		go func() {
			defer close(done)
			agent.NewClient(conn).Sign(key, freshLogin(key)) // ends with conn
		}()
		took = append(took, next().Sub(start))
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
