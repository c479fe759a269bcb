//go:build !js

package phone

// Not for wasm, where thousands of X25519 take long.

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"kryptonite/internal/wire"
)

// damaged is a world with a record of each kind, and calls try with each of
// them alone (a request with its pairing).
func damaged(t *testing.T, try func(w *world, disk map[string][]byte, key string, whole []byte)) {
	w := newWorld(t, ApproveAsk)
	h := newHost(1)
	w.send(w.request(1, w.login(h, true), h.bind(false)))
	w.do(OpenLink{mustLink(t)})
	if len(w.disk) != 5 {
		t.Fatalf("%d records, want two pairings, a request, how to push, and the time", len(w.disk))
	}
	for key, whole := range w.disk {
		disk := map[string][]byte{key: whole}
		if strings.HasPrefix(key, requestPrefix) {
			disk[PairingPrefix+w.pairing] = w.disk[PairingPrefix+w.pairing]
		}
		try(w, disk, key, whole)
	}
}

// TestCutRecords: a record cut anywhere is an error that names it, never a
// panic and never a pairing of which a part is missing.
func TestCutRecords(t *testing.T) {
	damaged(t, func(w *world, disk map[string][]byte, key string, whole []byte) {
		for n := range whole {
			disk[key] = whole[:n]
			_, err := New(w.cfg, disk)
			if err == nil && key != clockKey { // a shorter number is a number
				t.Errorf("%s cut to %d bytes is read", key, n)
			}
			if err != nil && !strings.Contains(err.Error(), key) {
				t.Errorf("%s cut to %d bytes: %v", key, n, err)
			}
		}
	})
}

// TestFlippedRecords: a record with a bit of any byte flipped is an error that
// names it, or one that the phone works with.
func TestFlippedRecords(t *testing.T) {
	damaged(t, func(w *world, disk map[string][]byte, key string, whole []byte) {
		for i := range whole {
			disk := maps.Clone(disk)
			disk[key] = bytes.Clone(whole)
			disk[key][i] ^= []byte{0x01, 0x10, 0x20}[i%3]
			core, err := New(w.cfg, disk)
			if err != nil {
				if !strings.Contains(err.Error(), key) {
					t.Errorf("%s, byte %d: the error names another: %v", key, i, err)
				}
				continue
			}
			for _, ev := range []Event{Start{}, Confirm{w.pairing, true}, Decide{Pairing: w.pairing, Request: wire.ID{1}, Allow: true}, Tick{}} {
				handled(core, w.now, ev, disk)
			}
		}
	})
}
