package daemon

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay/relaytest"
	"kryptonite/internal/transport"
	relaylink "kryptonite/internal/transport/relay"
	"kryptonite/internal/wire"
)

// TestRelayTold: a relay that a phone gains is posted to where the phone says, and
// goes again if it does not use it. What it has for sure stays.
func TestRelayTold(t *testing.T) {
	cloud(t)
	at := relaytest.New(t)
	relay := func(origin string, b byte) wire.Address {
		return wire.Address{Relay: &wire.RelayAddress{Origin: origin, Mailbox: bytes.Repeat([]byte{b}, 16)}}
	}
	for name, c := range map[string]struct {
		peer          byte // that is known
		seq           int64
		at            func(queues wire.Address) []wire.Address
		told          int64
		relay, queues bool
		wantPeer      byte
	}{
		"it takes it":           {0, 7, func(q wire.Address) []wire.Address { return []wire.Address{q, relay(at.Origin(), 9)} }, 7, true, true, 9},
		"that alone":            {0, 7, func(wire.Address) []wire.Address { return []wire.Address{relay(at.Origin(), 9)} }, 7, true, false, 9},
		"another mailbox":       {5, 7, func(q wire.Address) []wire.Address { return []wire.Address{q, relay(at.Origin(), 9)} }, 7, true, true, 9},
		"an older phone":        {0, 7, func(q wire.Address) []wire.Address { return []wire.Address{q} }, 7, false, true, 0},
		"it does not use it":    {5, 7, func(q wire.Address) []wire.Address { return []wire.Address{q} }, 7, false, true, 0},
		"it is elsewhere":       {0, 7, func(q wire.Address) []wire.Address { return []wire.Address{relay("https://other.example", 9), q} }, 7, false, true, 0},
		"no mailbox is that":    {0, 7, func(q wire.Address) []wire.Address { return []wire.Address{relay(at.Origin(), 0), q} }, 7, false, true, 0},
		"nothing at all":        {0, 7, func(wire.Address) []wire.Address { return []wire.Address{} }, 7, false, true, 0},
		"nothing, it had both":  {5, 7, func(wire.Address) []wire.Address { return []wire.Address{} }, 7, true, true, 5},
		"an older list":         {0, 6, func(q wire.Address) []wire.Address { return []wire.Address{q} }, 3, true, true, 0},
		"the number, no places": {0, 7, func(wire.Address) []wire.Address { return nil }, 3, true, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			alive(t, d)
			r := newRecord(t)
			r.Relay, r.Peer = at.Origin(), mailbox.Address(bytes.Repeat([]byte{c.peer}, 16))
			r.SQS, r.AddressesSeq, r.Untaken = made(t), 7, []string{nameSQS}
			if c.peer == 0 {
				r.Untaken = []string{nameRelay}
			}
			store(t, d, r)
			if err := d.loadPhones(); err != nil {
				t.Fatal(err)
			}
			p, err := d.find("ana")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the same word again changes nothing
				if err := d.addressesTold(p, c.seq, c.at(wire.Address{SQS: &r.SQS.SQSAddress})); err != nil {
					t.Fatal(err)
				}
			}
			var now record
			if err := d.cfg.Dir.ReadJSON(recordName(r.ID), recordVersion, &now); err != nil {
				t.Fatal(err)
			}
			if now.AddressesSeq != 7 || (len(now.Untaken) == 0) != (c.told == 7) || (now.Relay != "") != c.relay || (now.SQS != nil) != c.queues || now.Peer != mailbox.Address(bytes.Repeat([]byte{c.wantPeer}, 16)) {
				t.Errorf("on disk: number %d, untaken %q, relay %q, queues %v, peer %v", now.AddressesSeq, now.Untaken, now.Relay, now.SQS != nil, now.Peer)
			}
			links := d.describe(p).Links
			for _, l := range links {
				if l.Untold != (l.Name == nameRelay && c.wantPeer == 0) {
					t.Errorf("%s: untold is %v", l.Name, l.Untold)
				}
			}
			if len(links) != map[bool]int{true: 2, false: 1}[c.relay && c.queues] {
				t.Errorf("links: %+v", links)
			}
		})
	}
}

