package e2e

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/keystore"
	"kryptonite/internal/sealbox"
)

// TestNothingLeaks looks at every byte that passes the relay, at its disk, at
// all logs and at all arguments of programs, in all usual spellings: the
// phone's private key is nowhere, and neither are the session keys. c_pub is
// on disk in the pairing files only.
func TestNothingLeaks(t *testing.T) {
	h := newHouse(t)
	must(t, h.StartRelay())
	wire := newRecorder(t, strings.TrimPrefix(h.Origin, "http://"))
	_, err := h.Kr("config", "set", "relay", "http://"+wire.addr)
	must(t, err)
	argv := recordArgv(t)
	_, err = h.Kr("daemon", "start")
	must(t, err)
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	for range 3 {
		out, err := exec.Command("ssh", "-F", h.Path("ssh_config"), "root@server", "echo", "in").CombinedOutput()
		if err != nil || string(out) != "in\n" {
			t.Fatalf("ssh: %v\n%s", err, out)
		}
	}
	c, phoneKey := secrets(t, h)
	forbidden := map[string][]byte{
		"the phone's SSH private key": phoneKey, "c_priv": c.Bytes(), "c_pub": pub(c),
	}
	text := wire.bytes()
	if len(text) < 10_000 || !bytes.Contains(text, []byte("Idempotency-Key")) {
		t.Fatalf("the recorder saw %d bytes only", len(text))
	}
	places := map[string][]byte{"the relay's wire": text, "arguments": argv()}
	for name, p := range map[string]*Proc{"the relay's log": h.Relay, "the phone's output": h.Phones["ana"]} {
		places[name] = []byte(p.Output())
	}
	walk(t, h.Dir, func(path string, data []byte) {
		rel, _ := filepath.Rel(h.Dir, path)
		if strings.HasPrefix(rel, "kr/pairings/") || strings.HasSuffix(rel, "pairings.journal") {
			return // the pairing files
		}
		places[rel] = data
	})
	if places["relay/relay.db"] == nil && len(places) < 8 {
		t.Fatalf("only %d places were looked at", len(places))
	}
	for place, data := range places {
		for what, secret := range forbidden {
			if how := find(data, secret); how != "" {
				t.Errorf("%s is in %s (%s)", what, place, how)
			}
		}
	}
	// The search itself finds what is there: c_pub follows from the pairing file.
	file := read(t, glob(t, h.Path("kr", "pairings", "*.json")))
	if find(file, c.Bytes()) == "" {
		t.Error("the search does not find c_priv in the pairing file, so it proves nothing")
	}
}

// TestSearchFindsSpellings proves the search on every spelling and alignment.
func TestSearchFindsSpellings(t *testing.T) {
	secret := []byte("0123456789abcdefghijklmnopqrstuv")
	for shift := range 5 {
		raw := append(append(bytes.Repeat([]byte{7}, shift), secret...), 9, 9, 9)
		for name, enc := range map[string]string{
			"raw": string(raw), "hex": hex.EncodeToString(raw), "HEX": strings.ToUpper(hex.EncodeToString(raw)),
			"base64": base64.StdEncoding.EncodeToString(raw), "base64url": base64.RawURLEncoding.EncodeToString(raw),
			"base32": base32.StdEncoding.EncodeToString(raw),
		} {
			if find([]byte("xx"+enc+"yy"), secret) == "" {
				t.Errorf("%s with shift %d is not found", name, shift)
			}
		}
	}
}

func pub(k sealbox.PrivateKey) []byte {
	p := k.Public()
	return p[:]
}

// secrets reads the keys of the one pairing and the phone's SSH seed.
func secrets(t *testing.T, h *House) (sealbox.PrivateKey, []byte) {
	t.Helper()
	var file struct {
		Data struct {
			C sealbox.PrivateKey `json:"c_priv"`
		} `json:"data"`
	}
	must(t, json.Unmarshal(read(t, glob(t, h.Path("kr", "pairings", "*.json"))), &file))
	var key struct {
		Data json.RawMessage `json:"data"`
	}
	must(t, json.Unmarshal(read(t, h.Path("phone-ana", "key.json")), &key))
	priv, err := keystore.Open(key.Data, []byte("correct horse"))
	must(t, err)
	return file.Data.C, priv.Raw()
}

