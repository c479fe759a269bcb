package relay

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// deaf is a connection whose owner stops reading.
type deaf struct {
	net.Conn
	from <-chan struct{} // closed: no more reading
	end  <-chan struct{} // closed: reading fails
}

func (d deaf) Read(b []byte) (int, error) {
	select {
	case <-d.from:
		<-d.end
		return 0, net.ErrClosed
	default:
		return d.Conn.Read(b)
	}
}

// Handlers end although their client by HTTP/2 reads nothing and has room for
// all they send, so that no frame that ends a stream ever leaves.
func TestDeafClientOfHTTP2(t *testing.T) {
	const requests = 8
	var serving sync.WaitGroup
	ended, from := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer serving.Done()
		if r.ProtoMajor != 2 {
			t.Errorf("a request by %s", r.Proto)
		}
		w.(http.Flusher).Flush()
		<-from
		for b := make([]byte, 64<<10); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = httpServer(h, slog.New(slog.DiscardHandler), 200*time.Millisecond)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()

	end := make(chan struct{})
	rt := srv.Client().Transport.(*http.Transport)
	rt.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return deaf{c, from, end}, err
	}
	serving.Add(requests)
	var answers []*http.Response
	for range requests {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, resp)
	}
	close(from)
	go func() { serving.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("handlers wait for a client that does not read")
	}
	close(end)
	for _, resp := range answers {
		resp.Body.Close()
	}
	rt.CloseIdleConnections()
	srv.CloseClientConnections()
	<-ended
}

// Strangers do not write the log, by either version of HTTP; what is ours is said.
func TestHTTPLog(t *testing.T) {
	rows := map[string]string{
		"http: TLS handshake error from 192.0.2.1:5: EOF":                  "DEBUG",
		"http2: server connection error from 192.0.2.1:5: PROTOCOL_ERROR":  "DEBUG",
		"http2: server: error reading preface from client 192.0.2.1:5: no": "DEBUG",
		"http2: received GOAWAY, starting graceful shutdown":               "DEBUG",
		"timeout waiting for SETTINGS frames from 192.0.2.1:5":             "DEBUG",
		"http: panic serving 192.0.2.1:5: x":                               "ERROR",
		"http2: panic serving 192.0.2.1:5: x":                              "ERROR",
		"http: Accept error: too many open files; retrying in 1s":          "WARN",
	}
	for line, level := range rows {
		var out bytes.Buffer
		srv := HTTPServer(nil, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		srv.ErrorLog.Print(line)
		if !strings.Contains(out.String(), "level="+level) {
			t.Errorf("%q is logged as %s, want %s", line, &out, level)
		}
	}
}

// A body that does not come keeps no memory for what it promised.
func TestPromisedBody(t *testing.T) {
	got, err := readBody(&http.Request{ContentLength: 64 << 10, Body: io.NopCloser(strings.NewReader("short"))}, 64<<10)
	if err != nil || string(got) != "short" || cap(got) > 4<<10 {
		t.Errorf("%d bytes, room for %d, %v", len(got), cap(got), err)
	}
}
