package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// faulty builds the programs that die where KR_FAULT says.
var faulty = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(bin, "faulty")
	return dir, Build(dir, "-tags", "faults")
})

// newFaultyHouse is newHouse with programs that can be told where to die.
func newFaultyHouse(t *testing.T) *House {
	t.Helper()
	dir, err := faulty()
	must(t, err)
	return newHouseOf(t, dir)
}

// pairingPoints are the steps of a pairing after which a program is killed.
var pairingPoints = []string{
	"krd.pair.prepared", "krd.pair.shown", "krd.pair.accepted", "krd.pair.attempt", "krd.pair.hello", "krd.pair.words",
	"krd.pair.agreed", "krd.pair.same", "krd.pair.done", "krd.pair.stored", "krd.pair.live", "krd.pair.greeted",
	"phone.OpenLink.handled", "phone.OpenLink.stored", "phone.OpenLink.phone.Listen", "phone.OpenLink.phone.Listen=2",
	"phone.OpenLink.phone.Send", "phone.send.taken", "phone.Frame.handled", "phone.Frame.stored", "phone.Frame.phone.Send",
	"phone.Frame.phone.ShowWords", "phone.send.taken=2", "phone.Confirm.handled", "phone.Confirm.stored",
	"phone.Confirm.phone.Send",
	"relay.post.received", "relay.post.stored", "relay.post.stored=2", "relay.post.stored=3",
	"relay.store.commit", "relay.store.committed", "relay.store.committed=3", "relay.store.committed=5",
}

// TestKilledWhilePairing: whatever dies, afterwards both sides have the pairing
// or neither has, pairing again works, and a login goes through.
func TestKilledWhilePairing(t *testing.T) {
	t.Parallel()
	for _, point := range pairingPoints {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			h := newFaultyHouse(t)
			p := pairing2{h: h, t: t, fault: []string{"KR_FAULT=" + point}}
			p.victim, _, _ = strings.Cut(point, ".")
			p.run()
			h.mustAgree(t)
			out, err := h.Kr("status")
			must(t, err)
			if strings.Contains(out, "no phone is paired") {
				must(t, h.Pair("ana"))
			}
			must(t, h.StartSshd())
			must(t, h.RunPhone("ana", "always"))
			must(t, h.Login())
			if n := h.paired(t); len(n) != 1 {
				t.Errorf("kr status lists %q", n)
			}
			h.mustAgree(t)
			h.checkLog(t, "ana")
		})
	}
}

// pairing2 is a pairing in which a program is killed and started again by two
// people who know what to do.
type pairing2 struct {
	h      *House
	t      *testing.T
	victim string // "krd", "phone" or "relay"
	fault  []string
	phones []*Proc // every kr-phone pair there was
}

func (p *pairing2) env(program string) []string {
	if program == p.victim {
		return p.fault
	}
	return nil
}

func (p *pairing2) run() {
	h, t := p.h, p.t
	defer func() {
		if t.Failed() {
			for _, phone := range p.phones {
				t.Logf("kr-phone pair:\n%s", phone.Output())
			}
			t.Logf("krd:\n%s", h.Krd.Output())
		}
	}()
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	must(t, h.InitPhone("ana"))
	if p.victim == "relay" {
		_, err := h.Relay.Stop(syscall.SIGTERM)
		must(t, err)
		must(t, h.StartRelay(p.fault...))
	}
	must(t, h.StartKrd(p.env("krd")...))
	var dying *Proc
	restart := func() error { return nil }
	switch p.victim {
	case "krd":
		dying, restart = h.Krd, func() error { return h.StartKrd() }
	case "relay":
		dying, restart = h.Relay, func() error { return h.StartRelay() }
	}
	restarted := make(chan error, 1)
	go func() {
		if dying == nil {
			restarted <- nil
			return
		}
		restarted <- errors.Join(dying.Killed(), restart())
	}()
	kr, err := Start(h.Env, filepath.Join(h.Bin, "kr"), "pair", "--name", "laptop")
	must(t, err)
	link, err := kr.Await(`(?m)^(HTTP://\S+)$`)
	if err != nil { // krd died before it gave the link, or the relay while krd opened its mailboxes
		must(t, <-restarted)
		return
	}
	phone := make(chan error, 1)
	stop := make(chan struct{})
	go func() { phone <- p.phone(link, stop) }()
	if words, err := kr.Await(`(?m)^words: ([A-Z]+ [A-Z]+)$`); err == nil {
		must(t, kr.Type(words)) // the phone's are compared by themselves
	}
	code, err := kr.Wait()
	must(t, err)
	if code != 0 {
		close(stop)
	}
	must(t, <-phone)
	must(t, <-restarted)
	if p.victim != "krd" && code != 0 {
		t.Errorf("kr pair: exit %d\n%s", code, kr.Output())
	}
}

