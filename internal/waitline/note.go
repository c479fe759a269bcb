package waitline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kryptonite/internal/term"
)

const deskLimit = 2 * time.Second // for one word to the desktop

// Desk is where notifications are shown.
type Desk interface {
	// Show shows one in the place of the one with this id, or, if it is 0, a new
	// one, and returns its id.
	Show(ctx context.Context, id uint32, title, body string) (uint32, error)
	Remove(ctx context.Context, id uint32) error
	Close() error
}

// Notes is for requests that wait and have no terminal: one notification says
// what waits, however many do, and at last what came of the last one, if that is
// no approval. What takes less than 300 ms shows nothing, unless it fails. The zero
// value shows nothing. It is safe for concurrent use.
type Notes struct {
	Open func(context.Context) (Desk, error) // called for as long as something waits; nil: there is no desktop
	Lost func(error)                         // why something was not shown; may be nil

	work sync.WaitGroup

	mu      sync.Mutex
	waiting []*Note       // oldest first
	outcome string        // of the last one
	changed chan struct{} // of the goroutine that shows them; nil: none runs
}

// Note is one request. Its methods are safe for concurrent use.
type Note struct {
	notes *Notes
	text  Text
	slow  bool // belongs to notes.mu
}

// Start begins a note. It ends with Approved, Failed or Drop.
func (ns *Notes) Start(text Text) *Note {
	n := &Note{notes: ns, text: text}
	if ns.Open == nil {
		return n
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.waiting, ns.outcome = append(ns.waiting, n), ""
	if ns.changed == nil {
		ns.changed = make(chan struct{}, 1)
		ns.work.Go(ns.run)
	}
	ns.look()
	return n
}

// Wait waits until nothing is shown any more, after all notes have ended.
func (ns *Notes) Wait() { ns.work.Wait() }

// look makes run look. The caller holds mu.
func (ns *Notes) look() {
	select {
	case ns.changed <- struct{}{}:
	default:
	}
}

// Acked says that the phone has the request.
func (n *Note) Acked(time.Duration) { n.setSlow(false) }

// Slow says that the phone has not acknowledged the request yet.
func (n *Note) Slow() { n.setSlow(true) }

func (n *Note) setSlow(slow bool) {
	n.notes.mu.Lock()
	defer n.notes.mu.Unlock()
	n.slow = slow
	n.notes.look()
}

// Approved ends the note; nothing is to be said of that.
func (n *Note) Approved() { n.end("") }

// Drop ends the note: nobody waits any more.
func (n *Note) Drop() { n.end("") }

// Failed ends the note with why there is no signature.
func (n *Note) Failed(why string) {
	if n.text.What != "" {
		why = n.text.What + ": " + why
	}
	n.end(why)
}

func (n *Note) end(outcome string) {
	ns := n.notes
	ns.mu.Lock()
	defer ns.mu.Unlock()
	i := slices.Index(ns.waiting, n)
	if i < 0 {
		return
	}
	ns.waiting = slices.Delete(ns.waiting, i, i+1)
	ns.outcome = outcome
	ns.look()
}

// now is what is to be seen, and whether something waits. The caller holds mu.
func (ns *Notes) now() (title, body string, waits bool) {
	switch len(ns.waiting) {
	case 0:
		return term.Clean(ns.outcome), "", false
	case 1:
		n := ns.waiting[0]
		if n.slow {
			body = n.text.Slow
		}
		return term.Clean(n.text.Wait), term.Clean(body), true
	}
	return fmt.Sprintf("%d requests wait for your phone", len(ns.waiting)), "", true
}

// run shows what there is until nothing waits. It changes what is seen at most once
// a second, but for the end.
func (ns *Notes) run() {
	s := shown{notes: ns}
	defer s.close()
	next := time.NewTimer(firstAfter)
	defer next.Stop()
	due := false
	for {
		select {
		case <-next.C:
			due = true
		case <-ns.changed:
		}
		ns.mu.Lock()
		title, body, waits := ns.now()
		if !waits {
			ns.changed = nil // whoever comes next begins anew
			ns.mu.Unlock()
			s.last(title)
			return
		}
		ns.mu.Unlock()
		if due && s.show(title, body) {
			due = false
			next.Reset(every)
		}
	}
}

// shown is the notification that run has on the desktop.
type shown struct {
	notes       *Notes
	desk        Desk // nil: not open
	id          uint32
	title, body string
	lost        bool // nothing more is tried
	stop        context.CancelFunc
}

// show shows a text; it returns false if it is there already.
func (s *shown) show(title, body string) bool {
	if s.lost || title == s.title && body == s.body {
		return false
	}
	s.try(func(ctx context.Context) (err error) {
		s.id, err = s.desk.Show(ctx, s.id, title, body)
		return err
	})
	s.title, s.body = title, body
	return true
}

// last leaves an outcome, or, if it is "", nothing.
func (s *shown) last(outcome string) {
	switch {
	case outcome != "":
		s.show(outcome, "")
	case s.title != "" && !s.lost:
		s.try(func(ctx context.Context) error { return s.desk.Remove(ctx, s.id) })
	}
}

// try does something on the desktop, which may be gone or hang.
func (s *shown) try(f func(context.Context) error) {
	if s.lost {
		return
	}
	var err error
	if s.desk == nil {
		// A desk that hangs while it is opened ends with its context.
		ctx, stop := context.WithCancel(context.Background())
		limit := time.AfterFunc(deskLimit, stop)
		s.stop = stop
		if s.desk, err = s.notes.Open(ctx); err != nil {
			s.desk = nil
		}
		limit.Stop()
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), deskLimit)
		defer cancel()
		err = f(ctx)
	}
	if err == nil {
		return
	}
	s.lost = true
	if s.notes.Lost != nil {
		s.notes.Lost(err)
	}
}

func (s *shown) close() {
	if s.desk != nil {
		s.desk.Close()
	}
	if s.stop != nil {
		s.stop()
	}
}
