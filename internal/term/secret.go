package term

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const ctrlC = 0x03

// Passphrase asks for a secret of at most 4,095 bytes at the controlling
// terminal, without echo. Ctrl-C is ErrInterrupted. The terminal is as before
// when it returns, also when the process is asked to end meanwhile.
func Passphrase(prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("no terminal to ask for the passphrase: %w", err)
	}
	defer tty.Close()
	return readSecret(tty, prompt)
}

// readSecret reads one line with the terminal's own line editing, but no echo,
// and Ctrl-C and Ctrl-Z as characters: Ctrl-C ends the line, Ctrl-Z would leave
// a shell without echo.
func readSecret(tty *os.File, prompt string) (secret []byte, err error) {
	before, err := getTermios(tty)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO | unix.ISIG
	quiet.Lflag |= unix.ICANON
	quiet.Iflag |= unix.ICRNL
	quiet.Cc[unix.VEOL] = ctrlC
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(asked)
	// Flushing drops what was typed, and echoed, before the question.
	if err := setTermios(tty, &quiet, true); err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	defer func() {
		io.WriteString(tty, "\n")
		if e := setTermios(tty, before, false); e != nil && err == nil {
			err = fmt.Errorf("restore the terminal: %w", e)
		}
	}()
	io.WriteString(tty, prompt)

	type result struct {
		line []byte
		err  error
	}
	read := make(chan result, 1)
	go func() { // ends with the line, with the deadline below, or with the process
		line, err := readTyped(tty)
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-asked:
		tty.SetReadDeadline(time.Unix(1, 0)) // where the system can
		return nil, ErrInterrupted
	}
}

// readTyped reads up to the end of the line.
func readTyped(tty io.Reader) ([]byte, error) {
	line := make([]byte, 0, maxLine)
	for {
		n, err := tty.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		if bytes.IndexByte(line, ctrlC) >= 0 {
			clear(line)
			return nil, ErrInterrupted
		}
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			return line[:i], nil
		}
		if errors.Is(err, io.EOF) || err == nil && n == 0 { // Ctrl-D
			clear(line)
			return nil, fmt.Errorf("read passphrase: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			clear(line)
			return nil, fmt.Errorf("read passphrase: %w", err)
		}
		if len(line) == cap(line) {
			clear(line)
			return nil, fmt.Errorf("a passphrase is longer than %d bytes", maxLine-1)
		}
	}
}
