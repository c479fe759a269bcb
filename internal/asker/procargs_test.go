package asker

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// macOS is a KERN_PROCARGS2 as the system writes it.
func macOS(argc int32, path string, words ...string) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(argc))
	b = append(b, path+"\x00\x00\x00\x00"...)
	return append(b, strings.Join(words, "\x00")+"\x00"...)
}

func TestParseProcArgs(t *testing.T) {
	many := slices.Repeat([]string{"a"}, maxArgs+1)
	for name, c := range map[string]struct {
		in        []byte
		path      string
		argv, env []string
		complete  bool
	}{
		"ssh":               {macOS(3, "/usr/bin/ssh", "ssh", "", "host", "KR_QUIET=1", "TERM=dumb", "", "ptr="), "/usr/bin/ssh", []string{"ssh", "", "host"}, []string{"KR_QUIET=1", "TERM=dumb"}, true},
		"no environment":    {macOS(1, "/usr/bin/ssh", "ssh", ""), "/usr/bin/ssh", []string{"ssh"}, nil, true},
		"argc is too large": {macOS(9, "/usr/bin/ssh", "ssh", "host"), "/usr/bin/ssh", []string{"ssh", "host"}, nil, false},
		"argc is absurd":    {macOS(-1, "/usr/bin/ssh", "ssh"), "", nil, nil, false},
		"many arguments":    {macOS(maxArgs+1, "/x", many...), "/x", many[:maxArgs], nil, false},
		"cut":               {macOS(1, "/usr/bin/ssh", "ssh")[:8], "", nil, nil, false},
		"nothing":           {nil, "", nil, nil, false},
	} {
		p := parseProcArgs(c.in)
		if p.path != c.path || !slices.Equal(p.argv, c.argv) || !slices.Equal(p.env, c.env) || p.complete != c.complete {
			t.Errorf("%s: %+v", name, p)
		}
	}
	env := variables([]string{"KR_QUIET=1", "KR_QUIETLY=2", "TERM=a=b", "HOME"}, "KR_QUIET", "TERM")
	if len(env) != 2 || env["KR_QUIET"] != "1" || env["TERM"] != "a=b" {
		t.Errorf("variables = %v", env)
	}
}

func FuzzParseProcArgs(f *testing.F) {
	f.Add(macOS(2, "/usr/bin/ssh", "ssh", "host", "KR_QUIET=1", ""))
	f.Add(macOS(1<<31-1, "", ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := parseProcArgs(b)
		size := len(p.path)
		for _, s := range append(slices.Clone(p.argv), p.env...) {
			if size += len(s) + 1; strings.ContainsRune(s, 0) {
				t.Fatalf("%q has a zero byte", s)
			}
		}
		if len(p.argv) > maxArgs || len(p.env) > maxArgs || size > len(b) {
			t.Fatalf("%+v of %d bytes", p, len(b))
		}
	})
}
