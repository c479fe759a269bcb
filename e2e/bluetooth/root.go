package bluetooth

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed init.sh
var initScript string

// programs of this system that the machine has, and the Debian packages they
// are of.
var programs = []struct{ path, pkg string }{
	{"/bin/busybox", "busybox-static"},
	{"/usr/bin/dbus-daemon", "dbus-daemon"},
	{"/usr/libexec/bluetooth/bluetoothd", "bluez"},
	{"/usr/bin/btvirt", "bluez-test-tools"},
	{"/usr/bin/ssh", "openssh-client"},
	{"/usr/bin/ssh-keygen", "openssh-client"},
	{"/usr/sbin/sshd", "openssh-server"},
}

// settings are files as Debian ships them.
var settings = []string{"/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.d/bluetooth.conf", "/etc/bluetooth/main.conf"}

// accounts are the machine's users.
var accounts = []string{"root:x:0:0::/:/bin/sh", "messagebus:x:100:100::/:/bin/false", "sshd:x:101:101::/:/bin/false",
	"user:x:1000:1000::/home/user:/bin/sh"}

// writeRoot writes the machine's file system: the kernel's modules, Debian's
// programs, and kr, krd, kr-phone and scenarios from the directory ours. args are
// those of scenarios.
func writeRoot(ctx context.Context, file, kernel, ours, args string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	a := newInitramfs(f)
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/lib", "/home/user"} {
		a.dir(dir, 0o755)
	}
	a.add("/var/run", fs.ModeSymlink|0o777, 4, strings.NewReader("/run"))
	a.text("/init", 0o755, initScript)
	a.text("/etc/passwd", 0o644, strings.Join(accounts, "\n")+"\n")
	a.text("/etc/group", 0o644, "root:x:0:\nmessagebus:x:100:\nbluetooth:x:102:\nsshd:x:101:\nuser:x:1000:\n")
	a.text("/modules/order", 0o644, strings.Join(modules, "\n")+"\n")
	a.text("/etc/scenarios", 0o644, args+"\n")
	for _, m := range modules {
		a.file("/modules/"+m+".ko", filepath.Join(kernel, m+".ko"), 0o644)
	}
	for _, p := range programs {
		a.program(ctx, p.path)
	}
	for _, s := range settings {
		a.file(s, s, 0o644)
	}
	for _, name := range []string{"kr", "krd", "kr-phone", "scenarios"} {
		a.file("/usr/bin/"+name, filepath.Join(ours, name), 0o755)
	}
	return errors.Join(a.close(), f.Close())
}