// TestRelayOfSeveral: a phone that has SQS alone gains a mailbox at a relay that
// works, and nothing else; it loses it, and the relay has it no more.
func TestRelayOfSeveral(t *testing.T) {
	cloud(t)
	at := relaytest.New(t)
	d := newDaemon(t)
	alive(t, d)
	alone, other := newRecord(t), newRecord(t)
	alone.Name, other.Name, other.Paired = "ana", "bob", other.Paired.Add(time.Second) // listed by age
	alone.SQS = made(t)
	alone.leaveRelay()
	store(t, d, alone)
	store(t, d, other)
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	p, err := d.find("ana")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, body string) string {
		t.Helper()
		w := httptest.NewRecorder()
		d.api().ServeHTTP(w, request(http.MethodPost, path, body))
		return w.Body.String()
	}
	add := `{"origin":"` + at.Origin() + `/"}`
	if got := ask("/v1/relay/add", `{"origin":"http://relay.example"}`); !strings.Contains(got, `"bad_request"`) {
		t.Error(got)
	}
	at.Stop()
	if got := ask("/v1/relay/add", add); !strings.Contains(got, `"ana","changed":false,"problem":"the relay `) || p.relay() != "" {
		t.Error(got)
	}
	at.Start()
	if got := ask("/v1/relay/add", add); !strings.Contains(got, `{"name":"ana","changed":true}`) || !strings.Contains(got, `"bob","changed":false,"problem":"it uses the relay http://127.0.0.1:1"`) {
		t.Error(got)
	}
	if got := ask("/v1/relay/add", add); !strings.Contains(got, `{"name":"ana","changed":false}`) {
		t.Error("again:", got)
	}
	own := p.addresses().List
	if len(own) != 2 || own[0].Relay == nil || own[0].Relay.Origin != at.Origin() {
		t.Fatalf("the phone is told of %d addresses", len(own))
	}
	client, err := relaylink.NewClient(at.Origin(), relaylink.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	box := mailbox.Address(own[0].Relay.Mailbox)
	if err := client.Post(t.Context(), box, []byte("x")); err != nil {
		t.Error("the phone cannot post there:", err)
	}
	if err := p.links[1].Send(t.Context(), []byte("x")); !errors.Is(err, transport.ErrNoMailbox) || p.links[1].Name() != nameRelay {
		t.Error("posted, nobody knows where:", err)
	}

	// Nobody takes away what the phone has for sure.
	if got := ask("/v1/sqs/remove", "{}"); !strings.Contains(got, `"ana","changed":false,"problem":"the phone has not taken its other channel yet"`) || !strings.Contains(got, `{"name":"bob","changed":false}`) {
		t.Error(got)
	}
	if err := d.addressesTold(p, p.AddressesSeq, own); err != nil {
		t.Fatal(err)
	}
	if got := ask("/v1/relay/remove", "{}"); !strings.Contains(got, `{"name":"ana","changed":true}`) || !strings.Contains(got, `"bob","changed":false,"problem":"it has no other channel"`) {
		t.Error(got)
	}
	for end := time.Now().Add(30 * time.Second); !errors.Is(client.Post(t.Context(), box, []byte("x")), transport.ErrNoMailbox); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the mailbox is still there")
		}
	}
	if got := ask("/v1/sqs/remove", "{}"); !strings.Contains(got, `"ana","changed":false,"problem":"it has no other channel"`) {
		t.Error(got)
	}
	_, undo := p.end() // a pairing that ends meanwhile gets nothing
	if got := ask("/v1/relay/add", add); !strings.Contains(got, "the pairing has ended") {
		t.Error(got)
	}
	undo()
}

// TestQueuesUntakenKeepTheRelay: a phone that has not taken its queues yet keeps the relay.
func TestQueuesUntakenKeepTheRelay(t *testing.T) {
	cloud(t)
	d := newDaemon(t)
	alive(t, d)
	r := newRecord(t)
	r.SQS, r.AddressesSeq, r.Untaken = made(t), 7, []string{nameSQS}
	store(t, d, r)
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	p, err := d.find("ana")
	if err != nil {
		t.Fatal(err)
	}
	if lost, err := d.loseRelay(p); lost || err == nil || p.relay() == "" {
		t.Errorf("lost %v, %v", lost, err)
	}
}
