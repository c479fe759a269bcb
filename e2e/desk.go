package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Desk is where a browser shows its notifications to a person: the desktop's
// notification service, on a bus of its own (Debian's dbus-daemon).
//
// References: [Desktop Notifications Specification] 1.2.
type Desk struct {
	bus     *exec.Cmd
	address string
	conn    *dbus.Conn

	mu    sync.Mutex
	more  chan struct{} // closed at every change
	last  uint32
	shown []*Notification
	past  []Notification // each that was shown or replaced, oldest first
}

// Notification is what a person sees.
type Notification struct {
	Title, Body string
	Actions     []string // what the buttons say, without that of a click on the notification and of the browser
	Urgent      bool     // stays until it is answered
	Silent      bool
	At          time.Time // when it was shown or replaced

	id   uint32
	keys map[string]string // from what a button says to its key
}

const (
	notifyName = "org.freedesktop.Notifications"
	notifyPath = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// NewDesk starts one, which ends with the test.
func NewDesk(t testing.TB) *Desk {
	t.Helper()
	d := &Desk{bus: exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address", "--address=unix:tmpdir="+t.TempDir()), more: make(chan struct{})}
	d.bus.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := d.bus.StdoutPipe()
	if err == nil {
		err = d.bus.Start()
	}
	if err != nil {
		t.Fatalf("start the bus: %v; install it: apt-get install dbus", err)
	}
	t.Cleanup(func() {
		if d.conn != nil {
			d.conn.Close()
		}
		d.bus.Process.Kill()
		d.bus.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		d.address = strings.TrimSpace(line)
		d.conn, err = dbus.Connect(d.address)
	}
	if err == nil {
		err = d.conn.Export(service{d}, notifyPath, notifyName)
	}
	if err == nil {
		_, err = d.conn.RequestName(notifyName, dbus.NameFlagDoNotQueue)
	}
	if err != nil {
		t.Fatalf("the desk: %v", err)
	}
	return d
}

// Env makes a browser show its notifications here.
func (d *Desk) Env() string { return "DBUS_SESSION_BUS_ADDRESS=" + d.address }

// Notifications are those that the person sees now, oldest first.
func (d *Desk) Notifications() []Notification {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Notification, len(d.shown))
	for i, n := range d.shown {
		all[i] = *n
	}
	return all
}

// Count is how often a notification was shown or replaced until now.
func (d *Desk) Count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.past)
}

// Await waits until what the person sees is as ok says.
func (d *Desk) Await(ok func([]Notification) bool) ([]Notification, error) {
	for timeout := time.After(patience); ; {
		d.mu.Lock()
		more := d.more
		d.mu.Unlock()
		now := d.Notifications()
		if ok(now) {
			return now, nil
		}
		select {
		case <-more:
		case <-timeout:
			d.mu.Lock()
			defer d.mu.Unlock()
			return now, fmt.Errorf("the person does not see what should be there, but %+v; one after another there were %+v", now, d.past)
		}
	}
}

// Click clicks on a notification, or on its button that says so, as a person does.
func (d *Desk) Click(n Notification, button string) error {
	key := "default"
	if button != "" {
		key = n.keys[button]
	}
	if key == "" {
		return fmt.Errorf("the notification has no button %q, but %q", button, n.Actions)
	}
	return d.emit("ActionInvoked", n.id, key)
}

// Dismiss closes a notification, as a person does who does not care.
func (d *Desk) Dismiss(n Notification) error {
	if !d.remove(n.id) {
		return errors.New("the notification is not there")
	}
	return d.emit("NotificationClosed", n.id, uint32(2))
}

// emit tells the browser what a person did. It does not know a notification before
// its Notify is answered, which no person can overtake: by a trip to the bus and
// back that answer is on its way.
func (d *Desk) emit(signal string, values ...any) error {
	if err := d.conn.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
		return err
	}
	return d.conn.Emit(notifyPath, notifyName+"."+signal, values...)
}

func (d *Desk) remove(id uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.shown)
	d.shown = slices.DeleteFunc(d.shown, func(n *Notification) bool { return n.id == id })
	d.changed()
	return len(d.shown) < before
}

// changed wakes who waits. The caller holds mu.
func (d *Desk) changed() {
	close(d.more)
	d.more = make(chan struct{})
}

// service is the Desk as the bus sees it.
type service struct{ d *Desk }

func (s service) GetServerInformation() (name, vendor, version, spec string, err *dbus.Error) {
	return "desk", "e2e", "1", "1.2", nil
}

func (s service) GetCapabilities() ([]string, *dbus.Error) {
	return []string{"actions", "body", "persistence"}, nil
}

func (s service) Notify(app string, replaces uint32, icon, title, body string, actions []string, hints map[string]dbus.Variant, expire int32) (uint32, *dbus.Error) {
	d := s.d
	n := &Notification{Title: title, Body: body, At: time.Now(), keys: map[string]string{}}
	for pair := range slices.Chunk(actions, 2) {
		if key, label := pair[0], pair[len(pair)-1]; key != "default" && key != "settings" {
			n.Actions, n.keys[label] = append(n.Actions, label), key
		}
	}
	n.Silent, _ = hints["suppress-sound"].Value().(bool)
	if u, ok := hints["urgency"].Value().(byte); ok {
		n.Urgent = u == 2
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.changed()
	d.past = append(d.past, *n)
	for i, old := range d.shown {
		if replaces != 0 && old.id == replaces {
			n.id, d.shown[i] = replaces, n
			return n.id, nil
		}
	}
	d.last++
	n.id = d.last
	d.shown = append(d.shown, n)
	return n.id, nil
}

func (s service) CloseNotification(id uint32) *dbus.Error {
	if s.d.remove(id) {
		s.d.conn.Emit(notifyPath, notifyName+".NotificationClosed", id, uint32(3))
	}
	return nil
}
