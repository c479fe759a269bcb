package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestContactsOnlyTheRelay: from pairing to unpairing, kr, krd and kr-phone
// contact the relay that is configured, and the relay nobody; none of them asks
// for a name, and only the relay listens. strace sees each try, of what they
// start, too. Where the test may, all of it is in a network namespace with a
// loopback alone, so that nothing else is needed either.
func TestContactsOnlyTheRelay(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is missing; install it: apt-get install strace")
	}
	isolate(t)
	real := bin
	h := newHouseOf(t, watched(t, real))
	must(t, h.StartRelay())
	_, err := h.Kr("config", "set", "relay", h.Origin)
	must(t, err)
	must(t, h.StartKrd())
	must(t, h.Pair("ana"))
	must(t, h.StartSshd())
	must(t, h.RunPhone("ana", "always"))
	must(t, h.Login())
	for _, args := range [][]string{{"check"}, {"status"}, {"me"}, {"log"}, {"log", "verify"}, {"trace"}, {"channel", "list"}, {"version"}} {
		h.Kr(args...) // kr check may find something to say
	}
	for _, name := range []string{"list", "log", "key"} {
		p, err := h.Phone("ana", name)
		must(t, err)
		_, err = p.Wait()
		must(t, err)
	}
	_, err = h.Kr("unpair", "ana", "--yes")
	must(t, err)
	_, err = h.Phones["ana"].Await(`laptop has unpaired`)
	must(t, err)
	must(t, h.Close())

	relay := strings.TrimPrefix(h.Origin, "http://")
	for _, program := range []string{"kr", "krd", "kr-phone", "kr-relay"} {
		seen := contacts(t, h.Bin, program)
		t.Logf("%s: %q", program, seen)
		for _, c := range seen {
			switch {
			case c == "listen tcp "+relay && program == "kr-relay":
			case c == "tcp "+relay && program != "kr-relay":
			case strings.HasPrefix(c, "unix "+h.Dir+"/"), slices.Contains(local, c):
			default:
				t.Errorf("%s: %s", program, c)
			}
		}
		if works := slices.Contains(seen, "tcp "+relay) || slices.Contains(seen, "listen tcp "+relay); !works && program != "kr" {
			t.Errorf("%s was not seen at the relay, so this proves nothing", program)
		}
	}

	// What contacts another address, or asks for a name, is noticed.
	for origin, want := range map[string]string{"https://192.0.2.1": "tcp 192.0.2.1:443", "https://kr.invalid": ":53"} {
		h, err := NewHouse(watched(t, real), t.TempDir())
		must(t, err)
		h.Env = append(h.Env, "HTTPS_PROXY=", "https_proxy=")
		h.Env = append(h.Env, "GODEBUG=netdns=go")
		if out, err := h.Kr("check", "--app", origin); err == nil {
			t.Errorf("kr check --app %s: %s", origin, out)
		}
		if seen := contacts(t, h.Bin, "kr"); !slices.ContainsFunc(seen, func(c string) bool { return strings.HasSuffix(c, want) }) {
			t.Errorf("a contact with %s was not noticed: %q", origin, seen)
		}
	}
}

// local are doors of this computer that libraries knock at: libc asks for the
// user's name, and programs for their service manager.
var local = []string{
	"unix /var/run/nscd/socket",
}

// isolate moves this test, and what it starts, into a network namespace with
// nothing but a loopback, if it may.
func isolate(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for ever: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Log("not in a network namespace: ", err)
		return
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	must(t, err)
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	must(t, unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
}

// watched returns a directory with the programs of bin under strace, which leaves
// what they contact there.
func watched(t *testing.T, bin string) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"kr", "krd", "kr-phone", "kr-relay"} {
		// -D: the process that is started is the program itself, and strace its child.
		script := fmt.Sprintf("#!/bin/sh\nexec strace -D -f --seccomp-bpf -qq -yy -s 256 -e trace=connect,sendto,sendmsg,sendmmsg,listen -e signal=none -o %s.$$ -- %s \"$@\"\n",
			filepath.Join(dir, "trace."+program), filepath.Join(bin, program))
		must(t, os.WriteFile(filepath.Join(dir, program), []byte(script), 0o700))
	}
	return dir
}

var (
	toUnix    = regexp.MustCompile(`sa_family=AF_UNIX, sun_path=@?"([^"]*)"`)
	toIP      = regexp.MustCompile(`sa_family=AF_INET6?, sin6?_port=htons\((\d+)\), .*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"`)
	listensAt = regexp.MustCompile(`listen\(\d+<(TCP|TCPv6|UDP|UDPv6):\[([^\]]*\]?:\d+)`)
	family    = regexp.MustCompile(`sa_family=AF_(\w+)`)
)

// contacts returns what a program tried to contact, and where it listened.
func contacts(t *testing.T, dir, program string) (all []string) {
	t.Helper()
	traces, err := filepath.Glob(filepath.Join(dir, "trace."+program+".*"))
	must(t, err)
	if len(traces) == 0 {
		t.Fatalf("%s was not watched", program)
	}
	add := func(what string) {
		if !slices.Contains(all, what) {
			all = append(all, what)
		}
	}
	for _, trace := range traces {
		for line := range strings.Lines(string(read(t, trace))) {
			if m := listensAt.FindStringSubmatch(line); m != nil {
				add("listen " + strings.ToLower(m[1]) + " " + m[2])
			}
			for _, m := range toUnix.FindAllStringSubmatch(line, -1) {
				add("unix " + m[1])
			}
			for _, m := range toIP.FindAllStringSubmatch(line, -1) {
				net := "udp"
				if strings.Contains(line, "<TCP") {
					net = "tcp"
				}
				add(net + " " + m[2] + ":" + m[1])
			}
			for _, m := range family.FindAllStringSubmatch(line, -1) {
				if f := m[1]; f != "UNIX" && f != "INET" && f != "INET6" && f != "UNSPEC" && f != "NETLINK" { // UNSPEC takes a contact back, NETLINK is the kernel
					add(f + " " + strings.TrimSpace(line))
				}
			}
		}
	}
	return all
}
