package daemon

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/transport/sqs/owner"
	"kryptonite/internal/transport/sqs/sqstest"
	"kryptonite/internal/wire"
)

// cloud is an SQS that krd finds by AWS's own settings.
func cloud(t *testing.T) *sqstest.Server {
	t.Helper()
	s, none := sqstest.New(), filepath.Join(t.TempDir(), "none")
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": sqstest.AccessKey, "AWS_SECRET_ACCESS_KEY": sqstest.Secret, "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_ENDPOINT_URL_SQS": s.Listen(t), "AWS_CA_BUNDLE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
		"AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(k, v)
	}
	return s
}

// made are two new queues.
func made(t *testing.T) *queues {
	t.Helper()
	a, err := owner.Open(t.Context(), owner.Config{Region: sqstest.Region})
	if err != nil {
		t.Fatal(err)
	}
	q, err := a.Create(t.Context(), a.Names())
	if err != nil {
		t.Fatal(err)
	}
	return &queues{SQSAddress: q}
}

// TestSQSRecords: a pairing has a relay, queues or both, and each whole.
func TestSQSRecords(t *testing.T) {
	q := &queues{SQSAddress: wire.SQSAddress{Region: "eu-central-1", Account: "123456789012",
		ToComputer: strings.Repeat("a1", 16), ToPhone: strings.Repeat("b2", 16)}}
	for name, c := range map[string]struct {
		change func(*record)
		ok     bool
	}{
		"relay only":             {func(*record) {}, true},
		"both":                   {func(r *record) { r.SQS = q }, true},
		"SQS only":               {func(r *record) { r.SQS, r.Relay, r.Mailbox, r.Peer = q, "", nil, mailbox.Address{} }, true},
		"neither":                {func(r *record) { r.Relay, r.Mailbox, r.Peer = "", nil, mailbox.Address{} }, false},
		"half a relay":           {func(r *record) { r.SQS, r.Relay = q, "" }, false},
		"a relay without a peer": {func(r *record) { r.SQS, r.Peer = q, mailbox.Address{} }, false},
		"a relay told of": {func(r *record) {
			r.SQS, r.Peer, r.Untaken = q, mailbox.Address{}, []string{nameRelay}
		}, true},
		"a relay told of, nothing taken": {func(r *record) {
			r.SQS, r.Peer, r.Untaken = q, mailbox.Address{}, []string{nameRelay, nameSQS}
		}, false},
		"a relay told of, alone": {func(r *record) { r.Peer, r.Untaken = mailbox.Address{}, []string{nameRelay} }, false},
		"a queue of another's":   {func(r *record) { bad := *q; bad.ToPhone = "orders"; r.SQS = &bad }, false},
	} {
		r := newRecord(t)
		c.change(&r)
		if err := r.check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again record
		if err := json.Unmarshal(b, &again); (err == nil) != c.ok {
			t.Errorf("%s, from disk: %v", name, err)
		}
	}
}

// TestSQSSettingsAreGone: a pairing whose AWS profile is gone works by the relay,
// and says why not by SQS.
func TestSQSSettingsAreGone(t *testing.T) {
	cloud(t)
	d := newDaemon(t)
	alive(t, d)
	r := newRecord(t)
	r.SQS = made(t)
	r.SQS.Profile = "gone"
	store(t, d, r)
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	p, err := d.find("ana")
	if err != nil {
		t.Fatal(err)
	}
	links := d.describe(p).Links
	if len(links) != 2 || links[0].Name != "relay" || links[1].Name != "sqs" || links[1].Connected || !strings.Contains(links[1].LastError, "AWS settings") {
		t.Errorf("the channels are %+v", links)
	}
}

// TestLeftovers: at its start krd deletes the queues that are no pairing's, keeps
// those that are, and touches no file that it did not write.
func TestLeftovers(t *testing.T) {
	s := cloud(t)
	d := newDaemon(t)
	used, unused := made(t), made(t)
	r := newRecord(t)
	r.SQS = used
	store(t, d, r)
	for _, q := range []*queues{used, unused} {
		if _, err := d.keepLeftover(q, 0); err != nil {
			t.Fatal(err)
		}
	}
	foreign := d.cfg.Dir.Path(leftoverDir, "foreign.json")
	l, err := d.keepLeftover(made(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.cfg.Dir.Path(l.name()), foreign); err != nil {
		t.Fatal(err)
	}
	life, end := context.WithCancel(t.Context())
	d.life = life
	if err := d.loadPhones(); err != nil {
		t.Fatal(err)
	}
	if err := d.loadLeftovers(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left, err := d.cfg.Dir.List(leftoverDir)
		if err != nil || time.Now().After(end) {
			t.Fatal("not settled", err)
		}
		if len(left) == 1 {
			break
		}
	}
	d.close(end)
	if s.Attributes(used.ToComputer) == nil || s.Attributes(used.ToPhone) == nil || s.Attributes(unused.ToComputer) != nil || s.Attributes(unused.ToPhone) != nil {
		t.Errorf("left are %v", s.Queues())
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}
