package siege

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/phone"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/transport"
	"kryptonite/internal/wire"
)

// handset is a phone: a core, its disk, and who performs its effects.
type handset struct {
	t      testing.TB
	cfg    phone.Config
	key    ed25519.PrivateKey
	blob   []byte
	person *person
	skew   time.Duration          // of its clock
	die    func(stored bool) bool // whether it is killed now, before or after it has stored; nil: never

	ctx  context.Context
	stop context.CancelFunc
	bg   sync.WaitGroup

	mu    sync.Mutex
	core  *phone.Core
	disk  map[string][]byte
	links map[string][]transport.Link // by pairing
	words map[string]string
	ended map[string]bool // pairings that are over here
	newWs chan struct{}   // closed and replaced when words has changed
	notes []phone.NoteKind
	lives int
}

// errKilled is what a frame's channel hears of a phone that died before it stored.
var errKilled = errors.New("siege: the phone was killed")

func newHandset(t testing.TB, p *person) *handset {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &handset{t: t, key: key, blob: sshwire.Ed25519Blob(pub), person: p, disk: map[string][]byte{}, links: map[string][]transport.Link{},
		words: map[string]string{}, ended: map[string]bool{}, newWs: make(chan struct{})}
	h.cfg = phone.Config{Name: "ana", Version: "test", Keys: []wire.SSHKey{{PublicKey: h.blob, Name: "default"}}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.revive()
	h.bg.Go(h.tick)
	return h
}

func (h *handset) now() time.Time { return time.Now().Add(h.skew) }

// close ends the phone and waits for what it started.
func (h *handset) close() {
	h.stop()
	h.bg.Wait()
}

// revive makes the core anew from the disk. The caller holds mu, or is alone.
func (h *handset) revive() {
	core, err := phone.New(h.cfg, maps.Clone(h.disk))
	if err != nil {
		h.t.Errorf("the phone does not start from its own disk: %v", err)
		return
	}
	h.core = core
	h.lives++
}

// restart kills the phone, and starts it.
func (h *handset) restart() {
	h.mu.Lock()
	h.revive()
	h.mu.Unlock()
	h.handle(phone.Start{})
}

// tick does what is due.
func (h *handset) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			h.handle(phone.Tick{})
		case <-h.ctx.Done():
			return
		}
	}
}

// scan opens a pairing link, with the channels that lead to its computer. Opened
// again it sends again.
func (h *handset) scan(link string, links []transport.Link) (pairing string) {
	h.mu.Lock()
	h.links[""] = links
	h.mu.Unlock()
	h.handle(phone.OpenLink{Link: link})
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.core.Computers() {
		if _, known := h.links[c.Pairing]; !known {
			pairing = c.Pairing
		}
	}
	if pairing != "" {
		h.links[pairing] = links
		for _, l := range links {
			h.bg.Go(func() { l.Receive(h.ctx, func(b []byte) error { return h.frame(pairing, b) }) })
		}
	}
	return pairing
}

// frame takes a frame; what it does not take is transport.ErrForged.
func (h *handset) frame(pairing string, b []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	core, before := h.core, h.core.Dropped()
	if err := h.perform(phone.Frame{Pairing: pairing, Data: b}); err != nil {
		return err
	}
	if h.core == core && core.Dropped() > before {
		return transport.ErrForged
	}
	return nil
}

func (h *handset) handle(ev phone.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_ = h.perform(ev) // the person, or the clock, comes again
}

// perform gives an event to the core and does what it wants: what must be durable
// first, as programs do. The caller holds mu.
func (h *handset) perform(ev phone.Event) error {
	events := []phone.Event{ev}
	for len(events) > 0 {
		ev, events = events[0], events[1:]
		effects := h.core.Handle(h.now(), ev)
		if h.die != nil && h.die(false) {
			h.revive()
			events = []phone.Event{phone.Start{}}
			if _, isFrame := ev.(phone.Frame); isFrame {
				h.finish(events)
				return errKilled
			}
			continue
		}
		for _, e := range effects {
			if s, ok := e.(phone.Store); ok {
				if h.disk[s.Key] = s.Value; s.Value == nil {
					delete(h.disk, s.Key)
				}
			}
		}
		if d, ok := ev.(phone.Decide); ok && kept(effects) {
			h.person.decided(d.Request, d.Allow)
		}
		if h.die != nil && h.die(true) {
			h.revive()
			events = []phone.Event{phone.Start{}} // whatever else there was to do is lost
			continue
		}
		for _, e := range effects {
			events = append(events, h.effect(e)...)
		}
	}
	return nil
}

// finish performs events of a phone that has just started.
func (h *handset) finish(events []phone.Event) {
	for _, ev := range events {
		_ = h.perform(ev)
	}
}

// kept reports whether a decision was taken: each has an entry in the log.
func kept(effects []phone.Effect) bool {
	for _, e := range effects {
		if s, ok := e.(phone.Store); ok && len(s.Key) > len(phone.LogPrefix) && s.Key[:len(phone.LogPrefix)] == phone.LogPrefix && s.Value != nil {
			return true
		}
	}
	return false
}

// effect performs one effect, and returns what comes of it.
func (h *handset) effect(e phone.Effect) []phone.Event {
	switch e := e.(type) {
	case phone.Send:
		links := h.links[e.Pairing]
		if links == nil {
			links = h.links[""]
		}
		for _, l := range links {
			h.bg.Go(func() {
				ctx, cancel := context.WithTimeout(h.ctx, 15*time.Second)
				defer cancel()
				if l.Send(ctx, e.Frame) == nil && e.Farewell {
					h.handle(phone.Told{Pairing: e.Pairing})
				}
			})
		}
	case phone.ShowWords:
		h.words[e.Pairing] = e.Words
		close(h.newWs)
		h.newWs = make(chan struct{})
	case phone.Ask:
		if allow, ok := h.person.see(e.Card); ok {
			return []phone.Event{phone.Decide{Pairing: e.Card.Pairing, Request: e.Card.Request, Allow: allow}}
		}
	case phone.Sign:
		h.person.sign(e)
		return []phone.Event{phone.Signed{Pairing: e.Pairing, Request: e.Request, Signature: sshwire.SignEd25519(h.key, e.Payload)}}
	case phone.Note:
		h.notes = append(h.notes, e.Kind)
		if e.Kind == phone.NoteUnpaired || e.Kind == phone.NoteRefused || e.Kind == phone.NoteTooLate {
			h.ended[e.Pairing] = true
		}
	}
	return nil
}

// wordsOf waits for the two words of a pairing, or until ctx ends.
func (h *handset) wordsOf(ctx context.Context, pairing string) string {
	for {
		h.mu.Lock()
		w, changed := h.words[pairing], h.newWs
		h.mu.Unlock()
		if w != "" {
			return w
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ""
		}
	}
}

// screen is what the phone shows of a pairing: its two words, or "".
func (h *handset) screen(pairing string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.words[pairing]
}

// confirm is the person's answer to the two words.
func (h *handset) confirm(pairing string, yes bool) {
	h.handle(phone.Confirm{Pairing: pairing, Yes: yes})
}

// entries is the log on the disk, by request, and how many older ones it has had: it
// keeps 10,000.
func (h *handset) entries() (log map[wire.ID]int, older int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, end, err := phone.Log(h.disk)
	if err != nil {
		h.t.Errorf("the phone's log: %v", err)
	}
	log = map[wire.ID]int{}
	for _, e := range list {
		log[e.Request]++
	}
	return log, int(end.Len()) - len(list)
}
