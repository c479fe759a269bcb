package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/term"
)

func TestCheckPhones(t *testing.T) {
	now := time.Now()
	up := control.Link{Name: "relay", Connected: true, Mode: "WebSocket"}
	down := control.Link{Name: "sqs", LastError: "no route"}
	near := control.Link{Name: channelBluetooth}
	well := control.Phone{ID: "1", Name: "ana", Heard: now, Keys: []control.Key{{Name: "k"}}, Links: []control.Link{up}, Push: control.Push{State: control.PushYes, Host: "push.example"}}
	with := func(change func(*control.Phone)) []control.Phone {
		p := well
		change(&p)
		return []control.Phone{p}
	}
	for _, c := range []struct {
		name   string
		phones []control.Phone
		want   string // name:state of each fact
		fix    string
	}{
		{"all is well", []control.Phone{well}, "phone:ok channel:ok push:ok", ""},
		{"no phone", nil, "phone:fail", "kr pair"},
		{"away", with(func(p *control.Phone) { p.Away = true }), "phone:warn channel:ok push:ok", "open its app"},
		{"locked", with(func(p *control.Phone) { p.Locked, p.Away = now, true }), "phone:fail channel:ok push:ok", "Computers > this computer > Unlock"},
		{"long ago", with(func(p *control.Phone) { p.Heard = now.Add(-50 * 24 * time.Hour) }), "phone:warn channel:ok push:ok", "kr unpair 1"},
		{"no key", with(func(p *control.Phone) { p.Keys = nil }), "phone:warn channel:ok push:ok", "show it one"},
		{"one channel of two", with(func(p *control.Phone) { p.Links = []control.Link{up, down} }), "phone:ok channel:ok channel:warn push:ok", "kr daemon logs"},
		{"no channel", with(func(p *control.Phone) { p.Links = []control.Link{down} }), "phone:ok channel:fail push:ok", "kr daemon logs"},
		{"Bluetooth, which waits", with(func(p *control.Phone) { p.Links = []control.Link{near} }), "phone:ok channel:ok push:ok", ""},
		{"Bluetooth beside the relay", with(func(p *control.Phone) { p.Links = []control.Link{near, up} }), "phone:ok channel:ok channel:ok push:ok", ""},
		{"Bluetooth beside one that fails", with(func(p *control.Phone) { p.Links = []control.Link{near, down} }), "phone:ok channel:ok channel:warn push:ok", "kr daemon logs"},
		{"Bluetooth that is off", with(func(p *control.Phone) {
			p.Links = []control.Link{{Name: channelBluetooth, LastError: "Bluetooth is off"}}
		}), "phone:ok channel:fail push:ok", "kr daemon logs"},
		{"no push", with(func(p *control.Phone) { p.Push = control.Push{State: control.PushNone} }), "phone:ok channel:ok push:warn", "turn notifications on"},
		{"push is gone", with(func(p *control.Phone) { p.Push.State = control.PushGone }), "phone:ok channel:ok push:warn", "open its app"},
		{"pushes fail", with(func(p *control.Phone) { p.Push.State = control.PushFailing }), "phone:ok channel:ok push:warn", "kr daemon logs"},
		{"by SNS, which fails", with(func(p *control.Phone) {
			p.Push, p.SNS = control.Push{State: control.PushNone}, control.Push{State: control.PushFailing, Host: "APNS"}
		}), "phone:ok channel:ok push:warn", "kr daemon logs"},
		{"its log shrank", with(func(p *control.Phone) { p.Log.Wrong = []control.LogFinding{{Text: "fewer"}} }), "phone:ok channel:ok push:ok log:warn", "kr log verify"},
	} {
		chk := newCheckup(&env{})
		chk.asked, chk.status = true, control.Status{Phones: c.phones}
		var got []string
		fix := false
		for _, f := range lookPhones(t.Context(), chk) {
			got = append(got, f.name+":"+string(f.state))
			fix = fix || strings.Contains(f.fix, c.fix)
			if f.state != factOK && f.fix == "" {
				t.Errorf("%s: nothing says what to do about: %s", c.name, f.text)
			}
		}
		if s := strings.Join(got, " "); s != c.want || !fix {
			t.Errorf("%s: %s, want %s and %q", c.name, s, c.want, c.fix)
		}
	}
}

