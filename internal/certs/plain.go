package certs

import (
	"io"
	"net"
	"net/http"
	"strings"
)

// ServeHTTP is all that plain HTTP gets: the answer to the CA's challenge, and
// for GET of a name of ours the way to https. Nothing of the request comes back,
// and nothing is a page. A browser keeps the fragment of a link by itself.
func (k *Keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
	domain := strings.ToLower(r.Host)
	if host, _, err := net.SplitHostPort(domain); err == nil {
		domain = host
	}
	if !k.ours(domain) || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/.well-known/") {
		k.challenge(w, token{domain, r.URL.Path})
		return
	}
	h.Set("Location", "https://"+domain+"/")
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (k *Keeper) challenge(w http.ResponseWriter, t token) {
	k.mu.RLock()
	answer := k.tokens[t]
	k.mu.RUnlock()
	if answer == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, answer)
}
