package sqs

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// pageOrigin stands for the app's: whoever lets one origin ask lets all.
const pageOrigin = "https://app.example"

var errPage = errors.New("SQS does not let pages of other origins ask (CORS): a phone in a browser cannot use it, kr-phone can")

// NewPage returns a client that asks as a page in a browser does, to find out
// whether that works: it asks for leave before each request, and takes no answer
// that is not open to its origin. rt is as for [NewClient]. [Fetch] §3.3.
func NewPage(rt http.RoundTripper) *Client {
	if rt == nil {
		rt = newTransport()
	}
	return NewClient(page{rt})
}

type page struct{ next http.RoundTripper }

func (p page) RoundTrip(r *http.Request) (*http.Response, error) {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodOptions, r.URL.String(), nil) // #nosec G704 -- the URL of the request that follows
	if err != nil {
		return nil, err
	}
	headers := []string{"content-type", "x-amz-target"}
	ask.Header.Set("Origin", pageOrigin)
	ask.Header.Set("Access-Control-Request-Method", r.Method)
	ask.Header.Set("Access-Control-Request-Headers", strings.Join(headers, ","))
	leave, err := p.next.RoundTrip(ask)
	if err != nil {
		return nil, err
	}
	_, _ = io.CopyN(io.Discard, leave.Body, 4<<10) // so that the connection can be used again
	leave.Body.Close()
	if leave.StatusCode/100 != 2 || !isOpen(leave) || !slices.Contains(list(leave, "Methods"), "post") ||
		slices.ContainsFunc(headers, func(h string) bool { return !slices.Contains(list(leave, "Headers"), h) }) {
		return nil, errPage
	}
	r = r.Clone(r.Context())
	r.Header.Set("Origin", pageOrigin)
	resp, err := p.next.RoundTrip(r)
	if err == nil && !isOpen(resp) {
		resp.Body.Close()
		return nil, errPage
	}
	return resp, err
}

// CloseIdleConnections is what http.Client's calls.
func (p page) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func isOpen(resp *http.Response) bool {
	return slices.Contains([]string{"*", pageOrigin}, resp.Header.Get("Access-Control-Allow-Origin"))
}

// list is what leave was given for, in lower case.
func list(resp *http.Response, what string) []string {
	all := strings.ToLower(strings.Join(resp.Header.Values("Access-Control-Allow-"+what), ","))
	return strings.Split(strings.ReplaceAll(all, " ", ""), ",")
}
