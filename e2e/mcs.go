package e2e

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// The connection by which Chromium hears of pushes, MCS: one byte for the
// version, then messages of tag(1) ‖ length(varint) ‖ protocol buffer, by TLS.
// [mcs.proto] in Chromium's google_apis/gcm/protocol.

const (
	mcsVersion       = 41
	mcsHeartbeatPing = 0
	mcsHeartbeatAck  = 1
	mcsLoginRequest  = 2
	mcsLoginResponse = 3
	mcsDataMessage   = 8
)

// switchboard has a line to each browser that is connected. What it sends is
// kept and sent again with the next login, until one names it as received.
type switchboard struct {
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex
	over  bool
	conns map[net.Conn]bool
	lines map[string]net.Conn // by the browser's number
	kept  map[string][]kept
}

// kept is a message that may not have arrived.
type kept struct {
	id      string
	message []byte
}

func newSwitchboard(cert tls.Certificate) (*switchboard, error) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	s := &switchboard{listener: l, conns: map[net.Conn]bool{}, lines: map[string]net.Conn{}, kept: map[string][]kept{}}
	s.all.Go(s.accept)
	return s, nil
}

func (s *switchboard) close() {
	s.mu.Lock()
	s.over = true
	s.listener.Close()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.all.Wait()
}

func (s *switchboard) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.over {
			c.Close()
		} else {
			s.conns[c] = true
			s.all.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

func (s *switchboard) serve(c net.Conn) {
	var browser string
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.Close()
		delete(s.conns, c)
		if s.lines[browser] == c {
			delete(s.lines, browser)
		}
	}()
	r := bufio.NewReader(c)
	if v, err := r.ReadByte(); err != nil || v != mcsVersion {
		return
	}
	for {
		tag, body, err := readMCS(r)
		if err != nil {
			return
		}
		switch tag {
		case mcsHeartbeatPing:
			err = s.send(c, mcsHeartbeatAck, nil)
		case mcsLoginRequest:
			if user := fields(body, 3); len(user) == 1 {
				browser = string(user[0])
			}
			err = s.connect(browser, c, fields(body, 10))
		}
		if err != nil {
			return
		}
	}
}

// connect answers a login, and sends what has been kept and was not received.
func (s *switchboard) connect(browser string, c net.Conn, received [][]byte) error {
	if _, err := c.Write([]byte{mcsVersion}); err != nil {
		return err
	}
	if err := s.send(c, mcsLoginResponse, appendField(nil, 1, []byte("in"))); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[browser] = c
	s.kept[browser] = slices.DeleteFunc(s.kept[browser], func(k kept) bool {
		return slices.ContainsFunc(received, func(id []byte) bool { return string(id) == k.id })
	})
	for _, k := range s.kept[browser] {
		if err := writeMCS(c, mcsDataMessage, k.message); err != nil {
			return err
		}
	}
	return nil
}

func (s *switchboard) send(c net.Conn, tag byte, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeMCS(c, tag, body)
}

// deliver sends a browser a push, now or when it comes back.
func (s *switchboard) deliver(r *registration, sealed []byte) {
	id := rand.Text()
	m := appendField(nil, 2, []byte(id))
	m = appendField(m, 3, []byte(r.sender))
	m = appendField(m, 5, []byte(r.app))
	m = appendField(m, 7, appendField(appendField(nil, 1, []byte("subtype")), 2, []byte(r.subtype)))
	if len(sealed) > 0 {
		m = appendField(m, 7, appendField(appendField(nil, 1, []byte("content-encoding")), 2, []byte("aes128gcm")))
		m = appendField(m, 21, sealed)
	}
	m = appendField(m, 9, []byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[r.browser] = append(s.kept[r.browser], kept{id, m})
	if c := s.lines[r.browser]; c != nil {
		writeMCS(c, mcsDataMessage, m) // if that fails, the browser logs in again
	}
}

func writeMCS(w io.Writer, tag byte, body []byte) error {
	_, err := w.Write(append(binary.AppendUvarint([]byte{tag}, uint64(len(body))), body...))
	return err
}

func readMCS(r *bufio.Reader) (tag byte, body []byte, err error) {
	if tag, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(r)
	if err != nil || n > 1<<20 {
		return 0, nil, errors.Join(err, fmt.Errorf("a message of %d bytes", n))
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return tag, body, err
}

// appendField appends a field of bytes or text to a protocol buffer.
func appendField(b []byte, n int, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(n)<<3|2)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// fields returns the fields n of bytes or text, up to where it is no protocol buffer.
func fields(b []byte, n uint64) (all [][]byte) {
	for len(b) > 0 {
		key, used := binary.Uvarint(b)
		if used <= 0 {
			return all
		}
		b = b[used:]
		size, used := uint64(8), 0 // of a fixed 64-bit value
		switch key & 7 {
		case 0:
			_, used = binary.Uvarint(b)
			size = 0
		case 2:
			size, used = binary.Uvarint(b)
		case 5:
			size = 4
		}
		if used < 0 || uint64(len(b)-used) < size {
			return all
		}
		if b = b[used:]; key == n<<3|2 {
			all = append(all, b[:size])
		}
		b = b[size:]
	}
	return all
}
