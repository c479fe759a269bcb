package daemon

import (
	"sync"
	"time"

	"kryptonite/internal/sshwire"
)

const (
	rejectedLife = 10 * time.Minute // longer than any server waits for a login
	maxRejected  = 1024
)

// rejected remembers the ssh sessions that a person rejected: no phone is asked
// about them again. The zero value is empty. It is safe for concurrent use.
type rejected struct {
	mu sync.Mutex
	at map[string]time.Time // by session id
}

// sessionOf returns the session id in a payload, or "" when there is none.
func sessionOf(payload []byte) string {
	u, err := sshwire.ParseUserauth(payload)
	if err != nil {
		return ""
	}
	return string(u.SessionID)
}

func (r *rejected) has(payload []byte, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.at[sessionOf(payload)]
	return ok && now.Sub(at) < rejectedLife
}

func (r *rejected) add(payload []byte, now time.Time) {
	id := sessionOf(payload)
	if id == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[string]time.Time{}
	}
	r.at[id] = now
	var oldest string
	for id, at := range r.at {
		if now.Sub(at) >= rejectedLife {
			delete(r.at, id)
		} else if oldest == "" || at.Before(r.at[oldest]) {
			oldest = id
		}
	}
	if len(r.at) > maxRejected {
		delete(r.at, oldest)
	}
}
