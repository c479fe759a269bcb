package bench

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkKr times "kr version" and "kr status" with krd up, and alternating
// with them "ssh -V", a program that prints a line. A machine that is slow, or
// busy, is so for both: the ratio stays. cpu-ms is without the waiting for others.
func BenchmarkKr(b *testing.B) {
	h := start(b)
	for _, arg := range []string{"version", "status"} {
		b.Run(arg, func(b *testing.B) {
			var ours, cpu, rival []time.Duration
			for b.Loop() {
				wall, used := timed(b, h.Env, filepath.Join(h.Bin, "kr"), arg)
				ours, cpu = append(ours, wall), append(cpu, used)
				wall, _ = timed(b, h.Env, "ssh", "-V")
				rival = append(rival, wall)
			}
			x, y := quantile(ours, 0.5), quantile(rival, 0.5)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(x), "p50-ms")
			b.ReportMetric(ms(quantile(cpu, 0.5)), "p50-cpu-ms")
			b.ReportMetric(ms(y), "p50-rival-ms")
			b.ReportMetric(float64(x)/float64(y), "ratio")
		})
	}
}

// timed runs a program to its end, and returns how long that took and how much of
// a processor.
func timed(b *testing.B, env []string, name string, args ...string) (wall, cpu time.Duration) {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	wall = time.Since(begin)
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
	return wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
