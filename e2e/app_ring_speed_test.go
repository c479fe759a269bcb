package e2e

import (
	"testing"
	"time"
)

// BenchmarkAppRings is the time from a push at the browser, whose worker was
// stopped and that has no page of the app open, to the notification.
func BenchmarkAppRings(b *testing.B) {
	r := newRinger(b, true, wrapped...)
	r.first(b)
	var took []float64
	for b.Loop() {
		r.pocket(b)
		r.v.drain()
		r.v.Hold(true)
		done := r.login()
		p := r.v.Next(b)
		start := time.Now()
		r.v.Hold(false)
		r.v.Deliver(p)
		n := r.asks(b)
		took = append(took, float64(n.At.Sub(start).Microseconds())/1000)
		must(b, r.desk.Click(n, "Reject"))
		if <-done == nil {
			b.Fatal("a login that was rejected went through")
		}
		r.ended(b, "Rejected") // until then the worker is not stopped
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(took), "p50-ms")
	b.Logf("%.0f", took)
}
