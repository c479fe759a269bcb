// Package bluetooth tests Bluetooth without a radio: Debian's kernel, bluetoothd
// with Debian's D-Bus policy, and btvirt's linked LE controllers, in a virtual
// machine without acceleration. Package scenarios is what runs inside.
package bluetooth

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Machine is a virtual machine with neither disk nor network. Its init is all
// that it does.
type Machine struct {
	Kernel    string // file
	Initramfs string // file
	Append    string // to the kernel's command line
}

// Run boots the machine, gives each line of its serial console to line, and
// waits until it has powered off. It ends with ctx at the latest, and with this
// process.
func (m Machine) Run(ctx context.Context, line func(string)) error {
	// Other tests that run now wait for people, ssh and browsers, and should not wait for this.
	cmd := exec.CommandContext(ctx, "nice", "-n", "5", "qemu-system-x86_64",
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "768",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", m.Kernel, "-initrd", m.Initramfs, "-append",
		// Without the kernel's tests of its ciphers, which take a second and fail where the processor is an imitation.
		"console=ttyS0 quiet loglevel=4 panic=-1 cryptomgr.notests=1 mitigations=off random.trust_cpu=on "+m.Append)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 10 * time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	console, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the machine: %w", err)
	}
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line(strings.TrimRight(lines.Text(), "\r"))
	}
	if _, err := io.Copy(io.Discard, console); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read the console: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("run the machine: %w: %s", err, stderr.String())
	}
	return lines.Err()
}
