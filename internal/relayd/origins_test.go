package relayd

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"kryptonite/internal/mailbox"
)

// browser lets through what a browser lets a page of another origin do: it asks
// first, and shows only what the answer permits. Without WebSockets if blocked.
type browser struct {
	t       *testing.T
	blocked bool
	asked   int // preflights
	live    int // WebSockets
}

const page = "https://app.example"

// own headers are the browser's, not the page's.
var own = []string{"Connection", "Upgrade", "User-Agent", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions", "Accept-Encoding"}

func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Origin", page)
	if r.Header.Get("Upgrade") != "" { // no preflight, and no CORS
		if b.blocked {
			return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody, Request: r}, nil
		}
		b.live++
		return http.DefaultTransport.RoundTrip(r)
	}
	if err := b.preflight(r); err != nil {
		return nil, err
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		b.t.Errorf("%s %s: a page cannot read the answer: %v", r.Method, r.URL.Path, resp.Header)
	}
	shown := strings.Split(resp.Header.Get("Access-Control-Expose-Headers"), ", ")
	for name := range resp.Header {
		if name != "Content-Type" && name != "Content-Length" && !slices.Contains(shown, name) {
			resp.Header.Del(name)
		}
	}
	return resp, nil
}

func (b *browser) preflight(r *http.Request) error {
	var names []string
	for name := range r.Header {
		if name != "Origin" && !slices.Contains(own, name) {
			names = append(names, strings.ToLower(name))
		}
	}
	slices.Sort(names)
	req, err := http.NewRequestWithContext(r.Context(), http.MethodOptions, r.URL.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Origin", page)
	req.Header.Set("Access-Control-Request-Method", r.Method)
	req.Header.Set("Access-Control-Request-Headers", strings.Join(names, ","))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	b.asked++
	allowed := strings.Split(strings.ToLower(resp.Header.Get("Access-Control-Allow-Headers")), ", ")
	for _, name := range names {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("a browser would not send %s", name)
		}
	}
	if resp.StatusCode/100 != 2 || resp.Header.Get("Access-Control-Allow-Origin") != "*" || resp.Header.Get("Access-Control-Allow-Methods") != r.Method {
		return fmt.Errorf("preflight for %s: %s, %v", r.Method, resp.Status, resp.Header)
	}
	return nil
}

// An app that another origin serves opens mailboxes, posts, and reads by
// WebSocket and by polls.
func TestFromAnotherOrigin(t *testing.T) {
	r := start(t, shortDir(t))
	for _, blocked := range []bool{false, true} {
		b := &browser{t: t, blocked: blocked}
		exchange(t, r.origin, b)
		if b.asked == 0 || (b.live == 0) != blocked {
			t.Errorf("blocked %v: %d preflights, %d WebSockets", blocked, b.asked, b.live)
		}
	}
}

// No answer is a page or repeats what came in, whatever comes in where.
func TestAnswersRepeatNothing(t *testing.T) {
	plain := start(t, shortDir(t))
	named := start(t, shortDir(t), "--origin", "https://relay.test")
	const mark = "x1m4rk1x"
	addr := mailbox.Address{1}
	live := mailbox.LivePath(addr)
	rows := []string{
		"GET /" + mark + "?" + mark + " HTTP/1.1\r\nHost: localhost\r\n",
		"GET /%3Cscript%3E" + mark + " HTTP/1.1\r\nHost: " + mark + "\r\n",
		mark + " / HTTP/1.1\r\nHost: localhost\r\n",
		"GET / HTTP/1.1\r\nHost: <" + mark + ">\r\n",
		"GET / HTTP/9." + mark + "\r\nHost: localhost\r\n",
		"GET / HTTP/1.1\r\nHost: localhost\r\n" + mark + " <b>: 1\r\n",
		"GET /../" + mark + "/ HTTP/1.1\r\nHost: localhost\r\n",
		"OPTIONS " + mailbox.FramesPath(addr) + " HTTP/1.1\r\nHost: localhost\r\nOrigin: https://" + mark + "\r\nAccess-Control-Request-Headers: " + mark + "\r\nAccess-Control-Request-Method: " + mark + "\r\n",
		"POST " + mailbox.FramesPath(addr) + " HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: " + mark + "\r\nContent-Length: 0\r\n",
		"POST " + mailbox.PollPath(addr) + " HTTP/1.1\r\nHost: " + mark + "\r\nContent-Length: 0\r\n",
		"POST " + mailbox.PollPath(addr) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{\"" + mark,
		"POST " + mailbox.PollPath(addr) + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + mark + "\r\n",
		"GET " + live + " HTTP/1.1\r\nHost: localhost\r\nConnection: " + mark + "\r\n",
		"GET " + live + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: " + mark + "\r\n",
		"GET " + live + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: " + mark + "\r\n",
		"GET " + live + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + mark + "\r\n",
	}
	for _, r := range []*running{plain, named} {
		for _, row := range rows {
			answer := raw(t, strings.TrimPrefix(r.origin, "http://"), row+"Connection: close\r\n\r\n")
			low := strings.ToLower(answer)
			if answer == "" || strings.Contains(low, mark) || strings.Contains(low, "text/html") || strings.ContainsAny(answer, "<>") {
				t.Errorf("%q is answered with %q", row, answer)
			}
		}
	}
}

// raw sends text and returns what comes, header and body of one answer.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer resp.Body.Close()
	b, err := httputil.DumpResponse(resp, true)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Behind a web server that has the certificate: WebSockets and polls work, and
// who is too fast is told by the last X-Forwarded-For, not by what a client puts
// before it.
func TestBehindProxy(t *testing.T) {
	r := start(t, shortDir(t), "--behind-proxy", "--origin", "https://example.com", "--sender-rate", "0.001", "--sender-burst", "20")
	to, err := url.Parse(r.origin)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(to))
	defer proxy.Close()
	roots := x509.NewCertPool()
	roots.AddCert(proxy.Certificate()) // for example.com
	at := proxy.Listener.Addr().String()
	rt := (&domainRelay{}).transport(t, roots)
	rt.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at)
	}
	exchange(t, "https://example.com", &watched{RoundTripper: rt, seen: map[string]int{}})
	exchange(t, "https://example.com", &watched{RoundTripper: rt, blocked: true, seen: map[string]int{}})

	ask := func(forwarded string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.origin+mailbox.FramesPath(mailbox.Address{}), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", forwarded)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for i := range 20 {
		if code := ask(fmt.Sprintf("198.51.100.%d, 203.0.113.1", i)); code != http.StatusBadRequest {
			t.Fatalf("request %d = %d", i, code)
		}
	}
	if code := ask("198.51.100.99, 203.0.113.1"); code != http.StatusTooManyRequests {
		t.Errorf("too fast, with a forged address before its own = %d", code)
	}
	if code := ask("203.0.113.1, 203.0.113.2"); code != http.StatusBadRequest {
		t.Errorf("another client = %d", code)
	}
}
