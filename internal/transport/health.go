package transport

import (
	"sync"
	"time"
)

// Health keeps the Status of one Link. The zero value is that of a Link that was
// not used yet. It is safe for concurrent use.
type Health struct {
	mu     sync.Mutex
	status Status
}

// Note takes that something went through now, or why not.
func (h *Health) Note(now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(now, err)
}

// Sent is Note for a frame that Send began with at start. A frame that the channel
// took says how fast the channel is.
func (h *Health) Sent(start, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(now, err)
	if err == nil {
		h.status.Took = now.Sub(start)
	}
}

// note needs mu.
func (h *Health) note(now time.Time, err error) {
	if h.status.LastError = err; err == nil {
		h.status.LastOK = now
	}
}

// Connected takes that the receiving side is connected since now, in this mode.
func (h *Health) Connected(now time.Time, mode string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note(now, nil)
	h.status.Connected, h.status.Mode = true, mode
}

// Disconnected takes that the receiving side is not connected any more.
func (h *Health) Disconnected() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status.Connected, h.status.Mode = false, ""
}

// Status returns the state of now.
func (h *Health) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}
