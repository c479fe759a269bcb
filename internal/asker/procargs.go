package asker

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// procArgs is what macOS says of how a process was started.
type procArgs struct {
	path      string   // of its program
	argv, env []string // env is empty for what the system protects
	complete  bool     // argv has all arguments
}

// parseProcArgs reads KERN_PROCARGS2: argc(4, native) ‖ path ‖ zero bytes ‖ argc
// arguments ‖ environment ‖ words of the system, each with a zero byte at its end.
// What is cut off or absurd is left out. [sysctl(3), macOS]
func parseProcArgs(b []byte) (p procArgs) {
	if len(b) < 4 {
		return p
	}
	argc := int(int32(binary.NativeEndian.Uint32(b)))
	path, rest, ok := bytes.Cut(b[4:], []byte{0})
	if !ok || argc < 0 {
		return p
	}
	p.path = string(path)
	rest = bytes.TrimLeft(rest, "\x00")
	for len(p.argv) < min(argc, maxArgs) {
		var arg []byte
		if arg, rest, ok = bytes.Cut(rest, []byte{0}); !ok {
			return p
		}
		p.argv = append(p.argv, string(arg))
	}
	if p.complete = argc <= maxArgs; !p.complete {
		return p
	}
	for len(p.env) < maxArgs {
		v, more, ok := bytes.Cut(rest, []byte{0})
		if !ok || len(v) == 0 || !bytes.ContainsRune(v, '=') {
			break
		}
		p.env, rest = append(p.env, string(v)), more
	}
	return p
}

// variables returns those of the named variables that a process was started with.
func variables(env []string, names ...string) map[string]string {
	found := map[string]string{}
	for _, v := range env {
		for _, n := range names {
			if value, ok := strings.CutPrefix(v, n+"="); ok {
				found[n] = value
			}
		}
	}
	return found
}
