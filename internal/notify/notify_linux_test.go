package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// bus starts Debian's dbus-daemon for the test, and returns its address.
func bus(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:tmpdir="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal("dbus-daemon is missing (Debian: dbus-daemon): ", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// person is a notification service, and who reads it.
type person struct {
	mu  sync.Mutex
	saw []string
}

func (p *person) Notify(app string, id uint32, icon, title, body string, actions []string, hints map[string]dbus.Variant, ms int32) (uint32, *dbus.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saw = append(p.saw, fmt.Sprintf("%s %d %q %q %q %v %v %d", app, id, icon, title, body, actions, hints, ms))
	if title == "no" {
		return 0, dbus.MakeFailedError(errors.New("enough"))
	}
	return max(id, 7), nil
}

func (p *person) CloseNotification(id uint32) *dbus.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saw = append(p.saw, fmt.Sprint("close ", id))
	return nil
}

func TestDesk(t *testing.T) {
	address := bus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Show(ctx, 0, "Waiting", ""); err == nil {
		t.Error("shown, and there is no service")
	}
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &person{}
	if err := conn.Export(p, object, service); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(service, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	id, err := d.Show(ctx, 0, "Waiting for <b>Ana</b>", `<a href="x">& é`)
	if err != nil || id != 7 {
		t.Fatalf("Show = %d, %v", id, err)
	}
	if _, err := d.Show(ctx, id, "no", ""); err == nil {
		t.Error("what the service refused is shown")
	}
	if err := d.Remove(ctx, id); err != nil {
		t.Error(err)
	}
	want := `Kryptonite 0 "" "Waiting for <b>Ana</b>" "‹a href=\"x\"›+ é" [] map[] -1
Kryptonite 7 "" "no" "" [] map[] -1
close 7`
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := strings.Join(p.saw, "\n"); got != want {
		t.Errorf("the person saw\n%s\nwant\n%s", got, want)
	}
	d.Close()
	if _, err := d.Show(ctx, 0, "Waiting", ""); err == nil {
		t.Error("shown after Close")
	}
}

// TestNoDesk: nothing is started to find one, only sockets count, and a bus that
// never answers is left when its time is over.
func TestNoDesk(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, a := range []string{"", "autolaunch:", "unixexec:path=/bin/false", "tcp:host=127.0.0.1,port=1"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", a)
		if _, err := Open(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("Open by %q: %v", a, err)
		}
	}
	os.Unsetenv("DBUS_SESSION_BUS_ADDRESS") // until the end of the test
	if a := address(); a != "" {
		t.Errorf("a bus that is not there is at %q", a)
	}
	silent := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a := address(); a != "unix:path="+silent {
		t.Errorf("the user's bus is at %q", a)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx); err == nil {
		t.Error("a bus that says nothing is a desktop")
	}
}
