package relayd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/relay/boltstore"
	"kryptonite/internal/transport/relay"
)

// shortDir is a directory with room for a socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

type running struct {
	origin string
	stop   func() // and wait
	stderr *bytes.Buffer
}

func start(t testing.TB, data string, more ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	r := &running{stderr: &bytes.Buffer{}}
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, append([]string{"--listen", "127.0.0.1:0", "--data", data}, more...), testBuilt, in, r.stderr)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	r.stop = sync.OnceFunc(func() {
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("exit code %d, stderr %s", c, r.stderr)
		}
	})
	t.Cleanup(r.stop)
	origin, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("first line %q, %v", line, err)
	}
	r.origin = origin
	return r
}

func command(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(ctx, append([]string{"backup"}, args...), testBuilt, &out, &errs)
	return code, out.String(), errs.String()
}

func list(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func client(t testing.TB, origin string) *relay.Client {
	t.Helper()
	c, err := relay.NewClient(origin, relay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func postAll(t testing.TB, c *relay.Client, to mailbox.Address, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := c.Post(t.Context(), to, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
}

// A backup of a running relay and of a stopped one, and a restore: what was
// fetched after the backup comes again, what came after it is lost, and both
// sides go on.
func TestBackupAndRestore(t *testing.T) {
	for _, hot := range []bool{true, false} {
		t.Run(map[bool]string{true: "running", false: "stopped"}[hot], func(t *testing.T) {
			data, out := shortDir(t), t.TempDir()
			file := filepath.Join(out, "copy.db")
			r := start(t, data)
			key, err := mailbox.NewKey()
			if err != nil {
				t.Fatal(err)
			}
			c := client(t, r.origin)
			if err := c.Open(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			postAll(t, c, key.Address(), "one", "two")
			if !hot {
				r.stop()
			}
			code, stdout, stderr := command(t.Context(), "--data", data, file)
			if code != 0 || !strings.Contains(stdout, "1 mailboxes, 2 messages") || stderr != "" {
				t.Fatalf("backup = %d, %q, %q", code, stdout, stderr)
			}
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if got := list(t, out); got != "copy.db" {
				t.Errorf("left behind: %s", got)
			}
			if !hot {
				r = start(t, data)
				c = client(t, r.origin)
			}
			postAll(t, c, key.Address(), "three")
			wantFrames(t, r.origin, key, "one", "two", "three")
			postAll(t, c, key.Address(), "four")
			r.stop()

			if err := os.Rename(file, filepath.Join(data, storeName)); err != nil {
				t.Fatal(err)
			}
			r = start(t, data)
			postAll(t, client(t, r.origin), key.Address(), "five")
			wantFrames(t, r.origin, key, "one", "two", "five")
		})
	}
}

// wantFrames fetches and acknowledges frames.
func wantFrames(t testing.TB, origin string, key mailbox.Key, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := client(t, origin)
	var got []string
	_ = c.Receive(ctx, key, func(frame []byte) error {
		if got = append(got, string(frame)); len(got) == len(want) {
			cancel()
		}
		return nil
	})
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestBackupCommandLine(t *testing.T) {
	data, out := shortDir(t), t.TempDir()
	there := filepath.Join(out, "there")
	if err := os.WriteFile(there, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, storeName), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, data)
	fresh := filepath.Join(out, "fresh")
	rows := []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--help"}, 0, "To restore:", ""},
		{[]string{}, 2, "", "name the file"},
		{[]string{"--nonsense"}, 2, "", "nonsense"},
		{[]string{"a", "b"}, 2, "", `unexpected argument "b"`},
		{[]string{"a", "--data", ""}, 2, "", "--data must"},
		{[]string{there, "--data", data}, 1, "", "exists already"},
		{[]string{"--data", filepath.Join(out, "none"), fresh}, 1, "", "no such file"},
		{[]string{"--data", broken, fresh}, 1, "", "damaged"},
		{[]string{"--data", data, filepath.Join(out, "none", "copy")}, 1, "", "no such file"},
		{[]string{"--data", data, "/dev/null"}, 1, "", "exists already"},
	}
	for _, r := range rows {
		code, stdout, stderr := command(t.Context(), r.args...)
		if code != r.code || !strings.Contains(stdout, r.stdout) || !strings.Contains(stderr, r.stderr) {
			t.Errorf("backup %q = %d, %q, %q; want %d, %q, %q", r.args, code, stdout, stderr, r.code, r.stdout, r.stderr)
		}
		if hint := strings.Contains(stderr, "Try: kr-relay backup --help"); hint != (code == 2) {
			t.Errorf("backup %q = %d, %q", r.args, code, stderr)
		}
		if r.code != 0 && stdout != "" {
			t.Errorf("backup %q wrote %q to stdout", r.args, stdout)
		}
	}
	if b, err := os.ReadFile(there); string(b) != "mine" || err != nil {
		t.Errorf("the file that was there is %q, %v", b, err)
	}
	if got := list(t, out); got != "there" {
		t.Errorf("left behind: %s", got)
	}
}

func TestBackupToStandardOutput(t *testing.T) {
	data, tmp := shortDir(t), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	start(t, data)
	code, stdout, stderr := command(t.Context(), "--data", data, "-")
	if code != 0 || stderr != "" {
		t.Fatalf("backup = %d, %q", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(file, []byte(stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Check(file); err != nil {
		t.Error(err)
	}
	if got := list(t, tmp); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// Without a socket the relay serves mail, and a backup says what to do.
func TestBackupWithoutASocket(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	out := t.TempDir()
	r := start(t, data)
	code, _, stderr := command(t.Context(), "--data", data, filepath.Join(out, "copy"))
	if code != 1 || !strings.Contains(stderr, "stop it first") {
		t.Errorf("backup = %d, %q", code, stderr)
	}
	if got := list(t, out); got != "" {
		t.Errorf("left behind: %s", got)
	}
	r.stop()
	if log := r.stderr.String(); !strings.Contains(log, "no backup while this relay runs") || !strings.Contains(log, "--data") {
		t.Errorf("log: %s", log)
	}
	if code, _, stderr := command(t.Context(), "--data", data, filepath.Join(out, "copy")); code != 0 {
		t.Errorf("backup of the stopped relay = %d, %q", code, stderr)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	data := shortDir(t)
	start(t, data)
	info, err := os.Lstat(filepath.Join(data, socketName))
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("socket is %v, %v", info.Mode(), err)
	}
}

// liar is a relay that sends what it is told and hangs up, or, if stuck, does
// not. The channel gets a token each time it has sent all.
func liar(t *testing.T, data string, sent []byte, stuck bool) <-chan struct{} {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(data, socketName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	done := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(sent)
			done <- struct{}{}
			if stuck {
				_, _ = io.Copy(io.Discard, conn) // until the other end hangs up
			}
			conn.Close()
		}
	}()
	return done
}

// copyStream is what a relay sends, with a store that holds something.
func copyStream(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.db")
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Create(t.Context(), mailbox.Address{1}, time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	p, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	b.WriteString(greeting)
	b.Write(binary.BigEndian.AppendUint64(nil, uint64(p.Size())))
	if _, err := p.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A copy that is cut short anywhere, or is something else, is not taken.
func TestBackupCutShort(t *testing.T) {
	whole := copyStream(t)
	other := bytes.Clone(whole)
	copy(other[len(greeting)+8:], make([]byte, 2*os.Getpagesize()))
	huge := binary.BigEndian.AppendUint64([]byte(greeting), 1<<63)
	rows := map[string][]byte{
		"nothing":        nil,
		"half a head":    whole[:len(greeting)],
		"no file":        whole[:len(greeting)+8],
		"half":           whole[:len(whole)/2],
		"all but a byte": whole[:len(whole)-1],
		"no database":    other,
		"text":           []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"a huge length":  huge,
	}
	for name, sent := range rows {
		t.Run(name, func(t *testing.T) {
			data, out := shortDir(t), t.TempDir()
			if err := receiveCopy(io.Discard, bytes.NewReader(sent)); err == nil && name != "no database" {
				t.Error("receiveCopy took it")
			}
			liar(t, data, sent, false)
			code, stdout, stderr := command(t.Context(), "--data", data, filepath.Join(out, "copy"))
			if code != 1 || stdout != "" || stderr == "" {
				t.Errorf("backup = %d, %q, %q", code, stdout, stderr)
			}
			if got := list(t, out); got != "" {
				t.Errorf("left behind: %s", got)
			}
		})
	}
	data, out := shortDir(t), t.TempDir()
	liar(t, data, whole, false)
	if code, _, stderr := command(t.Context(), "--data", data, filepath.Join(out, "copy")); code != 0 {
		t.Errorf("backup of the whole = %d, %q", code, stderr)
	}
}

func TestBackupInterrupted(t *testing.T) {
	data, out := shortDir(t), t.TempDir()
	whole := copyStream(t)
	sent := liar(t, data, whole[:len(whole)/2], true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-sent
		cancel()
	}()
	code, stdout, stderr := command(ctx, "--data", data, filepath.Join(out, "copy"))
	if code != 130 || stdout != "" || !strings.Contains(stderr, "interrupted") {
		t.Errorf("backup = %d, %q, %q", code, stdout, stderr)
	}
	if got := list(t, out); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// A receiver that stands still holds up neither mail nor the end of the relay.
func TestStuckReceiver(t *testing.T) {
	data := shortDir(t)
	r := start(t, data)
	key, err := mailbox.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, r.origin)
	if err := c.Open(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for range 40 { // more than the socket's buffer holds
		postAll(t, c, key.Address(), strings.Repeat("x", 60_000))
	}
	conn, err := dialCopy(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := make([]byte, len(greeting)+8)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	postAll(t, c, key.Address(), "meanwhile")
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > stall/2 {
		t.Errorf("the relay took %v to end", took)
	}
	size := binary.BigEndian.Uint64(head[len(greeting):])
	if n, err := io.Copy(io.Discard, conn); uint64(n) == size {
		t.Errorf("all %d bytes came, %v: the receiver was not stuck", n, err)
	}
}
