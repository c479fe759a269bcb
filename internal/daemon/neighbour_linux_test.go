package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kryptonite/internal/attacktest"
	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/statedir"
	"kryptonite/internal/strangertest"
)

const strangerDoes = "STRANGER_DOES" // "dial" or "listen PATH", for TestMain

// TestMain is another user's program where a test starts the test's program so.
func TestMain(m *testing.M) {
	what, path, _ := strings.Cut(os.Getenv(strangerDoes), " ")
	var err error
	switch what {
	case "":
		goleak.VerifyTestMain(m) // no test leaves a goroutine behind
		return
	case "dial":
		err = strangerDials()
	case "listen":
		err = strangerListens(path)
	}
	fmt.Printf("error: %v\n", err)
}

// strangerDials connects for each line of standard input, a path and a quoted
// message, and prints what comes back, or why nothing does, as one quoted line.
func strangerDials() error {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		path, quoted, _ := strings.Cut(lines.Text(), " ")
		message, err := strconv.Unquote(quoted)
		if err != nil {
			return err
		}
		fmt.Printf("%q\n", strangerDial(path, message))
	}
	return nil
}

func strangerDial(path, message string) string {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, message) // it may be hung up on before
	reply, err := io.ReadAll(conn)
	if errors.Is(err, syscall.ECONNRESET) {
		err = nil
	}
	if err != nil {
		return err.Error()
	}
	return string(reply)
}

// strangerListens prints what comes on the first connection, after "ready".
func strangerListens(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o777); err != nil {
		return err
	}
	fmt.Println("ready")
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

// TestNeighbourAtTheSockets: another user gets no connection, and, where somebody
// has opened the directory and the sockets to all, no byte and no effect.
func TestNeighbourAtTheSockets(t *testing.T) {
	tally := attacktest.New(t, "krd's sockets, by another user")
	home, err := os.MkdirTemp("", "kr") // short: paths of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	dir, err := statedir.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Dir: dir, Version: "test", Log: slog.New(slog.DiscardHandler)}, func() { close(ready) })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-ready
	ask := func(how string) string {
		return "POST /v1/" + how + " HTTP/1.1\r\nHost: krd\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
	}
	tries := map[string][]string{
		control.AgentSocket: {"\x00\x00\x00\x01\x0b", "\x00\x00\x00\x01\x0d", ""},
		control.Socket:      {ask("stop"), ask("pair"), ask("unpair"), "GET /v1/status HTTP/1.1\r\nHost: krd\r\nConnection: close\r\n\r\n", "GET /v1/log HTTP/1.0\r\nHost: krd\r\n\r\n"},
	}
	for _, open := range []bool{false, true} {
		if open {
			if err := errors.Join(os.Chmod(home, 0o777), os.Chmod(dir.Path(control.AgentSocket), 0o777), os.Chmod(dir.Path(control.Socket), 0o777)); err != nil {
				t.Fatal(err)
			}
		}
		var asked []string
		for name, messages := range tries {
			for _, m := range messages {
				asked = append(asked, dir.Path(name)+" "+strconv.Quote(m))
			}
		}
		cmd := strangertest.Self(t, strangerDoes+"=dial")
		cmd.Stdin = strings.NewReader(strings.Join(asked, "\n"))
		out, err := cmd.Output()
		replies := strings.SplitAfter(string(out), "\n")
		if err != nil || len(replies) != len(asked)+2 { // and how it ended
			t.Fatalf("%v: %s", err, out)
		}
		for i, a := range asked {
			reply, err := strconv.Unquote(strings.TrimSpace(replies[i]))
			if denied := strings.HasSuffix(reply, "permission denied"); err != nil || open && reply != "" || !open && !denied {
				tally.Succeeded("open %v: %q is answered with %q, %v", open, a, reply, err)
				continue
			}
			tally.Rejected()
		}
	}
	if st, err := control.NewClient(dir.Path(control.Socket), peer.SameUser).Status(t.Context()); err != nil || st.Version != "test" {
		t.Errorf("we ourselves: %+v, %v", st, err)
	}
}

// TestNeighbourPlaysKrd: where another user listens in krd's place, or in that of
// the other agent, kr and krd say nothing to him.
func TestNeighbourPlaysKrd(t *testing.T) {
	tally := attacktest.New(t, "another user in the place of krd, or of an agent")
	dir, err := os.MkdirTemp("", "kr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, talk := range map[string]func(path string) error{
		"krd": func(path string) error {
			_, err := control.NewClient(path, peer.SameUser).Status(t.Context())
			return err
		},
		"agent": func(path string) error {
			o := newOtherAgent(path, filepath.Join(dir, "own"), slog.New(slog.DiscardHandler))
			_, err := o.forClient(0).List(t.Context())
			if conn, dialErr := o.dial(t.Context(), 0); !errors.Is(dialErr, errStranger) {
				t.Errorf("dial = %v, %v", conn, dialErr)
			}
			return err
		},
	} {
		path := filepath.Join(dir, name)
		cmd := strangertest.Self(t, strangerDoes+"=listen "+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		if line, err := r.ReadString('\n'); line != "ready\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if err := talk(path); err == nil || errors.Is(err, context.Canceled) {
			tally.Succeeded("%s: he is believed", name)
		} else {
			tally.Rejected()
		}
		heard, err := io.ReadAll(r)
		if err := errors.Join(err, cmd.Wait()); err != nil || string(heard) != "error: <nil>\n" {
			tally.Succeeded("%s: he was told %q, %v", name, heard, err)
		}
	}
}
