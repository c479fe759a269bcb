package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kryptonite/internal/asker"
	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshversion"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/sshwire/passkeytest"
	"kryptonite/internal/wire"
)

// player is an ssh of the version in its own path: .../10.3/ssh. It is small,
// because it has a second to say so.
const player = `
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
	if (argc == 2 && strcmp(argv[1], "-V") == 0) {
		char *name = strrchr(argv[0], '/');
		*name = 0;
		fprintf(stderr, "OpenSSH_%sp1, OpenSSL 3.0.19\\n", strrchr(argv[0], '/') + 1);
		return 0;
	}
	puts("ready");
	fflush(stdout);
	getchar(); // until the tester lets go
	return 0;
}`

// compiled is the player.
var compiled = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "kr-player-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("cc", "-x", "c", "-o", filepath.Join(dir, "player"), "-")
	cmd.Stdin = strings.NewReader(player)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cc is missing (Debian: gcc), or fails: %w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "player"))
})

// played starts a program with this name that says to be of this version.
func played(t *testing.T, version, name string) asker.Asker {
	t.Helper()
	return play(t, version, name, false)
}

// play is played; replaced means that an update puts another file in its place.
func play(t *testing.T, version, name string, replaced bool) asker.Asker {
	t.Helper()
	b, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), version)
	path := filepath.Join(dir, name)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, b, 0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if replaced {
		if err := errors.Join(os.WriteFile(path+".new", b, 0o700), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	return asker.At(cmd.Process.Pid)
}

// stockSSH is Debian's ssh, at work.
func stockSSH(t *testing.T) asker.Asker {
	t.Helper()
	cmd := exec.Command("ssh", "-F", "none", "-o", "ProxyCommand=sleep 60", "host")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal("ssh is missing (Debian: openssh-client): ", err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); cmd.Wait() })
	return asker.At(cmd.Process.Pid)
}

func aPasskey(t *testing.T, name string) wire.SSHKey {
	t.Helper()
	p := passkeytest.New(1, "phone.example")
	blob, err := sshwire.PasskeyBlob(p.SPKI(), p.Application)
	if err != nil {
		t.Fatal(err)
	}
	return wire.SSHKey{PublicKey: blob, Name: name}
}

// TestWhoGetsPasskeys: only those that can log in with them see them, and only
// they may ask for a login; what git signs is for all.
func TestWhoGetsPasskeys(t *testing.T) {
	d := newDaemon(t)
	r := newRecord(t)
	working(t, d, r)
	key := aPasskey(t, "passkey")
	if err := d.keysTold(d.phones[r.ID], 7, []wire.SSHKey{key, sshKey(2, "second"), sshKey(3, "third")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	pub, err := sshwire.ParsePublicKey(key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	login := sshwire.Userauth{SessionID: make([]byte, 32), User: "root", Method: "publickey", Algorithm: sshwire.KeyPasskey, PublicKey: key.PublicKey}.Marshal()
	file := sshwire.SSHSIG{Namespace: "git", Hash: "sha512", Digest: make([]byte, 64)}.Marshal()
	own, fwd := []wire.Bind{{}}, []wire.Bind{{Forwarding: true}, {}}
	stock, err := new(sshversion.Versions).Of(t.Context(), "/usr/bin/ssh")
	if err != nil {
		t.Fatal(err)
	}
	stockTakes, stockSays := stock.AtLeast(10, 3), ""
	if !stockTakes {
		stockSays = "/usr/bin/ssh is OpenSSH " + stock.String() + ", and passes them on from 10.3"
	}
	root := os.Getuid() == 0 // only root's programs are asked
	for _, c := range []struct {
		name  string
		asker asker.Asker
		binds []wire.Bind
		want  bool
		log   string
	}{
		{"ssh 10.3", played(t, "10.3", "ssh"), own, root, ""},
		{"ssh 10.3 without a bind", played(t, "10.3", "ssh"), nil, root, ""},
		{"ssh 10.2", played(t, "10.2", "ssh"), own, false, "is OpenSSH 10.2, and passes them on from 10.3"},
		{"ssh 10.3, updated meanwhile", play(t, "10.3", "ssh", true), own, false, "replaced while it runs"},
		{"ssh 10.3, forwarded", played(t, "10.3", "ssh"), fwd, false, "forwarded"},
		{"Debian's ssh", stockSSH(t), own, stockTakes, stockSays},
		{"ssh-keygen", played(t, "9.2", "ssh-keygen"), nil, true, ""},
		{"another program", asker.At(os.Getpid()), own, true, ""},
		{"another program, forwarded", asker.At(os.Getpid()), fwd, false, "forwarded"},
		{"nobody knows who", asker.Asker{}, own, false, "which program"},
	} {
		if !root && c.name == "ssh 10.2" {
			c.log = "others than root can change it"
		}
		var log bytes.Buffer
		d.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		a := &agentConn{d: d, asker: c.asker, life: t.Context(), resolved: make(chan struct{})}
		a.once.Do(func() { close(a.resolved) }) // no name is asked for
		a.Bound(c.binds)
		want := []string{"ana second", "ana third"}
		if c.want {
			want = []string{"ana passkey", "ana second", "ana third"}
		}
		var got []string
		for range 2 {
			got = nil
			for _, k := range a.Keys() {
				got = append(got, k.Comment)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s sees %q, want %q", c.name, got, want)
		}
		if n := strings.Count(log.String(), "passkeys are not offered"); n == 1 == c.want || !strings.Contains(log.String(), c.log) {
			t.Errorf("%s: the log says %q, want %q once", c.name, log.String(), c.log)
		}
		if err := a.mayUse(pub, sshagent.Request{Key: key.PublicKey, Data: login, Binds: c.binds}); (err == nil) != c.want {
			t.Errorf("%s logs in: %v, want %v", c.name, err, c.want)
		}
		if err := a.mayUse(pub, sshagent.Request{Key: key.PublicKey, Data: file, Binds: c.binds}); err != nil {
			t.Errorf("%s signs a file: %v", c.name, err)
		}
		if err := a.mayUse(pub, sshagent.Request{Key: key.PublicKey, Data: append([]byte("x"), file...), Binds: c.binds}); (err == nil) != c.want {
			t.Errorf("%s signs neither: %v", c.name, err)
		}
		if !c.want { // the whole way: nothing goes out
			if _, err := a.Sign(t.Context(), sshagent.Request{Key: key.PublicKey, Data: login, Binds: c.binds}); err == nil || !strings.Contains(err.Error(), "cannot log in with a passkey") {
				t.Errorf("%s: Sign = %v", c.name, err)
			}
		}
	}
}

// TestNoPasskeysNoQuestions: who has none is not asked what it takes.
func TestNoPasskeysNoQuestions(t *testing.T) {
	d := newDaemon(t)
	r := newRecord(t)
	working(t, d, r)
	asked := 0
	takes := func() bool { asked++; return false }
	if err := d.keysTold(d.phones[r.ID], 7, []wire.SSHKey{sshKey(2, "second")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if n := len(d.Keys(takes, nil)); n != 1 || asked != 0 {
		t.Errorf("%d keys, %d questions", n, asked)
	}
	if err := d.keysTold(d.phones[r.ID], 8, []wire.SSHKey{aPasskey(t, "a"), aPasskey(t, "b")}, wire.Wakers{}, false); err != nil {
		t.Fatal(err)
	}
	if n := len(d.Keys(takes, nil)); n != 0 || asked != 1 {
		t.Errorf("%d keys, %d questions", n, asked)
	}
}
