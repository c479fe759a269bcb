package bluez

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// peerLife is how long our copy of BlueZ's end of a socket stays open: nothing
// says when the answer that carries it has gone out.
const peerLife = time.Second

// socket is one of AcquireNotify: what is written to own, BlueZ notifies.
type socket struct {
	own, peer *os.File
	fd        dbus.UnixFD // of peer, whose Fd would make it block
}

func newSocket() (*socket, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		return nil, err
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		_ = unix.SetNonblock(fd, true)
	}
	return &socket{os.NewFile(uintptr(fds[0]), "notifications"), os.NewFile(uintptr(fds[1]), "notifications of BlueZ"), dbus.UnixFD(fds[1])}, nil
}

func (f *socket) write(b []byte) error {
	_ = f.own.SetWriteDeadline(time.Now().Add(writeLimit)) // BlueZ reads at once
	_, err := f.own.Write(b)
	return err
}

func (f *socket) close() {
	f.own.Close()
	f.peer.Close()
}

// acquireNotify hands BlueZ a socket for notifications. BlueZ asks for one for each
// device that subscribes; before 5.69 it asked once, for the first of them.
func (s *service) acquireNotify(options props) (dbus.UnixFD, uint16, *dbus.Error) {
	device, _ := options["device"].Value().(dbus.ObjectPath)
	mtu, _ := options["mtu"].Value().(uint16)
	f, err := newSocket()
	if err != nil {
		return 0, 0, failed("%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.over:
		f.close()
		return 0, 0, failed("the service has ended")
	default:
	}
	if old := s.sockets[device]; old != nil {
		old.close()
	}
	s.sockets[device] = f
	time.AfterFunc(peerLife, func() { f.peer.Close() })
	s.bg.Go(func() {
		_, _ = io.Copy(io.Discard, f.own) // BlueZ writes nothing
		s.lose(device, f)
	})
	return f.fd, max(mtu, leastMTU), nil
}

// lose forgets a socket that BlueZ has closed. Its device need not have left: when one
// that is not bonded disconnects, BlueZ 5.69 and later close the socket of the first
// that subscribed (issue 1452), which is notified by the property Value from then on.
func (s *service) lose(device dbus.ObjectPath, f *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets[device] != f {
		return
	}
	f.close()
	delete(s.sockets, device)
	s.tellDropped()
}

func (s *service) startNotify() *dbus.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
	return nil
}

// stopNotify is called when nobody has subscribed any more.
func (s *service) stopNotify() *dbus.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = false
	s.tellDropped()
	if len(s.sockets) == 0 {
		s.cutAll()
	}
	return nil
}

// subscribed reports whether some device has. The caller holds mu.
func (s *service) subscribed() bool { return len(s.sockets) > 0 || s.started }

// tellDropped needs mu.
func (s *service) tellDropped() {
	select {
	case s.dropped <- struct{}{}:
	default:
	}
}

// cutAll needs mu.
func (s *service) cutAll() {
	for _, c := range s.centrals {
		c.cut()
	}
}

// notify brings b to device: by its socket, else by the property Value, which BlueZ
// notifies to all devices that have subscribed.
func (s *service) notify(device dbus.ObjectPath, b []byte) error {
	s.mu.Lock()
	f := s.sockets[device]
	s.mu.Unlock()
	if f != nil {
		err := f.write(b)
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		s.lose(device, f)
	}
	return s.conn.Emit(s.tx(), propsMoved, chrIf, props{"Value": variant(b)}, []string{})
}
