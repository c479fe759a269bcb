package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	service = "org.freedesktop.Notifications"
	object  = dbus.ObjectPath("/org/freedesktop/Notifications")
)

// Desk is a connection to the notification service. Services may take what it
// shows away when it is closed. Its methods are safe for concurrent use.
type Desk struct{ conn *dbus.Conn }

// address returns where the session bus is. Nothing is started for it, and only
// sockets of this machine count.
func address() string {
	if a, set := os.LookupEnv("DBUS_SESSION_BUS_ADDRESS"); set {
		if strings.HasPrefix(a, "unix:") {
			return a
		}
		return ""
	}
	bus := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
	if st, err := os.Stat(bus); err != nil || !filepath.IsAbs(bus) || st.Mode().Type() != os.ModeSocket {
		return ""
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(bus)
}

// Open connects. The connection ends with ctx, or by Close.
func Open(ctx context.Context) (*Desk, error) {
	a := address()
	if a == "" {
		return nil, ErrNone
	}
	conn, err := dbus.Connect(a, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	return &Desk{conn}, nil
}

// Show shows a notification in the place of the one with this id, or, if it is 0,
// a new one. It returns the id.
func (d *Desk) Show(ctx context.Context, id uint32, title, body string) (uint32, error) {
	call := d.conn.Object(service, object).CallWithContext(ctx, service+".Notify", 0,
		appName, id, "", title, noMarkup.Replace(body), []string{}, map[string]dbus.Variant{}, int32(-1))
	if err := call.Store(&id); err != nil {
		return 0, fmt.Errorf("show a notification: %w", err)
	}
	return id, nil
}

// Remove takes a notification away.
func (d *Desk) Remove(ctx context.Context, id uint32) error {
	if err := d.conn.Object(service, object).CallWithContext(ctx, service+".CloseNotification", 0, id).Err; err != nil {
		return fmt.Errorf("take a notification away: %w", err)
	}
	return nil
}

// Close ends the connection.
func (d *Desk) Close() error { return d.conn.Close() }
