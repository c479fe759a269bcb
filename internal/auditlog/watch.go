package auditlog

import (
	"cmp"
	"fmt"
	"slices"
)

const maxMarks = 16 // marks that a Watch remembers

// Watch is what a computer remembers of a phone's log, to notice that it shrank
// or was rewritten. The zero Watch has seen nothing.
//
// Answers come in any order, so only two things count as wrong. One length with
// two heads; and an answer whose length is smaller than one that was seen
// before its request was asked: the phone wrote that answer after the request,
// and so after the longer log.
type Watch struct {
	marks []Mark // by length, the newest last
	era   uint64 // grows with each Finding
}

// Ticket is what a Watch knew when a request was asked.
type Ticket struct{ era, length uint64 }

// Kind is what was found.
type Kind string

// The kinds.
const (
	Shorter   Kind = "shorter"
	Rewritten Kind = "rewritten"
)

// Finding is a log that is not the one that was seen before, grown.
type Finding struct {
	Kind   Kind `json:"kind"`
	Before Mark `json:"before"`
	Now    Mark `json:"now"`
}

// String says it to people. A phone that was restored from a backup is one of
// the reasons.
func (f Finding) String() string {
	if f.Kind == Rewritten {
		return fmt.Sprintf("the phone's log is another than it was: restored from a backup and used since, or entries were changed (entry %d)", f.Now.Length)
	}
	return fmt.Sprintf("the phone's log is shorter than it was: restored from a backup, or entries were removed (%d entries, %d before)",
		f.Now.Length, f.Before.Length)
}

// WatchFrom is a Watch that has seen marks, as Marks returned them.
func WatchFrom(marks []Mark) Watch {
	var w Watch
	for _, m := range marks {
		w.Answer(w.Ask(), m)
	}
	return w
}

// Marks are the newest marks, by length.
func (w *Watch) Marks() []Mark { return slices.Clone(w.marks) }

// Newest is the mark of the longest log seen; ok is false when there is none.
func (w *Watch) Newest() (m Mark, ok bool) {
	if len(w.marks) == 0 {
		return m, false
	}
	return w.marks[len(w.marks)-1], true
}

// Ask is called before a request goes out.
func (w *Watch) Ask() Ticket {
	newest, _ := w.Newest()
	return Ticket{w.era, newest.Length}
}

// Answer takes the mark of an answer to the request that t was given for. What
// it finds is found once: it begins anew, and answers to what was asked before
// say nothing any more, as they may be of either log.
func (w *Watch) Answer(t Ticket, m Mark) *Finding {
	if t.era != w.era {
		return nil
	}
	i, known := slices.BinarySearchFunc(w.marks, m, func(a, b Mark) int { return cmp.Compare(a.Length, b.Length) })
	var f Finding
	switch {
	case m.Length < t.length:
		newest, _ := w.Newest()
		f = Finding{Shorter, newest, m}
	case known && w.marks[i].Head != m.Head:
		f = Finding{Rewritten, w.marks[i], m}
	default:
		if !known {
			w.marks = slices.Insert(w.marks, i, m)
			w.marks = slices.Delete(w.marks, 0, max(0, len(w.marks)-maxMarks))
		}
		return nil
	}
	w.era++
	w.marks = nil // of two heads nobody knows yet which one is the newer
	if f.Kind == Shorter {
		w.marks = []Mark{m}
	}
	return &f
}
