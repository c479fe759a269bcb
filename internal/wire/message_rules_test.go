package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kryptonite/internal/sealbox"
)

// full is one message of every kind, with every field set.
func full() map[string]Message {
	id, e, sqs := ID{1, 2, 3}, sealbox.PublicKey{4, 5, 6}, someSQS()
	addrs := []Address{{Relay: &RelayAddress{Origin: "https://relay.example", Mailbox: bytes.Repeat([]byte{7}, 16)}}, {SQS: &sqs}}
	request := func(r Request) Message {
		r.ID, r.Unix, r.Expires, r.K, r.V, r.EphemeralC = id, 1_795_480_000, 1_795_480_090, Protocol, "0.1.0", &e
		r.KeysSeq = 1_795_480_000_123
		return Message{Request: &r}
	}
	response := func(r Response) Message {
		r.ID, r.Unix, r.K, r.V, r.EphemeralS, r.EpochProof = id, 1_795_480_001, Protocol, "0.1.0", &e, &sealbox.Key32{8}
		return Message{Response: &r}
	}
	return map[string]Message{
		"me_request": request(Request{Me: &MeRequest{NC: make([]byte, 32), Name: "Zoë's <laptop>", Software: "krd", Addresses: addrs}}),
		"sign_request": request(Request{Sign: &SignRequest{Fingerprint: "SHA256:x", Payload: []byte{0, 0xff}, Binds: []Bind{{[]byte("k"), []byte("s"), []byte("g"), true}}, Reported: &Reported{Program: "ssh", Directory: "/src", Remote: "forge.example/a", Branch: "main", Host: "server.example", Port: 2222, HostKeyAlias: true},
			LeaseTokens: []LeaseToken{{Rule: "12", Token: sealbox.Key32{1}}, {Rule: "7", Token: sealbox.Key32{2}}}}}),
		"cancel_request":     request(Request{Cancel: &CancelRequest{ID: ID{9}}}),
		"unpair_request":     request(Request{Unpair: &Unpair{}}),
		"ack_response":       response(Response{Ack: &Ack{NS: make([]byte, 32), Addresses: addrs}}),
		"me_response":        response(Response{Me: &MeResponse{Name: "phone", Keys: []SSHKey{{[]byte("blob"), "name"}}}}),
		"sign_response":      response(Response{Sign: &SignResponse{Signature: []byte("sig"), Error: CodeRefused, Reason: "no", LeaseToken: LeaseToken{"12", sealbox.Key32{1}, 1_795_483_600}}}),
		"error_response":     response(Response{Error: &ErrorResponse{CodeUnknownKind}}),
		"unpair notice":      {Notice: &Notice{ID: id, Seq: 5, Unix: 6, K: Protocol, V: "0.1.0", Unpair: &Unpair{}}},
		"keys notice":        {Notice: &Notice{ID: id, Seq: 5, Unix: 6, K: Protocol, V: "0.1.0", Keys: &[]SSHKey{{[]byte("blob"), "name"}}, Locked: true}},
		"leases_over notice": {Notice: &Notice{ID: id, Unix: 6, K: Protocol, V: "0.1.0", LeasesOver: []string{"12", "7"}}},
		"keys notice, empty": {Notice: &Notice{ID: id, Seq: 5, Unix: 6, K: Protocol, V: "0.1.0", Keys: &[]SSHKey{}}},
	}
}

func TestEveryKindRoundTrips(t *testing.T) {
	for name, want := range full() {
		plain, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(plain)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Decode = %+v, %v, want %+v", name, got, err, want)
		}
		if len(plain)%256 != 0 || len(plain) < 512 || bytes.TrimRight(plain, " ")[0] != '{' {
			t.Errorf("%s: plaintext of %d bytes", name, len(plain))
		}
		if kind, _, _ := strings.Cut(name, " "); !strings.Contains(string(plain), `"`+kind+`":`) {
			t.Errorf("%s is not called so in %s", name, plain)
		}
		if got.Request != nil && !got.Request.Known() {
			t.Errorf("%s is not known", name)
		}
	}
}

// TestHeaders: which message may travel how. [kr-protocol] §2.
func TestHeaders(t *testing.T) {
	session := map[string]bool{"me_request": true, "unpair_request": true, "ack_response": true, "unpair notice": true,
		"keys notice": true, "keys notice, empty": true}
	both := map[string]bool{"ack_response": true} // of the hello, and of everything else
	for name, m := range full() {
		for h := range 256 {
			want := h == int(HeaderSession) && session[name] || h == int(HeaderEpoch) && (!session[name] || both[name])
			if got := m.FitsHeader(Header(h)); got != want {
				t.Errorf("%s under %#02x: %v, want %v", name, h, got, want)
			}
		}
	}
	for h := range 256 {
		if (Message{}).FitsHeader(Header(h)) {
			t.Errorf("no message fits %#02x", h)
		}
	}
}

