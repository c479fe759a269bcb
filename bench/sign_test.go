package bench

import (
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kryptonite/e2e"
	"kryptonite/internal/sshwire"
)

// must fails the benchmark on an error.
func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// start makes a house with one phone that approves by itself.
func start(b *testing.B) *e2e.House {
	b.Helper()
	h := empty(b)
	must(b, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(b, err)
	_, err = h.Kr("daemon", "start")
	must(b, err)
	must(b, h.Pair("ana"))
	must(b, h.RunPhone("ana", "always"))
	return h
}

// empty makes a house in which nothing runs.
func empty(b *testing.B) *e2e.House {
	b.Helper()
	dir, err := os.MkdirTemp("", "kr")
	must(b, err)
	bin := filepath.Join(dir, "bin")
	must(b, os.Mkdir(bin, 0o700))
	must(b, e2e.Build(bin))
	h, err := e2e.NewHouse(bin, dir)
	must(b, err)
	b.Cleanup(func() { h.Close(); os.RemoveAll(dir) })
	return h
}

// sshAgent starts OpenSSH's ssh-agent with one Ed25519 key.
func sshAgent(b *testing.B, dir string) agent.ExtendedAgent {
	b.Helper()
	sock := filepath.Join(dir, "rival.sock")
	cmd := exec.Command("ssh-agent", "-D", "-a", sock)
	must(b, cmd.Start())
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	key := filepath.Join(dir, "rival")
	must(b, exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).Run())
	for range 100 {
		if _, err := os.Stat(sock); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	add := exec.Command("ssh-add", "-q", key)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+sock)
	must(b, add.Run())
	return dial(b, sock)
}

func dial(b *testing.B, sock string) agent.ExtendedAgent {
	b.Helper()
	conn, err := net.Dial("unix", sock)
	must(b, err)
	b.Cleanup(func() { conn.Close() })
	return agent.NewClient(conn)
}

// signer signs fresh logins with an agent's first key, and times it.
func signer(b *testing.B, a agent.ExtendedAgent) func() time.Duration {
	b.Helper()
	keys, err := a.List()
	must(b, err)
	if len(keys) == 0 {
		b.Fatal("the agent has no key")
	}
	pub, err := ssh.ParsePublicKey(keys[0].Blob)
	must(b, err)
	return func() time.Duration {
		data := freshLogin(pub)
		t := time.Now()
		sig, err := a.Sign(pub, data)
		took := time.Since(t)
		must(b, err)
		must(b, pub.Verify(data, sig))
		return took
	}
}

// freshLogin is what ssh wants signed to log in with a key.
func freshLogin(pub ssh.PublicKey) []byte {
	session := make([]byte, 32)
	rand.Read(session)
	return sshwire.Userauth{SessionID: session, User: "root", Method: sshwire.MethodPublicKey, Algorithm: pub.Type(), PublicKey: pub.Marshal()}.Marshal()
}

// BenchmarkSign is one signature through agent socket, krd, relay and an
// approving phone, alternating with the same by OpenSSH's ssh-agent.
func BenchmarkSign(b *testing.B) {
	h := start(b)
	ours := signer(b, dial(b, h.Path("kr", "agent.sock")))
	rival := signer(b, sshAgent(b, h.Dir))
	for range 20 {
		ours()
		rival()
	}
	var a, r []time.Duration
	for b.Loop() {
		a = append(a, ours())
		r = append(r, rival())
	}
	b.ReportMetric(0, "ns/op")
	report := func(name string, p float64) {
		x, y := quantile(a, p), quantile(r, p)
		b.ReportMetric(ms(x), name+"-ms")
		b.ReportMetric(ms(y), name+"-rival-ms")
		b.ReportMetric(ms(x-y), name+"-over-ms")
	}
	report("p50", 0.5)
	report("p99", 0.99)
}

func quantile(ds []time.Duration, p float64) time.Duration {
	s := slices.Sorted(slices.Values(ds))
	return s[min(len(s)-1, int(p*float64(len(s))))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkIdleMemory reports the resident memory of an idle krd with a phone.
func BenchmarkIdleMemory(b *testing.B) {
	h := start(b)
	for b.Loop() {
		time.Sleep(100 * time.Millisecond)
	}
	b.ReportMetric(resident(b, h), "MiB")
	b.ReportMetric(0, "ns/op")
}

// resident is how many MiB of krd are in memory.
func resident(b *testing.B, h *e2e.House) float64 {
	b.Helper()
	out, err := h.Kr("status", "--json")
	must(b, err)
	m := regexp.MustCompile(`"pid": (\d+)`).FindStringSubmatch(out)
	if m == nil {
		b.Fatal("no pid in the status")
	}
	status, err := os.ReadFile("/proc/" + m[1] + "/status")
	must(b, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			must(b, err)
			return float64(kb) / 1024
		}
	}
	b.Fatal("krd says nothing of its memory")
	return 0
}
