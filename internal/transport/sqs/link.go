package sqs

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/transport"
)

const (
	tryTimeout   = 5 * time.Second        // one try of a send, or a deletion
	pollTimeout  = 30 * time.Second       // one receive; SQS waits for 20 s
	retryFor     = 10 * time.Second       // how long a send is tried again
	firstPause   = 50 * time.Millisecond  // between two tries of a send, then doubled
	longestPause = time.Second            // between two tries of a send
	minPause     = 250 * time.Millisecond // after a receive that failed, or did not wait, then doubled
	maxPause     = 15 * time.Second       // the longest of these
	farewell     = 500 * time.Millisecond // for a deletion, when Receive ends
)

// NewLink returns a Link, named "sqs", that puts frames into the queue send and
// takes them from the queue receive, both URLs. A nil log discards.
func NewLink(c Caller, send, receive string, log *slog.Logger) transport.Link {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &link{c: c, send: send, receive: receive, log: log}
}

type link struct {
	c             Caller
	send, receive string
	log           *slog.Logger

	health transport.Health
}

func (l *link) Name() string { return "sqs" }

// Send returns when SQS has the frame. Errors: transport.ErrTooLarge,
// transport.ErrNoMailbox for a queue that is not there, ctx's, an *Error, or the
// network's.
func (l *link) Send(ctx context.Context, frame []byte) error {
	if len(frame) == 0 || len(frame) > transport.MaxFrame {
		return transport.ErrTooLarge
	}
	start := time.Now()
	err := l.sendBody(ctx, base64.StdEncoding.EncodeToString(frame))
	if err == nil || ctx.Err() == nil {
		l.health.Sent(start, time.Now(), err)
	}
	return err
}

func (l *link) sendBody(ctx context.Context, body string) error {
	deadline := time.Now().Add(retryFor)
	pause := firstPause
	for try := 1; ; try++ {
		err := l.trySend(ctx, body)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("send by SQS: %w", ctx.Err())
		}
		said := new(Error)
		switch isAnswer := errors.As(err, &said); {
		case isAnswer && said.NoQueue():
			return fmt.Errorf("send by SQS: %w", transport.ErrNoMailbox)
		case isAnswer && !said.transient():
			return fmt.Errorf("send by SQS: %w", err)
		}
		wait := backoff.Jitter(pause)
		pause = min(2*pause, longestPause)
		if time.Until(deadline) <= wait {
			return fmt.Errorf("send by SQS, %d tries: %w", try, err)
		}
		l.log.Debug("a send is tried again", "try", try, "err", err)
		if err := backoff.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("send by SQS: %w", err)
		}
	}
}

func (l *link) trySend(ctx context.Context, body string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return l.c.SendMessage(ctx, l.send, body)
}

// Receive returns ctx's error and no other: a queue may come back, and so may
// the right to use it.
func (l *link) Receive(ctx context.Context, handle func(frame []byte) error) error {
	defer l.health.Disconnected()
	pause, wait := minPause, 0
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		begun := time.Now()
		came, err := l.poll(ctx, wait, handle)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// An empty answer that comes early was not made by an SQS that waited.
		if early := time.Since(begun) < time.Duration(wait)*time.Second/2; err == nil && (came > 0 || !early) {
			pause, wait = minPause, PollSeconds
			continue
		}
		again := backoff.Jitter(pause)
		pause = min(2*pause, maxPause)
		if err != nil {
			l.health.Disconnected()
			l.health.Note(time.Now(), err)
			wait = 0 // then an answer at once says that it works
			l.log.Debug("receiving failed", "err", err, "again_in", again)
		}
		if backoff.Sleep(ctx, again) != nil {
			return context.Cause(ctx)
		}
	}
}

// poll takes what there is, hands it to handle and deletes what was handled. It
// returns how many messages came.
func (l *link) poll(ctx context.Context, wait int, handle func([]byte) error) (came int, err error) {
	messages, err := l.take(ctx, wait)
	if err != nil {
		return 0, err
	}
	l.health.Connected(time.Now(), "long poll")
	var done []string
	for _, m := range messages {
		if ctx.Err() != nil {
			break // the others come again
		}
		frame, err := decode(m.Body)
		switch {
		case err != nil:
			l.log.Debug("a message is dropped", "err", err)
		default:
			if err := handle(frame); err != nil && !errors.Is(err, transport.ErrForged) {
				continue // it comes again
			}
		}
		done = append(done, m.Handle)
	}
	if len(done) == 0 {
		return len(messages), nil
	}
	deleting, cancel := lasting(ctx)
	defer cancel()
	if err := l.c.DeleteMessages(deleting, l.receive, done); err != nil {
		return 0, fmt.Errorf("delete from SQS what was received: %w", err)
	}
	return len(messages), nil
}

func (l *link) take(ctx context.Context, wait int) ([]Message, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	messages, err := l.c.ReceiveMessages(ctx, l.receive, wait)
	if err != nil {
		return nil, fmt.Errorf("receive by SQS: %w", err)
	}
	return messages, nil
}

// lasting returns a context for one deletion, which goes on for a moment after
// ctx has ended.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTimeout)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(farewell, cancel)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() { stop(); cancel() }
}

func (l *link) Status() transport.Status { return l.health.Status() }
