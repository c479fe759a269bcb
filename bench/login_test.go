package bench

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/e2e"
)

const parallel = 200 // logins at once

// BenchmarkLogin is one "ssh host true", and BenchmarkParallelLogins 200 at
// once, with a rule on the phone, alternating with the same by ssh-agent.
func BenchmarkLogin(b *testing.B)          { logins(b, 1) }
func BenchmarkParallelLogins(b *testing.B) { logins(b, parallel) }

func logins(b *testing.B, n int) {
	h := start(b)
	must(b, h.StartSshd())
	h.Phones["ana"].Stop(15)
	must(b, h.RunPhone("ana", "ask"))
	sshAgent(b, h.Dir)
	pub, err := exec.Command("cat", h.Path("rival.pub")).Output()
	must(b, err)
	must(b, h.Append("authorized_keys", string(pub)))
	first := make(chan error, 1)
	go func() { first <- h.Login() }()
	_, err = h.Phones["ana"].Await(`Allow\?`)
	must(b, err)
	must(b, h.Phones["ana"].Type("h 12h"))
	must(b, <-first)
	var ours, rival []time.Duration
	for b.Loop() {
		ours = append(ours, wall(b, h, n, h.Path("kr", "agent.sock")))
		rival = append(rival, wall(b, h, n, h.Path("rival.sock")))
	}
	x, y := quantile(ours, 0.5), quantile(rival, 0.5)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(x), "p50-ms")
	b.ReportMetric(ms(y), "p50-rival-ms")
	b.ReportMetric(float64(x)/float64(y), "ratio")
}

// wall logs in n times at once with the keys of an agent.
func wall(b *testing.B, h *e2e.House, n int, sock string) time.Duration {
	b.Helper()
	start := time.Now()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			cmd := exec.Command("ssh", "-F", h.Path("ssh_config"), "-o", "IdentityAgent="+sock, "root@server", "true")
			cmd.Env = h.Env
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Errorf("%v: %s", err, strings.TrimSpace(string(out)))
			}
		})
	}
	all.Wait()
	return time.Since(start)
}