// phone is the person at the phone: opens the link, again after a crash,
// answers the words, and gives up when the other side did.
func (p *pairing2) phone(link string, stop <-chan struct{}) error {
	env := p.env("phone")
	for {
		proc, err := p.h.PhoneWith("ana", env, "--log-level", "debug", "pair")
		if err != nil {
			return err
		}
		p.phones = append(p.phones, proc)
		if err := proc.Type(link); err != nil && env == nil {
			return err
		}
		proc.Each(`(?m)^    ([A-Z]+ [A-Z]+)$`, func(words string) { proc.Type(strings.TrimSpace(words)) })
		select {
		case <-proc.done:
		case <-stop: // give what is on its way a moment, then Ctrl-C
			select {
			case <-proc.done:
			case <-time.After(time.Second):
				proc.Signal(syscall.SIGINT)
			}
		}
		code, err := proc.Wait()
		if err != nil {
			return err
		}
		switch {
		case code == -1 && env != nil:
			env = nil // started again
			continue
		case code == 5 && p.victim == "relay":
			continue // the relay could not be reached: it says so, and one tries again
		case env != nil:
			return fmt.Errorf("kr-phone did not die at %s: exit %d\n%s", env, code, proc.Output())
		}
		return nil
	}
}

// paired lists the ids of the pairings that krd has.
func (h *House) paired(t testing.TB) (ids []string) {
	t.Helper()
	out, err := h.Kr("status")
	must(t, err)
	for _, m := range regexp.MustCompile(`(?m)^phone +.* id ([0-9a-f]+)`).FindAllStringSubmatch(out, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// mustAgree waits until phone and computer have the same pairings; a phone that
// agreed to a pairing which came to nothing hears of that when it runs.
func (h *House) mustAgree(t *testing.T) {
	t.Helper()
	if p := h.Phones["ana"]; p != nil {
		_, err := p.Stop(syscall.SIGTERM)
		must(t, err)
	}
	var there, here []string
	for end := time.Now().Add(patience); time.Now().Before(end); {
		there, here = h.paired(t), nil
		list, err := h.Phone("ana", "list")
		must(t, err)
		if code, err := list.Wait(); err != nil || code != 0 {
			t.Fatalf("kr-phone list: exit %d, %v\n%s", code, err, list.Output())
		}
		for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]+)\t[^\t]*\t([^\t]+)\t`).FindAllStringSubmatch(list.Output(), -1) {
			if m[2] != "-" {
				here = append(here, m[1])
			}
		}
		if fmt.Sprint(there) == fmt.Sprint(here) {
			return
		}
		must(t, h.RunPhone("ana", "never"))
		h.Phones["ana"].AwaitFor(time.Second, `gave the pairing up|has unpaired`)
		_, err = h.Phones["ana"].Stop(syscall.SIGTERM)
		must(t, err)
	}
	t.Fatalf("the computer has the pairings %q, the phone %q", there, here)
}

// checkLog verifies the phone's log and counts its decisions.
func (h *House) checkLog(t *testing.T, name string) (allowed int) {
	t.Helper()
	if p := h.Phones[name]; p != nil {
		_, err := p.Stop(syscall.SIGTERM)
		must(t, err)
	}
	p, err := h.Phone(name, "log", "--json")
	must(t, err)
	if code, err := p.Wait(); err != nil || code != 0 {
		t.Fatalf("kr-phone log: exit %d, %v\n%s", code, err, p.Output())
	}
	requests := map[string]int{}
	for _, m := range regexp.MustCompile(`"request_id":"([^"]+)","decision":"(\w+)"`).FindAllStringSubmatch(p.Output(), -1) {
		if requests[m[1]]++; requests[m[1]] > 1 {
			t.Errorf("two decisions for one request: %s", m[0])
		}
		if m[2] == "allowed" {
			allowed++
		}
	}
	return allowed
}

// ledger is what phones signed, over all their lives.
type ledger struct {
	mu     sync.Mutex
	signed map[string]string // request → SHA-256 of the payload
	twice  []string
}

// watch has a person answer y to all questions of p, and keeps what it signs.
func (l *ledger) watch(p *Proc) {
	p.Each(`Allow\? \[y/N\]`, func(string) { p.Type("y") })
	p.Each(`request=\S+ payload_sha256=\S+`, func(m string) {
		request, payload, _ := strings.Cut(m, " ")
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.signed == nil {
			l.signed = map[string]string{}
		}
		if old := l.signed[request]; old != "" && old != payload {
			l.twice = append(l.twice, request)
		}
		l.signed[request] = payload
	})
}

