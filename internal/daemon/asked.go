package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"kryptonite/internal/auditlog"
	"kryptonite/internal/control"
	"kryptonite/internal/fault"
	"kryptonite/internal/statedir"
)

const (
	askedFile   = "log.journal"
	maxAsked    = 10_000 // entries that are kept, of all phones together
	maxFindings = 16     // of one phone that are kept, the newest

	askedPrefix = "entry/"
	watchPrefix = "watch/"
)

// askedLog is krd's own log: what was asked of phones and what came of it, and
// what is known of the phones' logs. What is added is written by whoever adds
// it, several at once by one sync, so it is called in the background. The zero
// value keeps everything in memory.
type askedLog struct {
	mu      sync.Mutex
	journal *statedir.Journal // or nil
	log     *slog.Logger
	entries []control.LogEntry // oldest first
	next    uint64             // Seq of the next entry
	watches map[string]*watched
	pending []statedir.Op // to be written
	writing chan struct{} // closed when who writes has done; nil: nobody does
}

// watched is what is known of the log of one phone.
type watched struct {
	auditlog.Watch
	wrong []control.LogFinding // oldest first
	dirty bool                 // not written
}

// watchRecord is a watched on disk.
type watchRecord struct {
	Marks []auditlog.Mark      `json:"marks,omitempty"`
	Wrong []control.LogFinding `json:"wrong,omitempty"`
}

func entryKey(seq uint64) string { return fmt.Sprintf("%s%020d", askedPrefix, seq) }

// open reads what an earlier krd kept. paired are the ids of the pairings that
// there are; nothing more is watched. Whatever is wrong with the file, krd works
// on, without what it cannot read.
func (l *askedLog) open(dir *statedir.Dir, log *slog.Logger, paired []string) {
	l.log = log
	j, records, err := statedir.OpenJournal(dir, askedFile, nil)
	if damaged := new(statedir.DamagedError); errors.As(err, &damaged) {
		log.Error("krd's log of requests begins anew; what was known of the phones' logs is gone, too", "err", err)
		j, records, err = statedir.OpenJournal(dir, askedFile, nil)
	}
	if err != nil {
		log.Error("krd's log of requests is not kept", "err", err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.journal = j
	for k, v := range records {
		if err := l.load(k, v, paired); err != nil {
			log.Error("a record of krd's log of requests cannot be read", "record", k, "err", err)
		}
	}
	slices.SortFunc(l.entries, func(a, b control.LogEntry) int { return int(int64(a.Seq - b.Seq)) })
	if n := len(l.entries); n > 0 {
		l.next = l.entries[n-1].Seq
	}
}

// load takes one record. The caller holds mu.
func (l *askedLog) load(key string, value []byte, paired []string) error {
	if id, ok := strings.CutPrefix(key, watchPrefix); ok {
		var r watchRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		if !slices.Contains(paired, id) {
			l.pending = append(l.pending, statedir.Op{Key: key}) // with the next entry
			return nil
		}
		w := l.watched(id)
		w.Watch, w.wrong = auditlog.WatchFrom(r.Marks), r.Wrong
		return nil
	}
	var e control.LogEntry
	if err := json.Unmarshal(value, &e); err != nil {
		return err
	}
	if entryKey(e.Seq) != key {
		return errors.New("its name is not that of the entry")
	}
	l.entries = append(l.entries, e)
	return nil
}

// watched is the phone's, made when it is missing. The caller holds mu.
func (l *askedLog) watched(pairing string) *watched {
	w := l.watches[pairing]
	if w == nil {
		w = &watched{}
		if l.watches == nil {
			l.watches = map[string]*watched{}
		}
		l.watches[pairing] = w
	}
	return w
}

// add numbers an entry, forgets the oldest one, and writes.
func (l *askedLog) add(e control.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	e.Seq = l.next
	l.entries = append(l.entries, e)
	l.pending = append(l.pending, statedir.Op{Key: entryKey(e.Seq), Value: encoded(e)})
	if n := len(l.entries) - maxAsked; n > 0 {
		for _, old := range l.entries[:n] {
			l.pending = append(l.pending, statedir.Op{Key: entryKey(old.Seq)})
		}
		clear(l.entries[:n])
		l.entries = l.entries[n:] // not moved: others wait for mu
	}
	_ = l.write() // it has said so
}

// flush writes what is new about phones' logs.
func (l *askedLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.write() // it has said so
}

// write makes all that is pending durable, unless somebody does already: then
// that one writes this, too. The caller holds mu, which is free while the disk
// works. An error: not all of it is, and what is known of phones' logs is written
// with the next entry.
func (l *askedLog) write() error {
	if l.journal == nil {
		l.pending = nil
		return errors.New("krd's log of requests could not be opened")
	}
	if l.writing != nil {
		return nil
	}
	done := make(chan struct{})
	l.writing = done
	var failed []statedir.Op
	var worst error
	for ops := l.take(); len(ops) > 0; ops = l.take() {
		l.mu.Unlock()
		err := l.journal.Commit(ops)
		fault.Point("krd.log.stored")
		l.mu.Lock()
		if err != nil {
			l.log.Warn("an entry of krd's log of requests is not kept", "err", err)
			failed, worst = append(failed, ops...), err
		}
	}
	for _, op := range failed {
		if id, ok := strings.CutPrefix(op.Key, watchPrefix); ok && l.watches[id] != nil {
			l.watches[id].dirty = true
		}
	}
	l.writing = nil
	close(done)
	return worst
}

// take returns what is to be written. The caller holds mu.
func (l *askedLog) take() []statedir.Op {
	ops := l.pending
	l.pending = nil
	for id, w := range l.watches {
		if w.dirty {
			ops = append(ops, statedir.Op{Key: watchPrefix + id, Value: encoded(watchRecord{w.Marks(), w.wrong})})
			w.dirty = false
		}
	}
	return ops
}

func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("daemon: bug: a record does not encode: " + err.Error())
	}
	return b
}

