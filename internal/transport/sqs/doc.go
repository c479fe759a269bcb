// Package sqs carries frames through two queues of Amazon SQS, one for each
// direction, which belong to the computer's AWS account.
//
// A [Link] needs three calls of SQS, a [Caller]. The phone's is [Client]: plain
// HTTP requests without a signature, as the queues' policies allow. The
// computer's, with AWS's SDK and the account's credentials, is in package owner,
// so that a phone does not carry the SDK.
//
//	send     SendMessage; its body is the frame in base64; tried again for 10 s
//	receive  ReceiveMessage, at most 10, waits up to 20 s, then
//	         DeleteMessageBatch of those that were handled
//
// A frame that the handler refused, or that could not be deleted, appears again
// after the queue's visibility timeout. Names of queues are capabilities: no
// error and no log has one.
//
// References: [kr-protocol] docs/protocol.md §5.7; Amazon SQS API Reference.
package sqs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kryptonite/internal/transport"
	"kryptonite/internal/wire"
)

// What queues are made with, and asked for. [kr-protocol] §5.7.
const (
	Retention   = 172800 // seconds that a frame is kept
	Visibility  = 5      // seconds until a frame that was not deleted comes again
	MaxBody     = (transport.MaxFrame + 2) / 3 * 4
	PollSeconds = 20 // the longest wait of a ReceiveMessage
	Batch       = 10 // messages of one answer, and of one deletion
)

// Caller calls SQS for one end. queue is a URL. Methods are safe for concurrent
// use; they return an *[Error], the context's error or the network's.
type Caller interface {
	// SendMessage puts a body into a queue.
	SendMessage(ctx context.Context, queue, body string) error
	// ReceiveMessages takes up to Batch messages, and waits for the first.
	ReceiveMessages(ctx context.Context, queue string, waitSeconds int) ([]Message, error)
	// DeleteMessages deletes up to Batch messages by their receipt handles.
	DeleteMessages(ctx context.Context, queue string, handles []string) error
}

// Message is one message that was received.
type Message struct{ Body, Handle string }

// Error is SQS's word that it did not do what was asked. AWS's text is left out:
// it has names of queues in it.
type Error struct {
	Op     string // "CreateQueue"
	Code   string // "AccessDenied"; "" if there was none that is printable
	Status int    // of HTTP
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("SQS answered %s with %d %s", e.Op, e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("SQS answered %s with %d, %s", e.Op, e.Status, e.Code)
}

// Action is the IAM action that the operation needs.
func (e *Error) Action() string { return "sqs:" + strings.TrimSuffix(e.Op, "Batch") }

// Denied reports whether the caller may not do that.
func (e *Error) Denied() bool {
	return slices.Contains([]string{"AccessDenied", "AccessDeniedException"}, e.Code)
}

// NoQueue reports whether the queue does not exist.
func (e *Error) NoQueue() bool {
	return slices.Contains([]string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}, e.Code)
}

// transient reports whether the same call may succeed soon.
func (e *Error) transient() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || slices.Contains([]string{"RequestThrottled", "ThrottlingException", "Throttling",
		"RequestThrottledException", "OverLimit", "KmsThrottled"}, e.Code)
}

// printable is a code as SQS gives it, without the namespace before '#'; "" for
// anything else.
func printable(code string) string {
	code = code[strings.LastIndexByte(code, '#')+1:]
	if len(code) > 80 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") != "" {
		return ""
	}
	return code
}

// NewError returns the Error of an operation's answer.
func NewError(op, code string, status int) *Error { return &Error{op, printable(code), status} }

// Endpoint is where SQS is in a region: custom, if the user of this end gave
// one, without a slash at its end.
func Endpoint(region, custom string) string {
	switch {
	case custom != "":
		return strings.TrimSuffix(custom, "/")
	case strings.HasPrefix(region, "cn-"):
		return "https://sqs." + region + ".amazonaws.com.cn"
	}
	return "https://sqs." + region + ".amazonaws.com"
}

// Queues are the URLs of an address's two queues at an endpoint; custom as for
// [Endpoint]. Errors: that a breaks a rule.
func Queues(a wire.SQSAddress, custom string) (toComputer, toPhone string, err error) {
	if err := a.Check(); err != nil {
		return "", "", err
	}
	base := Endpoint(a.Region, custom) + "/" + a.Account + "/"
	return base + a.ToComputer, base + a.ToPhone, nil
}

var errBody = errors.New("sqs: a message is no frame")

// decode reads a body. A frame has one spelling only.
func decode(body string) ([]byte, error) {
	frame, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil || len(frame) == 0 || len(frame) > transport.MaxFrame || strings.ContainsAny(body, "\r\n") {
		return nil, errBody
	}
	return frame, nil
}
