package relay

import (
	"log/slog"
	"sync"
	"time"
)

const sayAgain = time.Minute

// refusals counts what strangers are refused, so that the log says it now and
// then instead of each time.
type refusals struct {
	what string // of which kind

	mu    sync.Mutex
	count int       // since it was said
	said  time.Time // last
}

// add counts some more, and says how many there were unless it did a moment ago.
func (r *refusals) add(n int, log *slog.Logger, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count += n
	since := now.Sub(r.said) // below 0: a clock that was set back
	if r.count == 0 || since >= 0 && since < sayAgain {
		return
	}
	log.Warn(r.what, "count", r.count)
	r.count, r.said = 0, now
}
