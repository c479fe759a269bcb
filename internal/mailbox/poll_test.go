package mailbox

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func fullPoll() Poll {
	return Poll{
		PublicKey: bytes.Repeat([]byte{1}, ed25519.PublicKeySize), Nonce: bytes.Repeat([]byte{2}, NonceSize),
		Signature: bytes.Repeat([]byte{3}, ed25519.SignatureSize), Ack: []Seq{1, 1 << 63}, After: 258, WaitSeconds: 25,
	}
}

// Other programs speak this: the shapes are as fixed as bytes are.
func TestPollShapes(t *testing.T) {
	want := `{"public_key":"` + strings.Repeat("AQEB", 10) + `AQE=","nonce":"` + strings.Repeat("AgIC", 10) + `AgI=","signature":"` +
		strings.Repeat("AwMD", 21) + `Aw==","ack":["AAAAAAAAAAE=","gAAAAAAAAAA="],"after":"AAAAAAAAAQI=","wait_seconds":25}`
	if got := string(fullPoll().Encode()); got != want {
		t.Errorf("poll is\n%s, want\n%s", got, want)
	}
	for want, v := range map[string]interface{ Encode() []byte }{
		`{}`:               Poll{},
		`{"delete":true}`:  Poll{Delete: true},
		`{"deleted":true}`: PollReply{Deleted: true},
		`{"error":"x"}`:    PollReply{Error: "x"},
		`{"frames":[{"seq":"AAAAAAAAAAU=","frame":"aGk="}]}`: PollReply{Frames: []Polled{{5, []byte("hi")}}},
	} {
		if got := string(v.Encode()); got != want {
			t.Errorf("%+v is %s, want %s", v, got, want)
		}
	}
}

func TestParsePoll(t *testing.T) {
	for _, good := range []string{`{}`, `{"more":[1],"wait_seconds":100000}`, `{"ack":[]}`, `{"nonce":null}`, string(fullPoll().Encode())} {
		if _, err := ParsePoll([]byte(good)); err != nil {
			t.Errorf("ParsePoll(%s) = %v", good, err)
		}
	}
	acks := func(n int) string {
		return string(Poll{Ack: make([]Seq, n)}.Encode())
	}
	if p, err := ParsePoll([]byte(acks(MaxPollAcks))); err != nil || len(p.Ack) != MaxPollAcks {
		t.Errorf("a poll with all acknowledgements it may have: %v", err)
	}
	for _, bad := range []string{
		``, `null x`, `[]`, `{} {}`, `{"nonce":"AAAA"}`, `{"public_key":"AAAA"}`, `{"signature":"AAAA"}`, `{"nonce":5}`,
		`{"ack":[1]}`, `{"ack":["AAAA"]}`, `{"ack":["AAAAAAAAAAF="]}`, `{"ack":["AAAAAAAAAAE"]}`, `{"ack":"AAAAAAAAAAE="}`, `{"after":1}`,
		`{"wait_seconds":-1}`, `{"wait_seconds":1.5}`, `{"wait_seconds":"1"}`, `{"delete":1}`,
		acks(MaxPollAcks + 1), `{"x":"` + strings.Repeat("x", MaxPoll) + `"}`,
	} {
		if _, err := ParsePoll([]byte(bad)); err == nil {
			t.Errorf("ParsePoll(%.80s) succeeded", bad)
		}
	}
}

func TestLargestPollReplyFits(t *testing.T) {
	one := PollReply{Nonce: make([]byte, NonceSize), Frames: []Polled{{1 << 63, make([]byte, MaxPollBytes)}}}
	many := PollReply{Nonce: one.Nonce}
	for range MaxPollFrames {
		many.Frames = append(many.Frames, Polled{1 << 63, make([]byte, MaxPollBytes/MaxPollFrames)})
	}
	for _, r := range []PollReply{one, many} {
		if b := r.Encode(); len(b) > MaxPollReply {
			t.Errorf("a reply with %d frames has %d bytes", len(r.Frames), len(b))
		} else if _, err := ParsePollReply(b); err != nil {
			t.Error(err)
		}
	}
	many.Frames = append(many.Frames, Polled{1, []byte{1}})
	for _, bad := range []string{string(many.Encode()), `{"nonce":"AAAA"}`, `{"frames":[{"seq":"AAAAAAAAAAE=","frame":""}]}`, `{"frames":[{"seq":"AAAAAAAAAAE="}]}`,
		`{"frames":[{"seq":1,"frame":"AAAA"}]}`, `<html>`, ``, string(PollReply{Frames: []Polled{{1, make([]byte, MaxFrame+1)}}}.Encode()), strings.Repeat(" ", MaxPollReply) + `{}`} {
		if _, err := ParsePollReply([]byte(bad)); err == nil {
			t.Errorf("ParsePollReply(%.80s) succeeded", bad)
		}
	}
}

func FuzzParsePoll(f *testing.F) {
	f.Add(fullPoll().Encode())
	f.Add(Poll{Delete: true}.Encode())
	f.Add([]byte(`{"ack":["AAAAAAAAAAE="],"more":{"a":[1]},"wait_seconds":3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePoll(b)
		if err != nil {
			return
		}
		if len(p.Ack) > MaxPollAcks || p.WaitSeconds < 0 || !absentOr(p.Nonce, NonceSize) {
			t.Errorf("%q became %+v", b, p)
		}
		again, err := ParsePoll(p.Encode())
		if err != nil || !bytes.Equal(again.Encode(), p.Encode()) || !slices.Equal(again.Ack, p.Ack) {
			t.Errorf("round trip of %q = %+v, %v", b, again, err)
		}
	})
}

func FuzzParsePollReply(f *testing.F) {
	f.Add(PollReply{Nonce: make([]byte, NonceSize), Frames: []Polled{{7, []byte("frame")}, {8, make([]byte, 1000)}}}.Encode())
	f.Add(PollReply{Error: "no", Nonce: make([]byte, NonceSize)}.Encode())
	f.Add([]byte(`{"deleted":true,"more":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParsePollReply(b)
		if err != nil {
			return
		}
		if again, err := ParsePollReply(r.Encode()); err != nil || fmt.Sprint(again) != fmt.Sprint(r) {
			// An error text with bytes that are no UTF-8 grows when it is encoded.
			if json.Valid(r.Encode()) && len(r.Encode()) > MaxPollReply {
				return
			}
			t.Errorf("round trip of %q = %+v, %v", b, again, err)
		}
	})
}
