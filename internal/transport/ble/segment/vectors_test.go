package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"kryptonite/vectors"
)

type vector struct {
	Name, Kind, Expect, Segment        string
	Type, ID, Reason, Version          byte
	Total, Offset, Most, Length, Count int
	Data, Start, Seen, SHA256          string
	MaxFrame                           int `json:"max_frame"`
	MaxSegment                         int `json:"max_segment"`
	PeerSegment                        int `json:"peer_segment"`
	Steps                              []step
}

type step struct {
	At          int64 // ms
	Do, Bytes   string
	Events, Out []string
}

func readVectors(t testing.TB, kind string) []vector {
	t.Helper()
	b, err := vectors.FS.ReadFile("ble_segments.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	vs := slices.DeleteFunc(file.Vectors, func(v vector) bool { return v.Kind != kind })
	if len(vs) == 0 {
		t.Fatalf("no vectors of %s", kind)
	}
	return vs
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseVectors(t *testing.T) {
	for _, v := range readVectors(t, "parse") {
		b := unhex(t, v.Segment)
		got, err := Parse(b)
		if v.Expect != "ok" {
			if !errors.Is(err, ErrSegment) {
				t.Errorf("%s: Parse = %+v, %v", v.Name, got, err)
			}
			continue
		}
		want := Segment{Kind: Kind(v.Type), ID: v.ID, Total: v.Total, Offset: v.Offset, Reason: Reason(v.Reason)}
		if want.Kind == Data {
			want.Data = unhex(t, v.Data)
		}
		if want.Kind == Hello {
			want.Greeting = Greeting{v.Version, Start(unhex(t, v.Start)), Start(unhex(t, v.Seen)), v.MaxFrame, v.MaxSegment}
			b = b[:helloSize]
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: Parse = %+v, %v, want %+v", v.Name, got, err, want)
		}
		if again := want.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: Append = %x, want %x", v.Name, again, b)
		}
	}
}

func TestSplitVectors(t *testing.T) {
	for _, v := range readVectors(t, "split") {
		c := New(epoch, Start(unhex(t, v.Start)), v.Most)
		c.Receive(epoch, Segment{Kind: Hello, Greeting: Greeting{Version, Start{2}, c.start, MaxFrame, v.PeerSegment}}.Append(nil))
		c.Next(epoch) // the hello
		if err := c.Send(pattern(v.Length)); err != nil {
			t.Fatal(err)
		}
		n, h := 0, sha256.New()
		for s := c.Next(epoch); s != nil; s = c.Next(epoch) {
			n++
			h.Write(s)
		}
		if sum := hex.EncodeToString(h.Sum(nil)); n != v.Count || sum != v.SHA256 {
			t.Errorf("%s: %d segments, %s, want %d, %s", v.Name, n, sum, v.Count, v.SHA256)
		}
	}
}

var errorNames = map[error]string{ErrTooLarge: "too large", ErrNotTaken: "not taken", ErrNoHello: "no hello", ErrSilent: "silent", ErrLeft: "left", ErrVersion: "version"}

func describe(events []Event) []string {
	out := []string{}
	for _, e := range events {
		switch e := e.(type) {
		case Arrived:
			sum := sha256.Sum256(e.Frame)
			out = append(out, fmt.Sprintf("arrived %d %x", e.ID, sum[:8]))
		case Taken:
			out = append(out, "taken")
		case Failed:
			out = append(out, "failed "+errorNames[e.Err])
		case Ended:
			out = append(out, "ended "+errorNames[e.Err])
		}
	}
	return out
}

func TestTalkVectors(t *testing.T) {
	for _, v := range readVectors(t, "talk") {
		c := New(epoch, Start(unhex(t, v.Start)), v.Most)
		for i, s := range v.Steps {
			now, arg := epoch.Add(time.Duration(s.At)*time.Millisecond), unhex(t, s.Bytes)
			var events []Event
			switch s.Do {
			case "receive":
				events = c.Receive(now, arg)
			case "send":
				if err := c.Send(arg); err != nil {
					t.Fatal(err)
				}
			case "ack":
				c.Ack(arg[0])
			case "refuse":
				c.Refuse(arg[0])
			case "tick":
				events = c.Tick(now)
			case "close":
				c.Close(Reason(arg[0]))
			case "next":
			default:
				t.Fatalf("what is %q", s.Do)
			}
			out := []string{}
			for b := c.Next(now); b != nil; b = c.Next(now) {
				out = append(out, hex.EncodeToString(b))
			}
			if got := describe(events); !slices.Equal(got, s.Events) || !slices.Equal(out, s.Out) {
				t.Errorf("%s, step %d (%s at %d): events %q, out %q, want %q, %q", v.Name, i, s.Do, s.At, got, out, s.Events, s.Out)
				break
			}
		}
	}
}