// TestExactlyOne of the three, and exactly one kind: every pair is refused.
func TestExactlyOne(t *testing.T) {
	const id = `"k":1,"request_id":"AAAAAAAAAAAAAAAAAAAAAA=="`
	decode := func(format string, a ...any) (Message, error) {
		return Decode(sealbox.Pad(fmt.Appendf(nil, format, a...)))
	}
	requests := []string{"me_request", "sign_request", "cancel_request", "unpair_request"}
	responses := []string{"ack_response", "me_response", "sign_response", "error_response"}
	for outer, kinds := range map[string][]string{"request": requests, "response": responses} {
		for _, a := range kinds {
			if _, err := decode(`{%q:{%s,%q:{}}}`, outer, id, a); err != nil {
				t.Errorf("%s: %v", a, err)
			}
			if m, err := decode(`{%q:{%s,%q:null}}`, outer, id, a); (err == nil) != (outer == "request") || err == nil && m.Request.Known() {
				t.Errorf("%s of null: %+v, %v", a, m, err)
			}
			for _, b := range kinds {
				if a == b {
					continue
				}
				if _, err := decode(`{%q:{%s,%q:{},%q:{}}}`, outer, id, a, b); !errors.Is(err, ErrMessage) {
					t.Errorf("%s and %s: %v, want ErrMessage", a, b, err)
				}
				if _, err := decode(`{%q:{%s,%q:{}},%q:{%q:{}}}`, outer, id, a, outer, b); !errors.Is(err, ErrMessage) {
					t.Errorf("%s and %s, the object twice: %v, want ErrMessage", a, b, err)
				}
			}
		}
	}
	for kinds, want := range map[string]error{`"keys":[]`: nil, `"unpair":{}`: nil, `"keys":null,"unpair":{}`: nil, `"keys":[],"unpair":{}`: ErrMessage,
		`"keys":[],"leases_over":["1"]`: ErrMessage, `"unpair":{},"leases_over":["1"]`: ErrMessage, `"keys":[],"leases_over":[]`: nil} {
		if _, err := decode(`{"notice":{"k":1,"notice_id":"AAAAAAAAAAAAAAAAAAAAAA==",%s}}`, kinds); !errors.Is(err, want) {
			t.Errorf("a notice with %s: %v, want %v", kinds, err, want)
		}
	}
	parts := map[string]string{"request": `{"k":1,"sign_request":{}}`, "response": `{"k":1,"ack_response":{}}`, "notice": `{"k":1,"unpair":{}}`}
	for a, av := range parts {
		for b, bv := range parts {
			if _, err := decode(`{%q:%s,%q:%s}`, a, av, b, bv); a != b && !errors.Is(err, ErrMessage) {
				t.Errorf("%s and %s: %v, want ErrMessage", a, b, err)
			}
		}
		if _, err := decode(`{%q:null}`, a); !errors.Is(err, ErrMessage) {
			t.Errorf("%s of null: %v, want ErrMessage", a, err)
		}
		if _, err := decode(`{%q:%s,"new":{"x":[1,2,{}]}}`, a, av); err != nil {
			t.Errorf("%s and an unknown field: %v", a, err)
		}
	}
}

// TestAnotherProtocolIsNoMessage: what a message of a later version means is
// not known, so nothing of it is believed. [kr-protocol] §2.5.
func TestAnotherProtocolIsNoMessage(t *testing.T) {
	for name, m := range full() {
		plain, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"0", "2", "-1", "4294967297", "1.5", `"1"`, "null", "true"} {
			bad := bytes.Replace(plain, []byte(`"k":1,`), []byte(`"k":`+k+`,`), 1)
			if bytes.Equal(bad, plain) {
				t.Fatalf("%s: no k in %s", name, plain)
			}
			bad = sealbox.Pad(bytes.TrimRight(bad, " "))
			if m, err := Decode(bad); !errors.Is(err, ErrMessage) || m != (Message{}) {
				t.Errorf("%s with k %s: %+v, %v, want ErrMessage", name, k, m, err)
			}
		}
		without := sealbox.Pad(bytes.TrimRight(bytes.Replace(plain, []byte(`"k":1,`), nil, 1), " "))
		if _, err := Decode(without); !errors.Is(err, ErrMessage) {
			t.Errorf("%s without k: %v, want ErrMessage", name, err)
		}
	}
}

