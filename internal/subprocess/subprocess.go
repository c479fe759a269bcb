// Package subprocess runs programs that have nobody to ask: without a terminal,
// what they print is bounded, and they end with all that they started.
//
//	cmd := exec.CommandContext(ctx, "/usr/bin/ssh", "-V")
//	out := subprocess.Output{Max: 1 << 10}
//	cmd.Stderr = &out
//	subprocess.Alone(cmd, time.Second)
//	err := cmd.Run()
//
// References: setsid(2), kill(2).
package subprocess

import (
	"bytes"
	"os/exec"
	"syscall"
	"time"
)

// Alone has cmd run in a session of its own: its ssh or git finds no terminal to
// ask in, and Ctrl-C in ours is not for it. When the context of cmd ends, it is
// killed with all that it started; what has left its process group by then may
// hold its output for delay. Call it before cmd starts.
func Alone(cmd *exec.Cmd, delay time.Duration) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = delay
}

// Output keeps the first Max bytes that are written to it, and takes all: a
// program that cannot write would fail for that. One that is both stdout and
// stderr of a command is written by one goroutine. (The buffer is not embedded:
// io.Copy would find its ReadFrom and go around Write.)
type Output struct {
	Max int // bytes

	buf bytes.Buffer
	cut bool
}

func (o *Output) Write(p []byte) (int, error) {
	keep := p[:min(len(p), o.Max-o.buf.Len())]
	o.cut = o.cut || len(keep) < len(p)
	o.buf.Write(keep)
	return len(p), nil
}

// Bytes are what was kept. The slice is valid until the next Write.
func (o *Output) Bytes() []byte { return o.buf.Bytes() }

// Cut reports whether more was written than was kept.
func (o *Output) Cut() bool { return o.cut }