// TestCheckRelay: a relay that is none, one that does not answer, and clocks.
func TestCheckRelay(t *testing.T) {
	healthy := func(w http.ResponseWriter) { fmt.Fprint(w, relayHealthy) }
	answer := healthy
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		answer(w)
	}))
	defer srv.Close()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	state := t.TempDir()
	for _, c := range []struct {
		name, relay string
		answer      func(http.ResponseWriter)
		clock       time.Duration // of this computer, against the relay's
		want        string
		text        string
	}{
		{"none", "", nil, 0, "relay:warn", "none is set"},
		{"well", srv.URL, healthy, 0, "relay:ok clock:ok", "agrees"},
		{"clock a little ahead", srv.URL, healthy, 50 * time.Second, "relay:ok clock:ok", "agrees"},
		{"clock ahead", srv.URL, healthy, time.Hour, "relay:ok clock:warn", "ahead of that of the relay"},
		{"clock behind", srv.URL, healthy, -time.Hour, "relay:ok clock:warn", "behind that of the relay"},
		{"no Date", srv.URL, func(w http.ResponseWriter) { w.Header()["Date"] = nil; healthy(w) }, 0, "relay:ok", "answers"},
		{"another server", srv.URL, func(w http.ResponseWriter) { fmt.Fprint(w, "hello\x1b[2J") }, 0, "relay:fail", "is no relay"},
		{"a page for what is not there", srv.URL, func(w http.ResponseWriter) { w.WriteHeader(404) }, 0, "relay:fail", "status 404"},
		{"a store that fails", srv.URL, func(w http.ResponseWriter) { w.WriteHeader(503) }, 0, "relay:fail", "its store does not work"},
		{"nobody", "http://127.0.0.1:1", nil, 0, "relay:fail", "refused"},
		{"no answer", "http://" + mute.Addr().String(), nil, 0, "relay:fail", "no answer within"},
	} {
		if code, _, errs := kr(t, state, "config", "set", "relay", c.relay); code != 0 {
			t.Fatal(errs)
		}
		if c.answer != nil {
			answer = c.answer
		}
		chk := newCheckup(&env{home: state})
		chk.now = func() time.Time { return time.Now().Add(c.clock) }
		if c.relay == "http://"+mute.Addr().String() {
			chk.patience = 50 * time.Millisecond
		}
		var got []string
		text := false
		for _, f := range lookRelay(t.Context(), chk) {
			got = append(got, f.name+":"+string(f.state))
			text = text || strings.Contains(f.text, c.text)
			if f.state == factFail && f.code != codeNoAnswer {
				t.Errorf("%s: exit code %d", c.name, f.code)
			}
		}
		if s := strings.Join(got, " "); s != c.want || !text {
			t.Errorf("%s: %s, want %s and %q", c.name, s, c.want, c.text)
		}
		answer = healthy
	}
}

// TestDiskTrouble: what the disk says becomes a sentence and something to type,
// in every command.
func TestDiskTrouble(t *testing.T) {
	for err, want := range map[error]string{
		syscall.ENOSPC: "df -h", syscall.EDQUOT: "quota -s", syscall.EROFS: "findmnt -T", syscall.EACCES: "ls -ld", syscall.EPERM: "ls -ld",
	} {
		explained := explain(fmt.Errorf("set up: %w", &os.PathError{Op: "open", Path: "/nowhere/it is/x", Err: err}))
		var hint interface{ Hint() []string }
		if !errors.As(explained, &hint) || !strings.Contains(hint.Hint()[0], want) || !strings.Contains(hint.Hint()[1], "kr check") {
			t.Errorf("of %v: %v", err, explained)
		}
	}
	if err := explain(&os.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}); errors.As(err, new(*term.Problem)) {
		t.Errorf("a file that is not there has become %v", err)
	}
}