// TestNotOneObjectAndSpaces: the plaintext is one JSON object and 0x20.
func TestNotOneObjectAndSpaces(t *testing.T) {
	const ok = `{"request":{"k":1,"unpair_request":{}}}`
	for _, text := range []string{
		"null", "1", `"x"`, "[" + ok + "]", ok + ok, ok + "x", ok + "\x00", "\ufeff" + ok, ok[:len(ok)-1], "{", "}",
		`{"request":[]}`, `{"request":"x"}`, `{"request":{"k":1,"unix_seconds":"1"}}`, `{"request":{"k":1,"unix_seconds":1e99}}`,
		`{"request":{"k":1,"unix_seconds":1.5}}`, `{"request":{"k":1,"request_id":1}}`, `{"request":{"k":1,"request_id":""}}`,
		`{"request":{"k":1,"request_id":"AAAAAAAAAAAAAAAAAAAAAA"}}`, `{"request":{"k":1,"sign_request":{"payload":"-"}}}`,
		`{"request":{"k":1,"e_c":"` + strings.Repeat("A", 44) + `"}}`, `{"response":{"k":1,"ack_response":{},"e_s":""}}`, strings.Repeat(`{"request":`, 20000),
	} {
		if m, err := Decode(sealbox.Pad([]byte(text))); !errors.Is(err, ErrMessage) || m != (Message{}) {
			t.Errorf("%.60s: %+v, %v, want ErrMessage", text, m, err)
		}
	}
	long := append([]byte(ok), bytes.Repeat([]byte(" "), MaxPlaintext)...)
	for n, want := range map[int]bool{
		0: false, 256: false, 511: false, 512: true, 513: false, 768: true, MaxPlaintext: true,
		MaxPlaintext + 1: false,
	} {
		if _, err := Decode(long[:n]); (err == nil) != want {
			t.Errorf("Decode of %d bytes: %v", n, err)
		}
	}
	if _, err := Decode(append(long[:MaxPlaintext:MaxPlaintext], bytes.Repeat([]byte(" "), 256)...)); !errors.Is(err, ErrMessage) {
		t.Errorf("a plaintext that fits no frame: %v, want ErrMessage", err)
	}
	if _, err := Decode(bytes.Repeat([]byte(" "), 512)); !errors.Is(err, ErrMessage) {
		t.Errorf("only spaces: %v, want ErrMessage", err)
	}
	for i, b := range []byte{'\t', '\n', 0, 'x'} { // padding is spaces; what JSON calls white space is part of the text
		p := sealbox.Pad([]byte(ok))
		p[len(p)-1] = b
		if _, err := Decode(p); (err == nil) != (i < 2) {
			t.Errorf("padding that ends in %#02x: %v", b, err)
		}
	}
}

// TestLargestMessageFitsItsFrame: what Encode lets through, a frame carries.
func TestLargestMessageFitsItsFrame(t *testing.T) {
	size := func(n int) ([]byte, error) {
		return Encode(Message{Request: &Request{Sign: &SignRequest{Payload: make([]byte, n)}}})
	}
	lo, hi := 0, MaxPlaintext // Encode takes lo bytes and refuses hi
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; func() bool { _, err := size(mid); return err == nil }() {
			lo = mid
		} else {
			hi = mid
		}
	}
	plain, err := size(lo)
	if err != nil || len(plain) != MaxPlaintext {
		t.Fatalf("the largest plaintext has %d bytes, %v, want %d", len(plain), err, MaxPlaintext)
	}
	if lo < 48000 {
		t.Errorf("only %d bytes to sign fit", lo)
	}
	body, err := sealbox.Epoch{}.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := SplitFrame(NewFrame(HeaderEpoch, body)); err != nil {
		t.Errorf("its frame of %d bytes: %v", 1+len(body), err)
	}
}

func TestIDs(t *testing.T) {
	a, err := NewID()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewID()
	if err != nil || a == b || a == (ID{}) {
		t.Errorf("ids %s and %s, %v", a, b, err)
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back ID
	if err := json.Unmarshal(text, &back); err != nil || back != a || len(a.String()) != 32 {
		t.Errorf("%s is read as %s, %v", text, back, err)
	}
	for _, s := range []string{"", "AA==", "!", strings.Repeat("A", 20) + "==", strings.Repeat("A", 24)} {
		if err := back.UnmarshalText([]byte(s)); !errors.Is(err, ErrMessage) {
			t.Errorf("id %q: %v, want ErrMessage", s, err)
		}
	}
}

func FuzzSplitFrame(f *testing.F) {
	f.Add([]byte{0, 1})
	f.Add([]byte{2, 1, 2, 3})
	f.Add(append([]byte{3}, make([]byte, 600)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := SplitFrame(b)
		if err == nil && !bytes.Equal(NewFrame(h, body), b) {
			t.Errorf("written again: %x, want %x", NewFrame(h, body), b)
		}
		if err != nil && (body != nil || !errors.Is(err, ErrFrame)) {
			t.Errorf("SplitFrame = %x, %v", body, err)
		}
	})
}

// FuzzDecodeAgain: what was read means the same when written and read again.
func FuzzDecodeAgain(f *testing.F) {
	for _, m := range full() {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrMessage) || m != (Message{}) {
				t.Errorf("Decode = %+v, %v", m, err)
			}
			return
		}
		fits := 0
		for _, h := range []Header{HeaderSession, HeaderSealed, HeaderEpoch} {
			if m.FitsHeader(h) {
				fits++
			}
		}
		if fits == 0 || m.FitsHeader(HeaderSealed) {
			t.Errorf("%+v fits %d headers", m, fits)
		}
		p, err := Encode(m)
		if err != nil {
			return // escapes can make it longer
		}
		again, err := Decode(p)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", b, p, err)
		}
		q, err := Encode(again)
		if err != nil || !bytes.Equal(p, q) {
			t.Errorf("%q is written as %q, then as %q", b, p, q)
		}
	})
}
