package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

const startPatience = 10 * time.Second

func daemonCmd(e *env) *cobra.Command {
	c := &cobra.Command{Use: "daemon", Short: "Start and stop krd, show its log",
		Long: "Starts and stops krd, and shows its log. kr setup starts it, too, and keeps it running."}
	add := func(use, short string, run func(context.Context, *env) error) {
		c.AddCommand(&cobra.Command{Use: use, Short: short, Args: noArgs,
			RunE: func(c *cobra.Command, _ []string) error { return run(c.Context(), e) }})
	}
	add("start", "Start krd, by the service of kr setup or in the background", startDaemon)
	add("stop", "Stop krd", stopDaemon)
	add("restart", "Stop krd if it runs, and start it", restartDaemon)
	add("logs", "Print krd's log", printLog)
	return c
}

func notRunning(err error) bool {
	var n *control.NotRunningError
	return errors.As(err, &n)
}

// startDaemon starts krd, by the service that setup installed or in the
// background, and waits until it answers.
func startDaemon(ctx context.Context, e *env) error {
	if st, err := e.statusWithin(ctx, checkPatience); err == nil {
		e.io.Sayf("krd runs already (process %d).\n", st.PID)
		return nil
	}
	svc, ok, err := e.installed()
	if err != nil {
		return err
	}
	if ok {
		if err := inTurn(ctx, svc.Start); err != nil {
			return err
		}
		return e.awaitService(ctx)
	}
	return startBackground(ctx, e)
}

// startBackground starts the krd that stands beside kr, or in PATH.
func startBackground(ctx context.Context, e *env) error {
	cfg, d, err := e.rawConfig()
	if err != nil {
		return err
	}
	path, err := findKrd()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(d.Path(control.LogFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("open krd's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(path)
	if cfg.Agent != "" {
		cmd.Args = append(cmd.Args, "--other-agent", cfg.Agent)
	}
	cmd.Env = append(lasting(os.Environ()), control.HomeVariable+"="+d.Path())
	cmd.Dir = "/"
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives this terminal
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start krd: %w", err)
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }() // ends with krd, or with us
	return e.awaitDaemon(ctx, died, d.Path(control.LogFile))
}

func (e *env) awaitDaemon(ctx context.Context, died <-chan error, log string) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if st, err := e.krd.Status(ctx); err == nil {
			e.io.Sayf("krd runs (process %d).\n", st.PID)
			return nil
		}
		select {
		case <-tick.C:
		case <-died:
			return &term.Problem{Err: errors.New("krd ended right after its start"), Hints: []string{"see why: kr daemon logs"}}
		case <-ctx.Done():
			return &term.Problem{Err: fmt.Errorf("krd does not answer within %s", startPatience), Hints: []string{"see why: kr daemon logs", "the log is " + log}}
		}
	}
}

func findKrd() (string, error) {
	if self, err := os.Executable(); err == nil {
		if path := filepath.Join(filepath.Dir(self), "krd"); isProgram(path) {
			return path, nil
		}
	}
	path, err := exec.LookPath("krd")
	if err != nil {
		return "", &term.Problem{Err: errors.New("krd is not installed"), Hints: []string{"put krd beside kr, or into your PATH"}}
	}
	return path, nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// stopDaemon ends krd and waits until it is gone. A service is stopped with its
// sockets: who asked krd itself would wake it again.
func stopDaemon(ctx context.Context, e *env) error {
	svc, ok, err := e.installed()
	if err != nil {
		return err
	}
	if !ok {
		return endDaemon(ctx, e)
	}
	if err := inTurn(ctx, svc.Stop); err != nil {
		return err
	}
	return e.awaitEnd(ctx)
}

func restartDaemon(ctx context.Context, e *env) error {
	if err := stopDaemon(ctx, e); err != nil && !notRunning(err) {
		return err
	}
	return startDaemon(ctx, e)
}

// endDaemon asks krd to end and waits until it is gone.
func endDaemon(ctx context.Context, e *env) error {
	if err := e.krd.Stop(ctx); err != nil {
		return err
	}
	return e.awaitEnd(ctx)
}

func (e *env) awaitEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	d, err := e.dir()
	if err != nil {
		return err
	}
	for {
		lock, err := d.Lock(control.LockFile) // krd holds it to its last moment
		if err == nil {
			e.io.Sayf("krd has stopped.\n")
			return lock.Unlock()
		}
		if !errors.Is(err, statedir.ErrLocked) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &term.Problem{Err: fmt.Errorf("krd does not stop within %s", startPatience), Hints: []string{"see why: kr daemon logs"}}
		}
	}
}

func printLog(_ context.Context, e *env) error {
	d, err := e.dir()
	if err != nil {
		return err
	}
	f, err := os.Open(d.Path(control.LogFile))
	if errors.Is(err, os.ErrNotExist) {
		return &term.Problem{Err: errors.New("krd has not been started by kr yet, so there is no log"), Hints: []string{"kr daemon start"}}
	}
	if err != nil {
		return fmt.Errorf("read krd's log: %w", err)
	}
	defer f.Close()
	if _, err := io.Copy(e.io.Text(), f); err != nil {
		return fmt.Errorf("print krd's log: %w", err)
	}
	return nil
}
