package term

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"kryptonite/internal/ptytest"
)

// seen reads what the person sees up to and with end.
func seen(t *testing.T, person *os.File, end string) string {
	t.Helper()
	var all []byte
	b := make([]byte, 256)
	person.SetReadDeadline(time.Now().Add(10 * time.Second))
	for !bytes.HasSuffix(all, []byte(end)) {
		n, err := person.Read(b)
		if err != nil {
			t.Fatalf("the person sees %q, want %q: %v", all, end, err)
		}
		all = append(all, b[:n]...)
	}
	return string(all)
}

func TestPassphraseIsNotSeen(t *testing.T) {
	for name, c := range map[string]struct {
		typed, want string
		err         error
	}{
		"line":      {"s3cret phrase\n", "s3cret phrase", nil},
		"enter key": {"s3cret\r", "s3cret", nil},
		"mended":    {"s3crxx\x7f\x7fet\n", "s3cret", nil},
		"Ctrl-C":    {"s3cret\x03", "", ErrInterrupted},
		"Ctrl-Z":    {"s3cret\x1a\n", "s3cret\x1a", nil},
	} {
		person, tty := ptytest.Open(t)
		before, err := getTermios(tty)
		if err != nil {
			t.Fatal(err)
		}
		type result struct {
			b   []byte
			err error
		}
		done := make(chan result, 1)
		person.WriteString("typed ahead\n")
		seen(t, person, "ahead\r\n")
		go func() {
			b, err := readSecret(tty, "Passphrase: ")
			done <- result{b, err}
		}()
		seen(t, person, "Passphrase: ") // by now there is no echo
		person.WriteString(c.typed)
		if got := seen(t, person, "\r\n"); got != "\r\n" {
			t.Errorf("%s: the person sees %q", name, got)
		}
		r := <-done
		if string(r.b) != c.want || !errors.Is(r.err, c.err) {
			t.Errorf("%s: %q, %v, want %q, %v", name, r.b, r.err, c.want, c.err)
		}
		if after, err := getTermios(tty); err != nil || *after != *before {
			t.Errorf("%s: the terminal is not as before: %v", name, err)
		}
	}
}

func TestPassphraseWhenAskedToEnd(t *testing.T) {
	person, tty := ptytest.Open(t)
	before, err := getTermios(tty)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := readSecret(tty, "Passphrase: ")
		done <- err
	}()
	seen(t, person, "Passphrase: ") // readSecret catches signals before it asks
	if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrInterrupted) {
		t.Errorf("readSecret = %v, want ErrInterrupted", err)
	}
	if after, err := getTermios(tty); err != nil || *after != *before {
		t.Errorf("the terminal is not as before: %v", err)
	}
}

func TestPassphraseNeedsATerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := readSecret(f, "?"); err == nil {
		t.Error("a passphrase is read from no terminal")
	}
}

// TestConfirmForgetsTheTypedAhead: a "y" typed before the question is no answer.
func TestConfirmForgetsTheTypedAhead(t *testing.T) {
	person, tty := ptytest.Open(t)
	io := &IO{In: tty, Err: tty}
	person.WriteString("y\ny\n")
	seen(t, person, "y\r\ny\r\n") // echoed, so it is there to be read
	done := make(chan bool, 1)
	go func() {
		yes, _ := io.Confirm(t.Context(), "Same words?")
		done <- yes
	}()
	seen(t, person, "[y/N] ")
	person.WriteString("n\n")
	if <-done {
		t.Error("what was typed before the question answered it")
	}
}

func TestTerminalFacts(t *testing.T) {
	person, tty := ptytest.Open(t)
	if err := unix.IoctlSetWinsize(int(person.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	io := &IO{In: tty, Out: tty, Err: tty, Getenv: func(k string) string { return env[k] }}
	if !io.InTTY() || !io.OutTTY() || !io.ErrTTY() {
		t.Error("a terminal is none")
	}
	if c, r, ok := io.Size(); c != 80 || r != 24 || !ok {
		t.Errorf("Size = %d, %d, %v", c, r, ok)
	}
	env = map[string]string{"TERM": "dumb"}
	p := io.Progress()
	p.Show("moving")
	p.Done("moved")
	io.Sayf("end")
	if got := seen(t, person, "end"); got != "end" {
		t.Errorf("a dumb terminal shows %q", got)
	}
}

// TestProgress in virtual time: at most one change a second, the newest text.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		io := &IO{Err: &b}
		p := &Progress{io: io, w: &b}
		io.show(p)
		take := func() string {
			synctest.Wait()
			io.mu.Lock()
			defer io.mu.Unlock()
			s := b.String()
			b.Reset()
			return s
		}
		check := func(what, want string) {
			t.Helper()
			if got := take(); got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		p.Show("one")
		check("at once", eraseLine+"one")
		p.Show("two")
		p.Show("three\x1b[2J")
		check("in the same second", "")
		time.Sleep(progressEvery)
		check("when it is over", eraseLine+"three\ufffd[2J")
		time.Sleep(progressEvery / 2)
		io.Sayf("a message\n")
		check("other output", eraseLine+"a message\n")
		p.Show("four")
		check("in the same second", "")
		time.Sleep(progressEvery / 2)
		check("after other output", eraseLine+"four")
		p.Show("five")
		p.Done("approved in 3.1s")
		check("done", eraseLine+"approved in 3.1s\n")
		time.Sleep(2 * progressEvery)
		p.Show("six")
		p.Done("again")
		check("after the end", "")
		p = &Progress{io: io, w: &b}
		io.show(p)
		p.Show("seven")
		p.Done("")
		check("no text", eraseLine+"seven"+eraseLine)
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"", 3, ""}, {"東京都", 6, "東京都"}, {"東京都", 5, "東京…"}, {"a…b", 3, "a…b"}} {
		if got := Cut(c.in, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
