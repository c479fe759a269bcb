package auditlog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// message is an answer on its way.
type message struct {
	ticket Ticket
	mark   Mark
}

// story is a phone and a computer with a link that keeps no order between them.
// Other computers make the phone's log grow, too.
type story struct {
	luck     *rand.Rand
	log      Log
	old      []Log // earlier ends: backups
	watch    Watch
	asked    []Ticket  // requests that have not reached the phone
	pending  []Ticket  // requests that wait for the person
	onTheWay []message // answers
	found    []Finding
}

func (s *story) decide() {
	s.old = append(s.old, s.log)
	s.log.Append(Entry{User: fmt.Sprint(s.luck.Uint64())})
}

func (s *story) say(t Ticket) {
	for range 1 + s.luck.IntN(3) { // copies
		s.onTheWay = append(s.onTheWay, message{ticket: t, mark: s.log.Mark()})
	}
}

// pick takes a random element out of list.
func pick[T any](luck *rand.Rand, list *[]T) (x T, ok bool) {
	if len(*list) == 0 {
		return x, false
	}
	i := luck.IntN(len(*list))
	x = (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return x, true
}

func (s *story) step() {
	switch s.luck.IntN(6) {
	case 0:
		s.asked = append(s.asked, s.watch.Ask())
	case 1:
		if t, ok := pick(s.luck, &s.asked); ok {
			s.say(t) // the ack
			s.pending = append(s.pending, t)
		}
	case 2:
		if t, ok := pick(s.luck, &s.pending); ok {
			s.decide()
			s.say(t)
		}
	case 3:
		s.decide() // for another computer
	case 4, 5:
		if m, ok := pick(s.luck, &s.onTheWay); ok {
			s.hear(m)
		}
	}
	if s.luck.IntN(50) == 0 { // krd ends: what was asked is forgotten, the watch is read from disk
		s.asked, s.pending, s.onTheWay = nil, nil, nil
		s.watch = WatchFrom(s.watch.Marks())
	}
}

func (s *story) hear(m message) {
	if f := s.watch.Answer(m.ticket, m.mark); f != nil {
		s.found = append(s.found, *f)
	}
}

// TestNoFalseAlarm: a log that only grows is never found to be anything else,
// whatever the order in which answers come.
func TestNoFalseAlarm(t *testing.T) {
	for seed := range uint64(200) {
		s := &story{luck: rand.New(rand.NewPCG(seed, 1))}
		for range 500 {
			s.step()
		}
		if len(s.found) > 0 {
			t.Fatalf("seed %d: %v", seed, s.found[0])
		}
		if n := len(s.watch.Marks()); n > maxMarks {
			t.Fatalf("%d marks are remembered", n)
		}
	}
}

// TestARestoredPhoneIsFoundOnce: whatever is on its way when a phone goes back
// to an earlier state, that is found at most once, and surely by the next
// request if the log is still shorter than what was seen.
func TestARestoredPhoneIsFoundOnce(t *testing.T) {
	restored, sure := 0, 0
	for seed := range uint64(200) {
		s := &story{luck: rand.New(rand.NewPCG(seed, 2))}
		for range 200 {
			s.step()
		}
		for range 3 {
			if len(s.old) == 0 {
				continue
			}
			restored++
			before := len(s.found)
			i := s.luck.IntN(len(s.old))
			s.log, s.old = s.old[i], s.old[:i]
			newest, _ := s.watch.Newest()
			if s.luck.IntN(2) == 0 { // a request at once
				ticket, must := s.watch.Ask(), s.log.Len() < newest.Length
				s.hear(message{ticket: ticket, mark: s.log.Mark()})
				if must {
					sure++
					if len(s.found) != before+1 || s.found[before].Kind == Shorter && s.found[before].Now != s.log.Mark() {
						t.Fatalf("seed %d: from %d back to %d: %v", seed, newest.Length, s.log.Len(), s.found[before:])
					}
				}
			}
			for range 300 {
				s.step()
			}
			if n := len(s.found) - before; n > 1 {
				t.Fatalf("seed %d: one restored backup is found %d times: %v", seed, n, s.found[before:])
			}
			s.asked, s.pending, s.onTheWay = nil, nil, nil
		}
	}
	if sure < 50 {
		t.Errorf("only %d of %d phones had surely to be found", sure, restored)
	}
}

// TestFindings: what counts as wrong, and what is said.
func TestFindings(t *testing.T) {
	_, l := written(5)
	five := l.Mark()
	_, l = written(3)
	three := l.Mark()
	other := Mark{5, Head{1}}
	for name, c := range map[string]struct {
		at   func(*Watch) (Ticket, Mark)
		want Kind // "": nothing
		text string
	}{
		"restored":            {func(w *Watch) (Ticket, Mark) { return w.Ask(), three }, Shorter, "restored from a backup, or entries were removed"},
		"emptied":             {func(w *Watch) (Ticket, Mark) { return w.Ask(), Mark{} }, Shorter, "0 entries, 5 before"},
		"rewritten":           {func(w *Watch) (Ticket, Mark) { return w.Ask(), other }, Rewritten, "entries were changed"},
		"the same":            {func(w *Watch) (Ticket, Mark) { return w.Ask(), five }, "", ""},
		"longer":              {func(w *Watch) (Ticket, Mark) { return w.Ask(), Mark{9, Head{9}} }, "", ""},
		"asked before, older": {func(*Watch) (Ticket, Mark) { return Ticket{}, three }, "", ""},
		"asked before, other": {func(*Watch) (Ticket, Mark) { return Ticket{}, other }, Rewritten, ""},
	} {
		w := WatchFrom([]Mark{five})
		f := w.Answer(c.at(&w))
		if (f == nil) != (c.want == "") || f != nil && (f.Kind != c.want || f.Before != five || !strings.Contains(f.String(), c.text) ||
			!strings.Contains(f.String(), "restored from a backup")) {
			t.Errorf("%s: %v", name, f)
		}
		if f != nil && w.Answer(Ticket{}, five) != nil {
			t.Errorf("%s: a late answer is found, too", name)
		}
	}
}

func TestClaims(t *testing.T) {
	stored, l := written(6)
	var marks []Mark
	var build Log
	marks = append(marks, build.Mark())
	for i := range stored {
		build.next(uint64(i+1), stored[i])
		marks = append(marks, build.Mark())
	}
	kept, end, err := Read(stored[2:])
	if err != nil || end.Mark() != l.Mark() {
		t.Fatal(err)
	}
	changed := func(m Mark) Mark { m.Head[7] ^= 1; return m }
	for i, m := range marks {
		want := Holds
		if i < 2 { // the hash of entry 2 stands in entry 3
			want = Forgotten
		}
		for _, text := range []string{m.String(), m.Short(), " " + strings.ToUpper(m.Short()) + "\n"} {
			c, err := ParseClaim(text)
			if err != nil {
				t.Fatal(text, err)
			}
			if got := c.Check(kept, end); got != want {
				t.Errorf("%q is %d, want %d", text, got, want)
			}
		}
		if c, _ := ParseClaim(changed(m).Short()); i >= 2 && c.Check(kept, end) != Differs {
			t.Errorf("another head of entry %d counts as the same", i)
		}
	}
	if c, _ := ParseClaim(Mark{7, Head{}}.String()); c.Check(kept, end) != Missing {
		t.Error("an entry that was never written is there")
	}
	for _, bad := range []string{"", ":", "6", "6:", "x:0123456789abcdef", "-1:0123456789abcdef", "6:0123456789abcde", "6:0123456789abcdeg",
		"6:" + strings.Repeat("0", 65), "99999999999999999999:0123456789abcdef"} {
		if c, err := ParseClaim(bad); err == nil {
			t.Errorf("%q is the claim %+v", bad, c)
		}
	}
}

func TestMarkOf(t *testing.T) {
	for _, c := range []struct {
		length uint64
		head   []byte
		ok     bool
	}{
		{0, make([]byte, 32), true}, {1, append(make([]byte, 31), 1), true},
		{0, nil, false}, {1, make([]byte, 32), false}, {0, append(make([]byte, 31), 1), false}, {1, make([]byte, 31), false}, {1, make([]byte, 33), false},
	} {
		if _, ok := MarkOf(c.length, c.head); ok != c.ok {
			t.Errorf("MarkOf(%d, %x) = %v", c.length, c.head, ok)
		}
	}
}

func FuzzParseClaim(f *testing.F) {
	f.Add("6:0123456789abcdef")
	f.Add("0:" + strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseClaim(s)
		if err != nil {
			return
		}
		again, err := ParseClaim(fmt.Sprintf("%d:%s", c.Length, c.head))
		if err != nil || again != c {
			t.Errorf("%q: %+v, then %+v, %v", s, c, again, err)
		}
	})
}
