package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	apiPatience = 30 * time.Second // for each request
	maxAnswer   = 4 << 20          // bytes
)

// APIError is an answer that is no success.
type APIError struct {
	Service string
	Status  int    // of HTTP
	Said    string // the service's own words, of any characters; may be empty
	Needs   string // what a token must be allowed
}

func (e *APIError) Error() string {
	what := fmt.Sprintf("%s answered with status %d", e.Service, e.Status)
	if e.Said != "" {
		what += ": " + e.Said
	}
	return what
}

// Token reports whether the token is what is wrong: it is unknown, has expired, or
// lacks a right. Forges say 404 to a token that may not see what is there.
func (e *APIError) Token() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusNotFound
}

// client is one use of the API.
type client struct {
	s     Service
	http  *http.Client
	base  *url.URL
	token Token
	now   time.Time
}

// ByAPI adds k by the service's API. rt carries the requests; nil is
// http.DefaultTransport. An answer that is no success is an *APIError.
func (s Service) ByAPI(ctx context.Context, rt http.RoundTripper, token Token, k Key, host string, now time.Time) (Outcome, error) {
	base, err := s.base(host)
	if err != nil {
		return "", err
	}
	c := &client{s: s, base: base, token: token, now: now, http: &http.Client{Transport: rt, Timeout: apiPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	self, err := c.self(ctx)
	if err != nil {
		return "", err
	}
	values := s.values(k, host)
	list, err := c.call(ctx, s.api.list, self, values)
	// A token that may add keys may not list them: then the answer to adding tells.
	if refused := new(APIError); err != nil && (!errors.As(err, &refused) || refused.Status == http.StatusUnauthorized) {
		return "", err
	}
	if err == nil && k.in(list, s.api.counts) {
		return There, nil
	}
	if _, err := c.call(ctx, s.api.add, self, values); err != nil {
		if k.in(list, nil) {
			err = fmt.Errorf("%s has this key for signatures only, and does not take it once more; let it log in there, or remove it first: %w", s.Title, err)
		}
		return "", err
	}
	return Added, nil
}

// self asks who the token's holder is, where the API wants that in its paths.
func (c *client) self(ctx context.Context) (string, error) {
	if c.s.api.self == "" {
		return "", nil
	}
	b, err := c.call(ctx, call{path: c.s.api.self}, "", strings.NewReplacer())
	if err != nil {
		return "", err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(b, &fields); err != nil {
		return "", fmt.Errorf("%s does not say whose token it is: %w", c.s.Title, err)
	}
	self, _ := fields[c.s.api.selfField].(string)
	if self == "" {
		return "", fmt.Errorf("%s does not say whose token it is: its answer has no %q", c.s.Title, c.s.api.selfField)
	}
	return self, nil
}

// call does one request and returns the body of a success.
func (c *client) call(ctx context.Context, what call, self string, values *strings.Replacer) ([]byte, error) {
	to := what.path
	if !strings.HasPrefix(to, "https://") {
		to = c.base.String() + strings.ReplaceAll(to, "{self}", url.PathEscape(self))
	}
	method, kind, body := http.MethodGet, "", []byte(nil)
	if what.body != nil {
		method = http.MethodPost
		kind, body = what.encode(values)
	}
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.s.Title, err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json")
	if c.s.api.accept != "" {
		req.Header.Set("Accept", c.s.api.accept)
	}
	if name, value, ok := strings.Cut(c.s.api.version, ": "); ok {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "kr")
	authorize := c.s.api.auth
	if authorize == nil {
		authorize = bearer
	}
	if err := authorize(req, c.token, body, c.now); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.s.Title, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(b) > maxAnswer {
		return nil, fmt.Errorf("read the answer of %s: %w", c.s.Title, errors.Join(err, errors.New("it is cut off, or too long")))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, &APIError{Service: c.s.Title, Status: resp.StatusCode, Said: said(b), Needs: c.s.api.right}
	}
	return b, nil
}

// encode returns the content type and the body.
func (w call) encode(values *strings.Replacer) (kind string, body []byte) {
	if w.form {
		form := url.Values{}
		for name, v := range w.body {
			form.Set(name, values.Replace(v))
		}
		return "application/x-www-form-urlencoded; charset=utf-8", []byte(form.Encode())
	}
	filled := map[string]string{}
	for name, v := range w.body {
		filled[name] = values.Replace(v)
	}
	body, _ = json.Marshal(filled) // strings always can be
	return "application/json", body
}
