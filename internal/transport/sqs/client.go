package sqs

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- SQS names it; nothing rests on it
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	dialTimeout = 10 * time.Second // TCP or TLS
	// maxAnswer holds Batch bodies of MaxBody characters, each escaped as \uXXXX.
	maxAnswer = 8 << 20
)

// ErrChecksum says that SQS stored another body than it was sent.
var ErrChecksum = errors.New("sqs: SQS got another message than it was sent")

// Client calls SQS without credentials. It is safe for concurrent use; Close it
// in the end.
type Client struct{ http *http.Client }

// NewClient returns a client. rt replaces the HTTP transport; nil: one that
// takes proxies from the environment. It does not connect.
func NewClient(rt http.RoundTripper) *Client {
	if rt == nil {
		rt = newTransport()
	}
	return &Client{&http.Client{
		Transport: rt,
		// SQS does not redirect; whoever does is not SQS.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConns:        16,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     50 * time.Second,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
	}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// SendMessage implements Caller; also ErrChecksum.
func (c *Client) SendMessage(ctx context.Context, queue, body string) error {
	var out struct{ MD5OfMessageBody string }
	if err := c.call(ctx, "SendMessage", queue, map[string]any{"MessageBody": body}, &out); err != nil {
		return err
	}
	if out.MD5OfMessageBody != checksum(body) {
		return ErrChecksum
	}
	return nil
}

// ReceiveMessages implements Caller. A message that does not fit its checksum is
// left out, and comes again.
func (c *Client) ReceiveMessages(ctx context.Context, queue string, waitSeconds int) ([]Message, error) {
	var out struct {
		Messages []struct{ Body, MD5OfBody, ReceiptHandle string }
	}
	if err := c.call(ctx, "ReceiveMessage", queue, map[string]any{"MaxNumberOfMessages": Batch, "WaitTimeSeconds": waitSeconds}, &out); err != nil {
		return nil, err
	}
	var list []Message
	for _, m := range out.Messages {
		if m.MD5OfBody == checksum(m.Body) {
			list = append(list, Message{m.Body, m.ReceiptHandle})
		}
	}
	return list, nil
}

// DeleteMessages implements Caller.
func (c *Client) DeleteMessages(ctx context.Context, queue string, handles []string) error {
	type entry struct{ Id, ReceiptHandle string }
	var entries []entry
	for i, h := range handles {
		entries = append(entries, entry{strconv.Itoa(i), h})
	}
	var out struct{ Failed []struct{ Code string } }
	if err := c.call(ctx, "DeleteMessageBatch", queue, map[string]any{"Entries": entries}, &out); err != nil {
		return err
	}
	if len(out.Failed) > 0 {
		return NewError("DeleteMessageBatch", out.Failed[0].Code, http.StatusOK)
	}
	return nil
}

// call makes one request of the JSON protocol. The queue is named in its body.
func (c *Client) call(ctx context.Context, op, queue string, in map[string]any, out any) error {
	u, err := url.Parse(queue)
	if err != nil || u.Host == "" {
		return errors.New("sqs: the endpoint is no URL as in https://sqs.eu-central-1.amazonaws.com")
	}
	in["QueueUrl"] = queue
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.Scheme+"://"+u.Host+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonSQS."+op)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s: read the answer: %w", op, err)
	case len(answer) > maxAnswer:
		return fmt.Errorf("%s: the answer has more than %d bytes", op, maxAnswer)
	case resp.StatusCode != http.StatusOK:
		var said struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(answer, &said) // what cannot be read says nothing
		return NewError(op, said.Type, resp.StatusCode)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: the answer is not SQS's", op) // a captive portal's, perhaps
	}
	return nil
}

func checksum(body string) string {
	sum := md5.Sum([]byte(body)) // #nosec G401 -- SQS names it; nothing rests on it
	return hex.EncodeToString(sum[:])
}
