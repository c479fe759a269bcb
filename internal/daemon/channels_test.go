package daemon

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wire"
)

// TestAddressesTold: what the phone says of our addresses is kept with the
// pairing, and queues that it does not use go, unless it has nothing else.
func TestAddressesTold(t *testing.T) {
	s := cloud(t)
	relay := []wire.Address{{Relay: &wire.RelayAddress{Origin: "http://127.0.0.1:1", Mailbox: bytes.Repeat([]byte{7}, 16)}}}
	for name, c := range map[string]struct {
		change  func(*record)
		seq     int64
		at      func(record) []wire.Address
		wantSeq int64 // 0: a new one
		taken   bool
		queues  bool
	}{
		"it takes them":               {nil, 7, func(r record) []wire.Address { return r.addresses().List }, 7, true, true},
		"it does not use them":        {nil, 7, func(record) []wire.Address { return relay }, 7, true, false},
		"an older list":               {nil, 6, func(record) []wire.Address { return relay }, 7, false, true},
		"the number alone":            {nil, 7, func(record) []wire.Address { return nil }, 7, false, true},
		"one that we know nothing of": {nil, 9, func(record) []wire.Address { return nil }, 0, false, true},
		"nothing but queues": {func(r *record) { r.Relay, r.Mailbox, r.Peer = "", nil, mailbox.Address{} }, 7,
			func(record) []wire.Address { return relay }, 7, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			alive(t, d)
			r := newRecord(t)
			r.SQS, r.AddressesSeq, r.Untaken = made(t), 7, []string{nameSQS}
			if c.change != nil {
				c.change(&r)
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
				if err := d.addressesTold(p, c.seq, c.at(r)); err != nil {
					t.Fatal(err)
				}
			}
			var now record
			if err := d.cfg.Dir.ReadJSON(recordName(r.ID), recordVersion, &now); err != nil {
				t.Fatal(err)
			}
			if c.wantSeq != 0 && now.AddressesSeq != c.wantSeq || now.AddressesSeq < c.seq || (len(now.Untaken) == 0) != c.taken || (now.SQS != nil) != c.queues {
				t.Errorf("on disk: number %d, untaken %q, queues %v", now.AddressesSeq, now.Untaken, now.SQS != nil)
			}
			if (p.queues() != nil) != c.queues || slices.Contains(p.untaken(), nameSQS) == c.taken {
				t.Errorf("queues %v, untaken %q", p.queues() != nil, p.untaken())
			}
			for end := time.Now().Add(30 * time.Second); (s.Attributes(r.SQS.ToPhone) != nil) != c.queues; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the queues are still there")
				}
			}
		})
	}
}

// TestChannelsOfSeveral: queues come and go for each phone, and what one cannot
// have does not keep the others from it.
func TestChannelsOfSeveral(t *testing.T) {
	s := cloud(t)
	d := newDaemon(t)
	alive(t, d)
	alone, both := newRecord(t), newRecord(t)
	alone.Name, both.Name, both.Paired = "ana", "bob", both.Paired.Add(time.Second) // listed by age
	alone.SQS, alone.Relay, alone.Mailbox, alone.Peer = made(t), "", nil, mailbox.Address{}
	store(t, d, alone)
	store(t, d, both)
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	ask := func(path, body string) string {
		t.Helper()
		w := httptest.NewRecorder()
		d.api().ServeHTTP(w, request(http.MethodPost, path, body))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	account := fmt.Sprintf(`{"region":%q,"prefix":"kr-"}`, sqstest.Region)
	if got := ask("/v1/sqs/add", account); got != `{"phones":[{"name":"ana","changed":false},{"name":"bob","changed":true}]}`+"\n" {
		t.Error(got)
	}
	if len(s.Queues()) != 4 {
		t.Errorf("%d queues", len(s.Queues()))
	}
	got := ask("/v1/sqs/remove", "{}")
	if !strings.Contains(got, `{"name":"ana","changed":false,"problem":"it has no other channel`) || !strings.Contains(got, `{"name":"bob","changed":true}`) {
		t.Error(got)
	}
	for end := time.Now().Add(30 * time.Second); len(s.Queues()) != 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the queues are still there")
		}
	}
	s.Grant()
	if got := ask("/v1/sqs/add", account); !strings.Contains(got, `"bob","changed":false,"problem":"Amazon SQS in `) || strings.Contains(got, "kr-") {
		t.Error(got)
	}
	if left, err := d.cfg.Dir.List(leftoverDir); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
	p, err := d.find("bob")
	if err != nil {
		t.Fatal(err)
	}
	_, undo := p.end() // a pairing that ends meanwhile gets nothing
	s.Grant("sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue")
	if got := ask("/v1/sqs/add", account); !strings.Contains(got, "the pairing has ended") {
		t.Error(got)
	}
	undo()
	for end := time.Now().Add(30 * time.Second); len(s.Queues()) != 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("queues of a pairing that has ended are still there")
		}
	}
}
