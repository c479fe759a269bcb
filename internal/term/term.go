// Package term is the one place where a program meets a person at a terminal:
// what is a terminal, how errors and hints look, questions, passphrases, QR
// codes, and [Clean], through which everything from outside goes before it is
// shown. What is printed here can steer no terminal, even where that was forgotten.
//
// Rules: what was asked for goes to Out, everything else to Err. Meaning is in
// the words; colour ([IO.Color]) repeats it. Nobody is asked when In is not a
// terminal. A line that changes while a person waits is a [Progress]. A reader
// that left (head, a closed pager) is success.
package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"
)

const maxLine = 4096 // bytes of one line of input

// ErrInterrupted is a question that Ctrl-C ended.
var ErrInterrupted = errors.New("interrupted")

// IO is where a program reads and writes. Its methods are safe for concurrent
// use, except that only one line is read at a time.
type IO struct {
	Program string // the prefix of errors, such as "kr"
	In      io.Reader
	Out     io.Writer
	Err     io.Writer

	// Getenv reads the environment; nil is an empty one.
	Getenv func(name string) string

	mu       sync.Mutex
	lines    chan line
	progress *Progress // shown now, or nil
}

type line struct {
	text string
	err  error
}

// System is the process's own terminal. A pipe whose reader left gives errors
// from now on, which IO takes for success, and no SIGPIPE; programs that this
// one starts get the usual signal.
func System(program string) *IO {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // caught, not ignored: exec(2) resets it
	return &IO{Program: program, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}
}

// InTTY reports whether a person types at In.
func (t *IO) InTTY() bool { return isTTY(t.In) }

// OutTTY reports whether a person reads Out.
func (t *IO) OutTTY() bool { return isTTY(t.Out) }

// ErrTTY reports whether a person reads Err.
func (t *IO) ErrTTY() bool { return isTTY(t.Err) }

func isTTY(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Size is the width and height of the terminal at Out; ok is false when there
// is none.
func (t *IO) Size() (cols, rows int, ok bool) {
	f, isFile := t.Out.(*os.File)
	if !isFile {
		return 0, 0, false
	}
	cols, rows, err := term.GetSize(int(f.Fd()))
	return cols, rows, err == nil
}

// Printf writes to Out; a reader that left is success. As Sayf, it lets nothing
// through that steers a terminal or hides, whatever was forgotten: see Text.
func (t *IO) Printf(format string, args ...any) { t.print(t.Out, format, args) }

// Sayf writes to Err.
func (t *IO) Sayf(format string, args ...any) { t.print(t.Err, format, args) }

// print writes; a shown Progress makes room first.
func (t *IO) print(w io.Writer, format string, args []any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.progress != nil {
		t.progress.erase()
	}
	io.WriteString(w, printable(fmt.Sprintf(format, args...)))
}

// Fail prints err, with the hints that it or an error in it carries, and
// returns its exit code (1 when it names none; 130 after Ctrl-C; 0 when all
// that failed was writing to a reader that left). It prints one line an error:
// text from outside cannot add lines that look like ours.
func (t *IO) Fail(err error) int {
	if err == nil || t.readerLeft(err) {
		return 0
	}
	if errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled) {
		t.Sayf("%s: interrupted\n", t.Program)
		return 130
	}
	t.Sayf("%s: error: %s\n", t.Program, Clean(err.Error()))
	for _, s := range hints(err) {
		t.Sayf("%s: hint:  %s\n", t.Program, Clean(s))
	}
	return ExitCode(err)
}

// readerLeft reports whether err is a write to our own Out or Err that nobody
// reads any more. Sockets, whose errors are *os.SyscallError, and other pipes
// that close are real failures.
func (t *IO) readerLeft(err error) bool {
	var socket *os.SyscallError
	if !errors.Is(err, syscall.EPIPE) || errors.As(err, &socket) {
		return false
	}
	var file *fs.PathError
	if !errors.As(err, &file) {
		return true
	}
	for _, w := range []io.Writer{t.Out, t.Err} {
		if f, ok := w.(*os.File); ok && f.Name() == file.Path {
			return true
		}
	}
	return false
}

// hints returns the hints of the outermost error in err that has some.
func hints(err error) []string {
	for err != nil {
		var h interface {
			error
			Hint() []string
		}
		if !errors.As(err, &h) {
			return nil
		}
		if list := h.Hint(); len(list) > 0 {
			return list
		}
		err = errors.Unwrap(h)
	}
	return nil
}

// ExitCode returns the exit code that err or an error in it names, or 1; it is
// 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var c interface{ ExitCode() int }
	if errors.As(err, &c) {
		return c.ExitCode()
	}
	return 1
}

// Problem is an error with its hint and exit code, for commands.
type Problem struct {
	Err   error
	Hints []string
	Code  int // 0: as Err says, else 1
}

func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap returns the error itself.
func (p *Problem) Unwrap() error { return p.Err }

// Hint is what to do next.
func (p *Problem) Hint() []string { return p.Hints }

// ExitCode is the program's exit code: Code, or that of Err.
func (p *Problem) ExitCode() int {
	if p.Code > 0 {
		return p.Code
	}
	return ExitCode(p.Err)
}

// ReadLine reads one line of at most 4,096 bytes, without its end. It returns
// io.EOF at the end of In, and ctx's cause when ctx ends first; the line is
// then there for the next call.
func (t *IO) ReadLine(ctx context.Context) (string, error) {
	t.mu.Lock()
	if t.lines == nil {
		t.lines = make(chan line)
		go readLines(t.In, t.lines) // ends with In; a blocked read cannot be interrupted
	}
	lines := t.lines
	t.mu.Unlock()
	select {
	case l, ok := <-lines:
		if !ok {
			return "", io.EOF
		}
		return l.text, l.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func readLines(in io.Reader, out chan<- line) {
	defer close(out)
	s := bufio.NewScanner(in)
	s.Buffer(make([]byte, 0, 256), maxLine)
	for s.Scan() {
		out <- line{text: strings.TrimSuffix(s.Text(), "\r")}
	}
	if s.Err() != nil {
		out <- line{err: fmt.Errorf("a line is longer than %d bytes", maxLine)}
	}
}

// Confirm asks a yes-or-no question; anything but y or yes is no. At a terminal
// only what is typed after the question is an answer.
func (t *IO) Confirm(ctx context.Context, question string) (bool, error) {
	t.forgetTyped()
	t.Sayf("%s [y/N] ", question)
	s, err := t.ReadLine(ctx)
	if err != nil { // the question stands there without an answer
		t.Sayf("\n")
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	s = strings.ToLower(strings.TrimSpace(s))
	return s == "y" || s == "yes", nil
}

// forgetTyped drops what was typed before it was asked for: a "y" meant for an
// earlier question must not answer this one. What comes from a pipe was
// prepared for us and stays.
func (t *IO) forgetTyped() {
	if !t.InTTY() {
		return
	}
	flushInput(t.In.(*os.File))
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.lines: // nil, and so never ready, before the first question
	default:
	}
}
