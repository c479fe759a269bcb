package term

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestClosedPipes: a reader that left us is success; a socket or a child that
// left is not.
func TestClosedPipes(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in.Close()
	_, ours := out.Write([]byte("x"))
	var errs bytes.Buffer
	t1 := &IO{Program: "kr", Out: out, Err: &errs}
	if code := t1.Fail(fmt.Errorf("list: %w", ours)); code != 0 || errs.Len() != 0 {
		t.Errorf("our reader left: exit %d, %q", code, &errs)
	}
	t1.Printf("nobody reads this")

	other := &os.PathError{Op: "write", Path: "/some/fifo", Err: syscall.EPIPE}
	socket := &net.OpError{Op: "write", Net: "unix", Err: os.NewSyscallError("write", syscall.EPIPE)}
	for _, err := range []error{other, socket} {
		if code := t1.Fail(fmt.Errorf("ask krd: %w", err)); code != 1 {
			t.Errorf("%v: exit %d, want 1", err, code)
		}
	}
}

type hinted struct{ hints []string }

func (hinted) Error() string    { return "inner" }
func (h hinted) Hint() []string { return h.hints }

type coded struct{ error }

func (coded) ExitCode() int   { return 7 }
func (c coded) Unwrap() error { return c.error }

// TestHintsFromInside: a Problem that adds nothing hides nothing.
func TestHintsFromInside(t *testing.T) {
	inner := fmt.Errorf("open: %w", hinted{[]string{"upgrade\x1b"}})
	for name, c := range map[string]struct {
		err  error
		want string
		code int
	}{
		"inner":        {&Problem{Err: inner}, "kr: hint:  upgrade\ufffd\n", 1},
		"outer":        {&Problem{Err: inner, Hints: []string{"this"}}, "kr: hint:  this\n", 1},
		"inner code":   {&Problem{Err: coded{inner}}, "kr: hint:  upgrade\ufffd\n", 7},
		"outer code":   {&Problem{Err: coded{inner}, Code: 3}, "kr: hint:  upgrade\ufffd\n", 3},
		"none":         {hinted{}, "", 1},
		"joined":       {errors.Join(errors.New("first"), inner), "kr: hint:  upgrade\ufffd\n", 1},
		"empty, inner": {fmt.Errorf("%w", &Problem{Err: &Problem{Err: inner}}), "kr: hint:  upgrade\ufffd\n", 1},
	} {
		var errs bytes.Buffer
		io := &IO{Program: "kr", Err: &errs}
		code := io.Fail(c.err)
		_, got, _ := strings.Cut(errs.String(), "\n")
		if got != c.want || code != c.code {
			t.Errorf("%s: %d, %q, want %d, %q", name, code, got, c.code, c.want)
		}
	}
}

// TestProgressIsSilentInPipes writes to a file: nothing is shown.
func TestProgressIsSilentInPipes(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []io.Writer{new(bytes.Buffer), file} {
		io := &IO{Err: w}
		p := io.Progress()
		p.Show("waiting")
		p.Done("approved")
		p.Show("again")
		p.Done("")
		if b, ok := w.(*bytes.Buffer); ok && b.Len() > 0 {
			t.Errorf("a pipe got %q", b)
		}
	}
	if info, err := file.Stat(); err != nil || info.Size() > 0 {
		t.Errorf("a file got %d bytes", info.Size())
	}
}

func TestReadTyped(t *testing.T) {
	long := strings.Repeat("x", maxLine-1)
	for name, c := range map[string]struct {
		in, want string
		err      error
	}{
		"line":       {"pass phrase\n", "pass phrase", nil},
		"empty":      {"\n", "", nil},
		"longest":    {long + "\n", long, nil},
		"Ctrl-C":     {"pass\x03", "", ErrInterrupted},
		"no end":     {"pass", "", io.ErrUnexpectedEOF},
		"nothing":    {"", "", io.ErrUnexpectedEOF},
		"bytes":      {"\xff\x00\n", "\xff\x00", nil},
		"two lines":  {"one\ntwo\n", "one", nil},
		"line, then": {"one\nt\x03", "", ErrInterrupted},
	} {
		got, err := readTyped(strings.NewReader(c.in))
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %.20q, %v, want %.20q, %v", name, got, err, c.want, c.err)
		}
	}
	if _, err := readTyped(strings.NewReader(long + "xx\n")); err == nil {
		t.Error("a passphrase without end")
	}
}
