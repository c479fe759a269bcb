package sqs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"kryptonite/internal/transport"
	"kryptonite/internal/transport/sqs"
)

// FuzzAnswer: whatever answers a receive, what comes of it are frames that fit,
// and errors that a person may read.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{"eA==", "", "====", "eB=="} {
		b, err := json.Marshal(map[string]any{"Messages": []any{map[string]string{"Body": body, "MD5OfBody": "x", "ReceiptHandle": "h"}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, b, body)
	}
	f.Add(400, []byte(`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"x"}`), "")
	f.Add(403, []byte("\x1b[2J"), "eA=")
	f.Fuzz(func(t *testing.T, status int, answer []byte, body string) {
		c := sqs.NewClient(roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(answer))}, nil
		}))
		_, err := c.ReceiveMessages(t.Context(), "https://sqs.eu-central-1.amazonaws.com/1/q", 0)
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("the error is %q", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		l := sqs.NewLink(&one{body: body, stop: stop}, "", "", nil)
		l.Receive(ctx, func(frame []byte) error {
			if len(frame) == 0 || len(frame) > transport.MaxFrame || base64.StdEncoding.EncodeToString(frame) != body {
				t.Errorf("%q is the frame %x", body, frame)
			}
			return nil
		})
	})
}

// one is a Caller with one message.
type one struct {
	body string
	stop func()
}

func (o *one) SendMessage(context.Context, string, string) error { return nil }

func (o *one) ReceiveMessages(context.Context, string, int) ([]sqs.Message, error) {
	return []sqs.Message{{Body: o.body, Handle: "h"}}, nil
}

func (o *one) DeleteMessages(context.Context, string, []string) error {

	o.stop()
	return nil
}
