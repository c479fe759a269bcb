package waitline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// desk is a desktop that keeps what is done on it.
type desk struct {
	mu    sync.Mutex
	did   strings.Builder
	last  uint32
	open  int
	fails error
	hangs bool
}

func (d *desk) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(&d.did, format+"\n", args...)
}

func (d *desk) Show(ctx context.Context, id uint32, title, body string) (uint32, error) {
	if d.hangs {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if id == 0 {
		d.last++
		id = d.last
	}
	d.say("%d: %s|%s", id, title, body)
	return id, d.fails
}

func (d *desk) Remove(_ context.Context, id uint32) error { d.say("%d: removed", id); return nil }

func (d *desk) Close() error { d.open--; return nil }

func (d *desk) notes() *Notes {
	return &Notes{Open: func(context.Context) (Desk, error) { d.open++; return d, nil }}
}

// is checks what was done since the last time.
func (d *desk) is(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if got := d.did.String(); got != want {
		t.Errorf("%s:\n%swant\n%s", when, got, want)
	}
	d.did.Reset()
}

// TestNote: one request, from nothing to its outcome.
func TestNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		ns := d.notes()
		n := ns.Start(text)
		d.is(t, "at once", "")
		time.Sleep(firstAfter)
		d.is(t, "after 300 ms", "1: Waiting for Ana's phone to approve root@server|\n")
		time.Sleep(4700 * time.Millisecond)
		n.Slow()
		d.is(t, "slow", "1: Waiting for Ana's phone to approve root@server|the phone has not answered yet\n")
		n.Acked(time.Minute)
		d.is(t, "in the same second", "")
		time.Sleep(every)
		d.is(t, "acked", "1: Waiting for Ana's phone to approve root@server|\n")
		n.Approved()
		d.is(t, "approved", "1: removed\n")
		n.Failed("again")
		ns.Start(text).Approved() // at once
		n = ns.Start(text)
		n.Failed("declined on the phone\x1b[2J")
		ns.Wait()
		d.is(t, "declined at once", "2: root@server: declined on the phone\ufffd[2J|\n")
		n = ns.Start(text)
		time.Sleep(time.Second)
		n.Drop()
		ns.Wait()
		d.is(t, "ssh has gone", "3: Waiting for Ana's phone to approve root@server|\n3: removed\n")
		if d.open != 0 || ns.changed != nil || len(ns.waiting) != 0 {
			t.Errorf("%d desks are open, %d wait", d.open, len(ns.waiting))
		}
	})
}

// TestManyNotes: a hundred at once are one notification, which changes at most
// once a second, and says what came of the last one only.
func TestManyNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		ns := d.notes()
		var all []*Note
		for range 100 {
			all = append(all, ns.Start(text))
		}
		time.Sleep(firstAfter)
		d.is(t, "at first", "1: 100 requests wait for your phone|\n")
		for _, n := range all[:98] {
			n.Failed("declined on the phone")
			time.Sleep(10 * time.Millisecond)
		}
		d.is(t, "for a second", "")
		time.Sleep(every)
		d.is(t, "then", "1: 2 requests wait for your phone|\n")
		all[98].Failed("declined on the phone")
		time.Sleep(every)
		d.is(t, "one is left", "1: Waiting for Ana's phone to approve root@server|\n")
		all[99].Failed("the phone did not answer")
		ns.Wait()
		d.is(t, "the last one", "1: root@server: the phone did not answer|\n")
	})
}

// TestNoDesk: without a desktop, with one that fails, and with one that hangs,
// requests go on, and it is tried once for all that wait.
func TestNoDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		(&Notes{}).Start(text).Failed("no")
		down := errors.New("down")
		for name, c := range map[string]struct {
			open func(context.Context) (Desk, error)
			want error
		}{
			"none": {func(context.Context) (Desk, error) { return (*desk)(nil), down }, down},
			"opening hangs": {func(ctx context.Context) (Desk, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}, context.Canceled},
			"it fails": {func(context.Context) (Desk, error) { return &desk{fails: down}, nil }, down},
			"it hangs": {func(context.Context) (Desk, error) { return &desk{hangs: true}, nil }, context.DeadlineExceeded},
		} {
			var lost []error
			ns := &Notes{Open: c.open, Lost: func(err error) { lost = append(lost, err) }}
			a, b := ns.Start(text), ns.Start(text)
			time.Sleep(time.Minute)
			a.Slow()
			a.Approved()
			time.Sleep(time.Minute)
			b.Failed("declined")
			ns.Wait()
			if len(lost) != 1 || !errors.Is(lost[0], c.want) {
				t.Errorf("%s: %v", name, lost)
			}
		}
	})
}
