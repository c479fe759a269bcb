package relay

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// How long the HTTP server waits for slow or silent clients.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second // a whole request: 64 KiB at 2 KiB/s
	writeTimeout  = 60 * time.Second
	idleTimeout   = 120 * time.Second // longer than clients keep idle connections
	byteTimeout   = 60 * time.Second  // for the next bytes to leave on a connection of HTTP/2: some 100 KB on a slow line
	silentTimeout = 60 * time.Second  // of a connection of HTTP/2, before it is pinged: longer than a poll waits
	pongTimeout   = 30 * time.Second
	maxHeader     = 16 << 10        // bytes
	maxStreams    = 32              // requests at a time on one connection of HTTP/2
	closePatience = 3 * time.Second // for close handshakes and running posts
)

// HTTPServer returns a server of h for strangers, who may be slow or silent for
// some time only, by HTTP/1.1 and HTTP/2. What it says about one connection is
// logged at debug: strangers make many fail.
func HTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return httpServer(h, logger, byteTimeout)
}

func httpServer(h http.Handler, logger *slog.Logger, byteTimeout time.Duration) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// In HTTP/2 WriteTimeout ends a stream by a frame, which waits behind all
		// others for a client that does not read.
		HTTP2: &http.HTTP2Config{
			WriteByteTimeout:     byteTimeout,
			SendPingTimeout:      silentTimeout,
			PingTimeout:          pongTimeout,
			MaxConcurrentStreams: maxStreams,
		},
		ErrorLog: log.New(httpLog{logger}, "", 0),
	}
}

// httpLog takes what the HTTP server has to say. Nearly all of it is about one
// connection, with the address of who made it: for maintainers only. A panic of
// ours is an error, and that no connection can be taken any more a warning.
type httpLog struct{ log *slog.Logger }

func (h httpLog) Write(b []byte) (int, error) {
	level, line := slog.LevelDebug, strings.TrimSpace(string(b))
	switch {
	case strings.HasPrefix(line, "http: panic serving"), strings.HasPrefix(line, "http2: panic serving"):
		level = slog.LevelError
	case strings.HasPrefix(line, "http: Accept error"):
		level = slog.LevelWarn
	}
	h.log.Log(context.Background(), level, line) // there is no other sign of what it is
	return len(b), nil
}
