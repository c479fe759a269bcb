package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const patience = 2 * time.Minute // for anything that must happen

// Proc is a program at work, with all that it said.
type Proc struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{}
	err   error

	mu   sync.Mutex
	out  strings.Builder
	more chan struct{} // closed at every new line
}

// Start starts a program; both its outputs are kept together.
func Start(env []string, name string, args ...string) (*Proc, error) {
	p := &Proc{cmd: exec.Command(name, args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Env = env
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	w.Close()
	go p.read(r)
	return p, nil
}

func (p *Proc) read(r io.ReadCloser) {
	defer r.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		p.mu.Lock()
		p.out.Write(buf[:n])
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			break
		}
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// Output is all that the program has said.
func (p *Proc) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Await waits until the output matches and returns the first submatch.
func (p *Proc) Await(pattern string) (string, error) { return p.AwaitFor(patience, pattern) }

// AwaitFor is Await with a limit of time.
func (p *Proc) AwaitFor(limit time.Duration, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	timeout := time.After(limit)
	ended := false
	for {
		p.mu.Lock()
		m, more := re.FindStringSubmatch(p.out.String()), p.more
		p.mu.Unlock()
		switch {
		case len(m) > 1:
			return m[1], nil
		case m != nil:
			return m[0], nil
		case ended:
			return "", fmt.Errorf("%s ended without saying %q; it said:\n%s", p.cmd.Path, pattern, p.Output())
		}
		select {
		case <-more:
		case <-p.done:
			ended = true
		case <-timeout:
			return "", fmt.Errorf("%s did not say %q; it said:\n%s", p.cmd.Path, pattern, p.Output())
		}
	}
}

// Each calls f for each match of pattern in the output, until the program
// ends. It returns at once; done closes after the last call.
func (p *Proc) Each(pattern string, f func(match string)) (done <-chan struct{}) {
	re := regexp.MustCompile(pattern)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seen := 0; ; {
			p.mu.Lock()
			all, more := re.FindAllString(p.out.String(), -1), p.more
			p.mu.Unlock()
			for ; seen < len(all); seen++ {
				f(all[seen])
			}
			select {
			case <-more:
			case <-p.done:
				return
			}
		}
	}()
	return ended
}

// Killed waits for the end of the program by SIGKILL.
func (p *Proc) Killed() error {
	if code, err := p.Wait(); err != nil || code != -1 {
		return fmt.Errorf("%s was not killed: exit %d, %v; it said:\n%s", p.cmd.Path, code, err, p.Output())
	}
	return nil
}

// Type types a line at the program.
func (p *Proc) Type(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Signal sends a signal.
func (p *Proc) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Wait waits for the end and returns the exit code.
func (p *Proc) Wait() (int, error) {
	select {
	case <-p.done:
	case <-time.After(patience):
		return -1, fmt.Errorf("%s does not end; it said:\n%s", p.cmd.Path, p.Output())
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		return -1, p.err
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Stop ends the program with a signal, if it still runs, and waits.
func (p *Proc) Stop(s syscall.Signal) (int, error) {
	select {
	case <-p.done:
	default:
		p.Signal(s)
	}
	return p.Wait()
}