// ask is before a request goes to a phone.
func (l *askedLog) ask(pairing string) auditlog.Ticket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watched(pairing).Ask()
}

// answer takes what an answer says of the phone's log, and returns what is
// wrong with it. It is not written yet.
func (l *askedLog) answer(pairing string, t auditlog.Ticket, m auditlog.Mark, now time.Time) *auditlog.Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watched(pairing)
	w.dirty = true
	f := w.Answer(t, m)
	if f != nil {
		w.wrong = append(w.wrong, control.LogFinding{At: now.Round(0).Truncate(time.Second), Text: f.String(), Kind: string(f.Kind),
			LengthBefore: f.Before.Length, HeadBefore: f.Before.Head.String(), Length: f.Now.Length, Head: f.Now.Head.String()})
		w.wrong = slices.Delete(w.wrong, 0, max(0, len(w.wrong)-maxFindings))
	}
	return f
}

// accept takes what was found of a phone's log for known, and returns how much
// that was, once it is durable.
func (l *askedLog) accept(pairing string) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing != nil { // that one would not tell us how it went
		done := l.writing
		l.mu.Unlock()
		<-done
		l.mu.Lock()
	}
	w := l.watched(pairing)
	for i := range w.wrong {
		if !w.wrong[i].Accepted {
			w.wrong[i].Accepted, w.dirty = true, true
			n++
		}
	}
	if !w.dirty {
		return n, nil
	}
	if err := l.write(); err != nil {
		return n, fmt.Errorf("what you accepted is forgotten when krd ends, as it could not be written: %w", err)
	}
	return n, nil
}

// state is what is known of a phone's log.
func (l *askedLog) state(pairing string) control.PhoneLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := control.PhoneLog{Wrong: []control.LogFinding{}}
	w := l.watches[pairing]
	if w == nil {
		return out
	}
	if m, ok := w.Newest(); ok {
		out.Length, out.Head = m.Length, m.Head.String()
	}
	out.Wrong = append(out.Wrong, w.wrong...)
	return out
}

// close is the end: nothing is added any more.
func (l *askedLog) close() {
	if l.journal != nil {
		l.flush()
		l.journal.Close()
	}
}
