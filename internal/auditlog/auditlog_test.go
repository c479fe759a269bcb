package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/escape"
	"kryptonite/internal/wire"
)

func written(n int) ([][]byte, Log) {
	var l Log
	var out [][]byte
	for i := range n {
		out = append(out, l.Append(Entry{Unix: int64(i), Computer: "laptop", Request: wire.ID{byte(i)},
			Decision: Allowed, User: fmt.Sprintf("user%d", i), Payload: make([]byte, 32)}))
	}
	return out, l
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	stored, l := written(5)
	got, end, err := Read(stored)
	if err != nil || len(got) != 5 || end != l || got[4].User != "user4" || got[4].Seq != 5 {
		t.Errorf("Read = %v, %+v, %v; want the log ending at %+v", got, end, err, l)
	}
	if _, end, err := Read(nil); err != nil || end.Len() != 0 || end.First() != 0 {
		t.Errorf("an empty log: %+v, %v", end, err)
	}
	kept, end, err := Read(stored[2:])
	if err != nil || len(kept) != 3 || end.First() != 3 || end.Len() != 5 || end.Head() != l.Head() {
		t.Errorf("without the oldest: %+v, %v", end, err)
	}
	end.Append(Entry{})
	l.Append(Entry{})
	if end.Head() != l.Head() {
		t.Error("a log that was read does not go on like the one that was written")
	}
}

// TestEntriesCanBeShown: what is stored steers no terminal, so that it can be shown as
// it was hashed.
func TestEntriesCanBeShown(t *testing.T) {
	var l Log
	b := l.Append(Entry{Computer: "a\x1b[2J\u009b\u202e\u2028\ufe0f\n"})
	if bytes.ContainsFunc(b, escape.Unseen) {
		t.Errorf("stored: %q", b)
	}
	if got, end, err := Read([][]byte{b}); err != nil || end != l || got[0].Computer != "a\x1b[2J\u009b\u202e\u2028\ufe0f\n" {
		t.Errorf("read back: %+v, %v", got, err)
	}
}

// TestEntriesAreBounded: whatever a computer writes into its requests.
func TestEntriesAreBounded(t *testing.T) {
	for _, c := range []string{"a", "\x01", "<", "\u202e", "\U000e0100", "\xff", "…"} {
		long := strings.Repeat(c, 64<<10)
		var l Log
		b := l.Append(Entry{Unix: math.MinInt64, Pairing: long, Computer: long, Decision: Rejected, Reason: long, Key: long, User: long, Namespace: long, Host: long,
			HostKey: long, Proof: long, Program: long, Rule: long, Payload: make([]byte, 32)})
		if len(b) > MaxEntry {
			t.Errorf("an entry of many %+q has %d bytes", c, len(b))
		}
		if got, end, err := Read([][]byte{b}); err != nil || end != l || !strings.HasSuffix(got[0].User, "…") || len(got[0].User) < 25 {
			t.Errorf("%+q read back: %+v, %v", c, got, err)
		}
	}
	if got := shortened("Ana's <phone>", 300); got != "Ana's <phone>" {
		t.Errorf("a name became %q", got)
	}
}

// TestTamperingIsFound: each entry changed at each byte, dropped, doubled and
// swapped. Only cutting the end needs somebody who remembers the head.
func TestTamperingIsFound(t *testing.T) {
	stored, l := written(6)
	tally := attacktest.New(t, "entries of the log changed, dropped, swapped")
	broken := func(what string, s [][]byte) {
		t.Helper()
		_, end, err := Read(s)
		var b *BrokenError
		if err != nil && !errors.As(err, &b) {
			t.Errorf("%s: error %v is no *BrokenError", what, err)
		}
		if err == nil && end.Head() == l.Head() {
			tally.Succeeded("%s: nothing was found", what)
			return
		}
		tally.Rejected()
	}
	for i := range stored {
		for j := range stored[i] {
			s := slices.Clone(stored)
			s[i] = bytes.Clone(s[i])
			s[i][j] ^= 1
			broken(fmt.Sprintf("entry %d, byte %d", i+1, j), s)
		}
		if i > 0 { // the first may have been forgotten
			broken(fmt.Sprintf("without entry %d", i+1), slices.Delete(slices.Clone(stored), i, i+1))
		}
		broken(fmt.Sprintf("entry %d twice", i+1), slices.Insert(slices.Clone(stored), i, stored[i]))
		if i+1 < len(stored) {
			s := slices.Clone(stored)
			s[i], s[i+1] = s[i+1], s[i]
			broken(fmt.Sprintf("entries %d and %d swapped", i+1, i+2), s)
		}
		broken(fmt.Sprintf("cut after entry %d", i), stored[:i])
	}
}

// TestNumbersAreChecked: the chain alone would let who writes it count as he likes.
func TestNumbersAreChecked(t *testing.T) {
	stored, l := written(2)
	entry := func(seq uint64, prev Head) []byte {
		b, err := json.Marshal(Entry{Seq: seq, Prev: prev[:]})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, s := range map[string][][]byte{
		"a number is left out":          append(slices.Clone(stored), entry(4, l.Head())),
		"a number comes twice":          append(slices.Clone(stored), entry(2, l.Head())),
		"the first one follows another": {entry(1, Head{1})},
		"there is no number 0":          {entry(0, Head{})},
	} {
		if _, _, err := Read(s); !errors.As(err, new(*BrokenError)) {
			t.Errorf("%s: Read = %v, want a *BrokenError", what, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	stored, _ := written(3)
	f.Add(stored[0], stored[1], stored[2])
	f.Add(stored[1], stored[2], stored[2])
	f.Add([]byte(`{"seq":1}`), []byte(`{}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		entries, end, err := Read([][]byte{a, b, c})
		if err == nil && (len(entries) != 3 || end.Len() != end.First()+2) {
			t.Errorf("three entries became %d, %+v", len(entries), end)
		}
	})
}