func (l *ledger) check(t *testing.T, h *House) {
	t.Helper()
	allowed := h.checkLog(t, "ana")
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.twice) > 0 {
		t.Errorf("two payloads were signed for one decision: %q", l.twice)
	}
	if len(l.signed) > allowed {
		t.Errorf("%d requests were signed, %d were allowed", len(l.signed), allowed)
	}
	if n := strings.Count(h.Sshd.Output(), "Accepted publickey"); n > len(l.signed) || n == 0 {
		t.Errorf("sshd accepted %d logins, the phone signed %d", n, len(l.signed))
	}
}

// requestPoints are the steps of a request.
var requestPoints = map[string][]string{
	"krd": {"krd.hello.made", "krd.epoch.new", "krd.request.asked", "krd.request.posted", "krd.request.acked",
		"krd.request.answered", "krd.request.checked", "krd.log.stored"},
	"phone": {"phone.Start.handled", "phone.Start.stored", "phone.Frame.handled", "phone.Frame.stored", "phone.Frame.phone.Store",
		"phone.Frame.phone.Send", "phone.Frame.phone.Ask", "phone.send.taken", "phone.Decide.handled", "phone.Decide.stored",
		"phone.Signed.handled", "phone.Signed.stored", "phone.Signed.phone.Send", "phone.Signed.phone.Withdraw",
		"phone.Decide.phone.Sign", "phone.send.taken=2"},
	"relay": {"relay.post.received", "relay.post.stored", "relay.post.stored=2", "relay.post.stored=3", "relay.store.commit",
		"relay.store.commit=2", "relay.store.committed", "relay.store.committed=2", "relay.store.committed=3",
		"relay.delivered", "relay.delivered=2", "relay.delivered=3", "relay.acked", "relay.acked=2"},
}

// TestKilledWhileAsking: whatever dies, the login succeeds once or fails
// cleanly, and the next one works. Only krd's death may cost the login.
func TestKilledWhileAsking(t *testing.T) {
	t.Parallel()
	for victim, points := range requestPoints {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			h := newFaultyHouse(t)
			begin(t, h, "ana")
			must(t, h.StartSshd())
			l := &ledger{}
			must(t, h.runWatched("ana", l))
			must(t, h.Login())
			for _, point := range points {
				start := time.Now()
				h.killAt(t, l, victim, point)
				t.Logf("%s: %s", point, time.Since(start).Round(time.Millisecond))
			}
			l.check(t, h)
			if out, err := h.Kr("log", "verify"); err != nil {
				t.Errorf("a log that only grew is called wrong: %v\n%s", err, out)
			}
		})
	}
}

// runWatched runs a phone with a person who allows everything.
func (h *House) runWatched(name string, l *ledger, env ...string) error {
	p, err := h.PhoneWith(name, env, "--log-level", "debug", "run")
	if err != nil {
		return err
	}
	h.Phones[name] = p
	l.watch(p)
	_, err = p.Await(`ready: `)
	return err
}

// killAt logs in while victim dies at a point, starts it again, and logs in anew.
// An answer may overtake its acknowledgement; then a login passes that point by,
// and the next one is tried.
func (h *House) killAt(t *testing.T, l *ledger, victim, point string) {
	t.Helper()
	fault := "KR_FAULT=" + point
	begin := func(env ...string) error { return h.StartKrd(env...) }
	proc := func() *Proc { return h.Krd }
	switch victim {
	case "phone":
		begin = func(env ...string) error { return h.runWatched("ana", l, env...) }
		proc = func() *Proc { return h.Phones["ana"] }
	case "relay":
		begin, proc = h.StartRelay, func() *Proc { return h.Relay }
	}
	_, err := proc().Stop(syscall.SIGTERM)
	must(t, err)
	begun := begin(fault) // an error: it may die before it is ready
	dying := proc()
	login := make(chan error, 1)
	go func() { login <- h.loginUntil(dying.done) }()
	if err := dying.Killed(); err != nil {
		t.Fatalf("%s: %v, %v", point, begun, err)
	}
	if victim == "krd" { // ssh cannot go on without its agent
		<-login
		must(t, begin())
	} else {
		must(t, begin())
		if err := <-login; err != nil {
			t.Errorf("%s: %v", point, err)
		}
	}
	if err := h.Login(); err != nil {
		t.Errorf("%s: the next login: %v", point, err)
	}
}

// loginUntil logs in until done, at most ten times; each login that began
// must succeed, and the error is that of the last.
func (h *House) loginUntil(done <-chan struct{}) error {
	for range 10 {
		if err := h.Login(); err != nil {
			return err
		}
		select {
		case <-done:
			return nil
		default:
		}
	}
	return nil
}