func glob(t *testing.T, pattern string) string {
	t.Helper()
	m, err := filepath.Glob(pattern)
	if err != nil || len(m) != 1 {
		t.Fatalf("%s: %d files, %v", pattern, len(m), err)
	}
	return m[0]
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

func walk(t *testing.T, dir string, each func(string, []byte)) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			each(path, read(t, path))
		}
		return err
	}))
}

// find looks for secret in data, raw or spelled in hex, base64 or base32 at
// any alignment, and says how it was found.
func find(data, secret []byte) string {
	lower := bytes.ToLower(data)
	if bytes.Contains(data, secret) {
		return "raw"
	}
	if bytes.Contains(lower, []byte(hex.EncodeToString(secret))) {
		return "hex"
	}
	for _, enc := range []struct {
		name   string
		encode func([]byte) string
		bits   int
		fold   bool
	}{
		{"base64", base64.RawStdEncoding.EncodeToString, 6, false},
		{"base64url", base64.RawURLEncoding.EncodeToString, 6, false},
		{"base32", base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString, 5, true},
	} {
		for shift := range 5 {
			text := enc.encode(append(make([]byte, shift), secret...))
			from := (shift*8 + enc.bits - 1) / enc.bits
			to := (shift + len(secret)) * 8 / enc.bits
			text = text[from:to]
			if !enc.fold && bytes.Contains(data, []byte(text)) || enc.fold && bytes.Contains(lower, []byte(strings.ToLower(text))) {
				return enc.name
			}
		}
	}
	return ""
}

// recorder is a TCP proxy that keeps what passes, WebSocket masks taken off.
type recorder struct {
	addr string
	wg   sync.WaitGroup

	mu      sync.Mutex
	streams []*bytes.Buffer
}

func newRecorder(t *testing.T, target string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &recorder{addr: l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	r.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			r.wg.Go(func() { r.pump(out, in) })
			r.wg.Go(func() { r.pump(in, out) })
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); r.wg.Wait() })
	return r
}

func (r *recorder) pump(to, from net.Conn) {
	stream := new(bytes.Buffer)
	r.mu.Lock()
	r.streams = append(r.streams, stream)
	r.mu.Unlock()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		r.mu.Lock()
		stream.Write(buf[:n])
		r.mu.Unlock()
		if n > 0 {
			to.Write(buf[:n])
		}
		if err != nil {
			to.Close()
			return
		}
	}
}

// bytes is all that passed, and once more what clients sent masked.
func (r *recorder) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all bytes.Buffer
	for _, s := range r.streams {
		all.Write(s.Bytes())
		all.WriteByte('\n')
		if head, rest, ok := bytes.Cut(s.Bytes(), []byte("\r\n\r\n")); ok && bytes.Contains(bytes.ToLower(head), []byte("upgrade: websocket")) {
			unmask(&all, rest)
		}
	}
	return all.Bytes()
}

// unmask writes the payloads of a client's WebSocket frames. [RFC 6455] §5.2.
func unmask(out io.Writer, b []byte) {
	for len(b) >= 2 {
		masked, n, head := b[1]&0x80 != 0, uint64(b[1]&0x7f), 2
		switch {
		case n == 126 && len(b) >= 4:
			n, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
		case n == 127 && len(b) >= 10:
			n, head = binary.BigEndian.Uint64(b[2:]), 10
		}
		if !masked || uint64(len(b)) < uint64(head)+4+n {
			return
		}
		key, body := b[head:head+4], bytes.Clone(b[head+4:head+4+int(n)])
		for i := range body {
			body[i] ^= key[i%4]
		}
		out.Write(body)
		b = b[head+4+int(n):]
	}
}

// recordArgv collects the arguments of all programs on this machine until its
// result is called.
func recordArgv(t *testing.T) func() []byte {
	var mu sync.Mutex
	seen := map[string]bool{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, f := range files {
				if b, err := os.ReadFile(f); err == nil {
					mu.Lock()
					seen[string(b)] = true
					mu.Unlock()
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	stop := func() []byte {
		cancel()
		<-done
		var all []byte
		for s := range seen {
			all = append(append(all, s...), '\n')
		}
		if !bytes.Contains(all, []byte("kr-phone")) {
			t.Error("no kr-phone was seen among the arguments")
		}
		return all
	}
	t.Cleanup(func() { cancel(); <-done })
	return stop
}
