package relay

import (
	"context"
	"errors"
	"time"

	"kryptonite/internal/mailbox"
)

// What a Store answers besides faults of its own.
var (
	ErrNoMailbox        = errors.New("relay: no such mailbox")
	ErrConflict         = errors.New("relay: the same idempotency key came with another body")
	ErrMailboxFull      = errors.New("relay: mailbox is full")
	ErrStoreFull        = errors.New("relay: store is full")
	ErrTooManyMailboxes = errors.New("relay: too many mailboxes")
	ErrClosed           = errors.New("relay: store is closed")
)

// Frame is one stored frame.
type Frame struct {
	Seq  uint64 // ever increasing within one mailbox, never used twice
	Body []byte // nobody changes it
}

// Post is one frame on its way into a Store.
type Post struct {
	To    mailbox.Address
	ID    mailbox.PostID
	Body  []byte // belongs to the Store from here on
	At    time.Time
	Quota Quota
}

// Quota bounds what may wait; a store whose limits are set elsewhere (a NATS
// stream's configuration) may ignore it and report its own.
type Quota struct {
	MailboxFrames int   // frames in one mailbox
	MailboxBytes  int64 // bytes of frames in one mailbox
	TotalBytes    int64 // bytes of frames in all mailboxes, and FrameOverhead for each
}

// Expired counts what one Expire removed.
type Expired struct{ Frames, Mailboxes int }

// A Store keeps mailboxes and their frames. What a method says is durable has
// survived a power cut once the method returned. All methods are safe for
// concurrent use. boltstore and memstore implement it, storetest holds the
// suite that both pass.
//
// It is cut so that a replicated log fits behind it too: one stream with a
// subject per mailbox, the idempotency key as message id, Watch as one wildcard
// subscription per relay, Backlog as a batched read, Ack as delete by sequence.
type Store interface {
	// Watch names the function that gets each newly appended frame. It is
	// called once, before all other methods. deliver is called in the order of
	// Seq within one mailbox, possibly before the frame is durable and even if
	// it then fails to become so; it does not block and does not call the Store.
	Watch(deliver func(mailbox.Address, Frame))

	// Exists reports whether the mailbox exists.
	Exists(ctx context.Context, addr mailbox.Address) (bool, error)

	// Create makes the mailbox, durably, unless it exists; both count as a read
	// at now. It returns ErrTooManyMailboxes if there are max already.
	Create(ctx context.Context, addr mailbox.Address, now time.Time, max int) (created bool, err error)

	// Append stores a frame and returns once it is durable. If the same ID was
	// appended to the mailbox within the last mailbox.IdempotencyWindow, it
	// stores nothing: repeated is true if the body was the same (and returns
	// only once that one is durable), else the error is ErrConflict.
	// Other errors: ErrNoMailbox, ErrMailboxFull, ErrStoreFull. After a fault, or
	// when ctx ends first, the frame may or may not be stored.
	Append(ctx context.Context, p Post) (repeated bool, err error)

	// Backlog returns the frames with Seq > after that are not acknowledged, in
	// order, at most maxFrames of them and no more than maxBytes (but at least
	// one frame, if there is any). Every frame whose Append was delivered
	// before the call is seen, durable or not.
	Backlog(ctx context.Context, addr mailbox.Address, after uint64, maxFrames, maxBytes int) ([]Frame, error)

	// Ack removes a frame soon, also one that is not durable yet. It does not
	// wait; unknown numbers are ignored. After a crash the frame may be back.
	Ack(addr mailbox.Address, seq uint64)

	// Touch notes that the mailbox was read at now. It does not wait.
	Touch(addr mailbox.Address, now time.Time)

	// Delete removes the mailbox and all in it, durably. A mailbox that does not
	// exist is no error.
	Delete(ctx context.Context, addr mailbox.Address) error

	// Expire removes frames appended before frames, and mailboxes last read
	// before unread, and forgets old idempotency keys. What has a time after now,
	// from a clock that was ahead, counts as from now.
	Expire(ctx context.Context, now, frames, unread time.Time) (Expired, error)

	// Close makes everything accepted so far durable and lets go of the store.
	// Later calls return ErrClosed.
	Close() error
}
