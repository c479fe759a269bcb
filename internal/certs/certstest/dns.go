package certstest

import (
	"bytes"
	"errors"
	"net"
	"testing"
)

// answerNames serves DNS on loopback until the test ends, and returns where: each
// name has the address 127.0.0.1 and nothing else, except below "nowhere".
// [RFC 1035] §4.1.
func answerNames(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if reply := nameReply(b[:n]); err == nil && reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func nameReply(query []byte) []byte {
	const head = 12
	end := head
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	if end += 5; end > len(query) { // the root label, type, class
		return nil
	}
	question := query[head:end]
	reply := append(bytes.Clone(query[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	reply = append(reply, question...)
	kind := question[len(question)-4 : len(question)-2]
	switch {
	case bytes.HasSuffix(bytes.ToLower(question[:len(question)-4]), []byte("\x07nowhere\x00")):
		reply[3] |= 3 // no such name
	case bytes.Equal(kind, []byte{0, 1}): // A
		reply[7] = 1
		reply = append(reply, 0xc0, head, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return reply
}
