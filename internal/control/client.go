package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

const maxReply = 1 << 20 // bytes

// NotRunningError is returned when nobody answers on the socket.
type NotRunningError struct{ Socket string }

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("krd is not running (no answer on %s)", e.Socket)
}

// Hint is the next step for people.
func (e *NotRunningError) Hint() []string { return []string{"start it with: kr daemon start"} }

// ExitCode is that of "krd is not running".
func (e *NotRunningError) ExitCode() int { return 6 }

// Client talks to krd. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client for the socket at this path. check says whether who
// answers there may be krd: peer.SameUser.
func NewClient(socket string, check func(*net.UnixConn) error) *Client {
	return &Client{socket, &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
			if err != nil {
				return nil, err
			}
			if err := check(conn.(*net.UnixConn)); err != nil {
				conn.Close()
				return nil, fmt.Errorf("who answers on %s is not this user's krd: %w", socket, err)
			}
			return conn, nil
		},
	}}}
}

// Status asks krd how it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodGet, "/v1/status", nil, &st)
}

// Stop asks krd to end.
func (c *Client) Stop(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, "/v1/stop", struct{}{}, nil)
}

// Unpair ends a pairing.
func (c *Client) Unpair(ctx context.Context, phone string) (Unpaired, error) {
	var out Unpaired
	return out, c.call(ctx, http.MethodPost, "/v1/unpair", UnpairRequest{phone}, &out)
}

// AddRelay gives the phones that have no relay a mailbox at one.
func (c *Client) AddRelay(ctx context.Context, at Relay) (ChangedChannels, error) {
	var out ChangedChannels
	return out, c.call(ctx, http.MethodPost, "/v1/relay/add", at, &out)
}

// RemoveRelay takes the relay of all phones away that have another channel.
func (c *Client) RemoveRelay(ctx context.Context) (ChangedChannels, error) {
	var out ChangedChannels
	return out, c.call(ctx, http.MethodPost, "/v1/relay/remove", struct{}{}, &out)
}

// AddSQS gives the phones that have no queues some in an account.
func (c *Client) AddSQS(ctx context.Context, account SQS) (ChangedChannels, error) {
	var out ChangedChannels
	return out, c.call(ctx, http.MethodPost, "/v1/sqs/add", account, &out)
}

// RemoveSQS takes the queues of all phones away that have another channel.
func (c *Client) RemoveSQS(ctx context.Context) (ChangedChannels, error) {
	var out ChangedChannels
	return out, c.call(ctx, http.MethodPost, "/v1/sqs/remove", struct{}{}, &out)
}

// CheckSQS tries an account's queues. It may take minutes.
func (c *Client) CheckSQS(ctx context.Context, account SQS) (SQSCheck, error) {
	var out SQSCheck
	return out, c.call(ctx, http.MethodPost, "/v1/sqs/check", account, &out)
}

// AddBluetooth lets all phones come by Bluetooth, too.
func (c *Client) AddBluetooth(ctx context.Context) (ChangedChannels, error) {
	var out ChangedChannels
	return out, c.call(ctx, http.MethodPost, "/v1/bluetooth/add", struct{}{}, &out)
}

// RemoveBluetooth ends that for those that have another channel.
func (c *Client) RemoveBluetooth(ctx context.Context) (ChangedChannels, error) {
	var out ChangedChannels
	return out, c.call(ctx, http.MethodPost, "/v1/bluetooth/remove", struct{}{}, &out)
}

// SetSNS says how Amazon SNS is used from now on.
func (c *Client) SetSNS(ctx context.Context, how SNS) error {
	return c.call(ctx, http.MethodPost, "/v1/sns", how, nil)
}

// CheckSNS tries the platform applications that are set.
func (c *Client) CheckSNS(ctx context.Context) (SNSCheck, error) {
	var out SNSCheck
	return out, c.call(ctx, http.MethodPost, "/v1/sns/check", struct{}{}, &out)
}

// Limit says which hosts a key is offered to.
func (c *Client) Limit(ctx context.Context, limit LimitRequest) error {
	return c.call(ctx, http.MethodPost, "/v1/limit", limit, nil)
}

// Answer answers the words that a PairEvent brought: the phone shows the same, or
// not. It counts for no other pairing than the one that these words are of.
func (c *Client) Answer(ctx context.Context, words string, same bool) error {
	return c.call(ctx, http.MethodPost, "/v1/pair/answer", PairAnswer{words, same}, nil)
}

// Pair starts a pairing and calls each for its events until the stream ends.
// When ctx ends, krd gives the pairing up. It returns what each returned, an
// *Error of krd, or io.ErrUnexpectedEOF when krd went away.
func (c *Client) Pair(ctx context.Context, req PairRequest, each func(PairEvent) error) error {
	resp, err := c.do(ctx, http.MethodPost, "/v1/pair", req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := &io.LimitedReader{R: resp.Body}
	dec := json.NewDecoder(body)
	for {
		var ev PairEvent
		body.N = maxReply // for this event, beyond what is buffered
		if err := dec.Decode(&ev); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("pair: krd has gone: %w", io.ErrUnexpectedEOF)
		}
		if ev.Error != nil {
			return ev.Error
		}
		if err := each(ev); err != nil || ev.Phone != nil {
			return err
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(out); err != nil {
		return fmt.Errorf("read krd's answer: %w", err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("ask krd: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://krd"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask krd: %w", err)
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, &NotRunningError{c.socket}
	}
	if err != nil {
		return nil, fmt.Errorf("ask krd: %w", err)
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		e := new(Error)
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(e); err != nil || e.Text == "" {
			return nil, fmt.Errorf("ask krd: it answered %s", resp.Status)
		}
		return nil, e
	}
	return resp, nil
}
