package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
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
	var serving sync.WaitGroup
	t.Cleanup(func() {
		if d.conn != nil {
			d.conn.Close()
			serving.Wait()
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
		_, err = d.conn.RequestName(notifyName, dbus.NameFlagDoNotQueue)
	}
	if err != nil {
		t.Fatalf("the desk: %v", err)
	}
	calls := make(chan *dbus.Message, 256)
	d.conn.Eavesdrop(calls)
	serving.Go(func() { d.serve(calls) })
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

// Click clicks on a notification, or on its button that says so, as a person does:
// on the one that is there by now. A browser gives the buttons of one that it
// replaces other keys, and forgets those before.
func (d *Desk) Click(n Notification, button string) error {
	for _, now := range d.Notifications() {
		switch key := now.keys[button]; {
		case now.id != n.id:
		case button == "":
			return d.emit("ActionInvoked", n.id, "default")
		case key == "":
			return fmt.Errorf("the notification has no button %q, but %q", button, now.Actions)
		default:
			return d.emit("ActionInvoked", n.id, key)
		}
	}
	return errors.New("the notification is not there any more")
}

// Dismiss closes a notification, as a person does who does not care.
func (d *Desk) Dismiss(n Notification) error {
	if !d.remove(n.id) {
		return errors.New("the notification is not there")
	}
	return d.emit("NotificationClosed", n.id, uint32(2))
}

// emit tells the browser what a person did.
func (d *Desk) emit(signal string, values ...any) error {
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

// serve answers the bus, one call after another, until calls are over. A browser
// does not know a notification before its Notify is answered, which no person can
// overtake: it is on the desk only once the answer is on its way.
func (d *Desk) serve(calls <-chan *dbus.Message) {
	for call := range calls {
		if call.Type != dbus.TypeMethodCall {
			continue
		}
		switch call.Headers[dbus.FieldMember].Value() {
		case "GetServerInformation":
			d.reply(call, "desk", "e2e", "1", "1.2")
		case "GetCapabilities":
			d.reply(call, []string{"actions", "body", "persistence"})
		case "Notify":
			d.notify(call)
		case "CloseNotification":
			var id uint32
			if err := dbus.Store(call.Body, &id); err != nil {
				d.refuse(call, err)
				continue
			}
			d.reply(call)
			if d.remove(id) {
				d.emit("NotificationClosed", id, uint32(3))
			}
		default:
			d.refuse(call, errors.New("no such method"))
		}
	}
}

func (d *Desk) notify(call *dbus.Message) {
	var app, icon, title, body string
	var replaces uint32
	var actions []string
	var hints map[string]dbus.Variant
	var expire int32
	if err := dbus.Store(call.Body, &app, &replaces, &icon, &title, &body, &actions, &hints, &expire); err != nil {
		d.refuse(call, err)
		return
	}
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
	old := slices.IndexFunc(d.shown, func(old *Notification) bool { return replaces != 0 && old.id == replaces })
	if old < 0 {
		d.last++
		n.id = d.last
		d.shown = append(d.shown, n)
	} else {
		n.id, d.shown[old] = replaces, n
	}
	d.reply(call, n.id)
}

// reply answers a call. What is said after it comes after it.
func (d *Desk) reply(call *dbus.Message, values ...any) {
	d.answer(call, dbus.TypeMethodReply, nil, values)
}

func (d *Desk) refuse(call *dbus.Message, err error) {
	d.answer(call, dbus.TypeError, map[dbus.HeaderField]dbus.Variant{dbus.FieldErrorName: dbus.MakeVariant("org.freedesktop.DBus.Error.Failed")}, []any{err.Error()})
}

func (d *Desk) answer(call *dbus.Message, kind dbus.Type, headers map[dbus.HeaderField]dbus.Variant, values []any) {
	if call.Flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	msg := &dbus.Message{Type: kind, Body: values, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: call.Headers[dbus.FieldSender], dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
	}}
	maps.Copy(msg.Headers, headers)
	if len(values) > 0 {
		msg.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(values...))
	}
	d.conn.Send(msg, nil) // fails when the test is over
}