// TestCheckSSH: old programs, passkeys, and programs that anybody can change.
func TestCheckSSH(t *testing.T) {
	passkey := control.Status{Phones: []control.Phone{{Name: "ana", Keys: []control.Key{{Type: sshwire.KeyPasskey}}}}}
	for _, c := range []struct {
		name, says string
		st         control.Status
		want       factState
		text       string
	}{
		{"none", "", control.Status{}, factFail, "no ssh in PATH"},
		{"new", "OpenSSH_10.3p1", passkey, factOK, "OpenSSH 10.3"},
		{"a passkey and an ssh that does not take it", "OpenSSH_9.9p1", passkey, factWarn, "passkey"},
		{"no passkey", "OpenSSH_9.9p1", control.Status{}, factOK, "OpenSSH 9.9"},
		{"one that does not name the host", "OpenSSH_8.4p1", control.Status{}, factWarn, "cannot prove"},
		{"another", "Dropbear v2022", control.Status{}, factWarn, "which OpenSSH"},
	} {
		dir := t.TempDir()
		t.Setenv("PATH", dir)
		if c.says != "" {
			if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\necho '"+c.says+"' >&2\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		chk := newCheckup(&env{})
		chk.asked, chk.status = true, c.st
		f := lookSSH(t.Context(), chk)[0]
		if os.Geteuid() != 0 && c.says != "" { // only root's programs are asked
			c.want, c.text = factWarn, "old one"
		}
		if f.state != c.want || !strings.Contains(f.text, c.text) {
			t.Errorf("%s: %s, %s", c.name, f.state, f.text)
		}
	}
}

// TestCheckSSHConfigInEffect: the block is whole, and ssh says something else, or
// nothing.
func TestCheckSSHConfigInEffect(t *testing.T) {
	home, state := newcomer(t)
	e := &env{home: state, krd: control.NewClient(filepath.Join(state, control.Socket), peer.SameUser)}
	block := e.block().Text()
	for _, c := range []struct {
		name, config, ssh string // ssh: a script in its place
		want              factState
		text              string
	}{
		{"as it should be", block, "", factWarn, "HOME is " + home}, // as it is not what the user database says
		{"a line that ssh does not know", block + "Nonsense yes\n", "", factFail, "line 4: Bad configuration option: nonsense"},
		{"a wrapper around ssh", block, "echo identityagent none", factFail, "ssh uses none, although"},
		{"one that does not read the file", block, "echo host kr-setup.invalid", factFail, "ssh uses what SSH_AUTH_SOCK says, although"},
	} {
		sshConfig(t, home, c.config, 0o600)
		if c.ssh != "" {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\n"+c.ssh+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		}
		if f := lookSSHConfig(t.Context(), newCheckup(e))[0]; f.state != c.want || !strings.Contains(f.text, c.text) || f.fix == "" || f.mend != nil {
			t.Errorf("%s: %s, %s", c.name, f.state, f.text)
		}
	}
}

// TestFactsShown: a line holds what others wrote, and nothing that steers a
// terminal or looks like another line; programs get the same as JSON.
func TestFactsShown(t *testing.T) {
	var out bytes.Buffer
	e := &env{io: &term.IO{Out: &out, Err: &out}}
	facts := []fact{
		{name: "ssh_config", state: factOK, text: "fine"},
		{name: "channel", state: factFail, text: "ana\x1b[2J\nok    all is well\u202e", fix: "kr\x07 daemon logs", code: codeNoAnswer},
		{name: "krd", state: factWarn, text: "old", mend: func(context.Context) error { return nil }, did: "restarted it", mended: true},
	}
	for _, f := range facts {
		newCheckup(e).show(f)
	}
	if s := out.String(); strings.Count(s, "\n") != 4 || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("%q", s)
	}
	err := result(facts, false)
	if term.ExitCode(err) != codeNoAnswer || result(facts[:1], false) != nil || result([]fact{facts[2]}, false) != nil {
		t.Errorf("result: %v", err)
	}
	out.Reset()
	facts[1].text = strings.TrimSuffix(facts[1].text, "\u202e") // which nobody sees in a golden file
	j := jsonFacts(facts)
	j.Version = "0.1.0"
	if err := e.printJSON(j); err != nil {
		t.Fatal(err)
	}
	golden(t, "check.json", out.String())
}
