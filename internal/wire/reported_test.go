package wire

import (
	"strings"
	"testing"
)

func TestReportedChecked(t *testing.T) {
	good := Reported{Program: "bash > git push > ssh", Directory: "/src/é", Remote: "forge.example/ana/shop", Branch: "fix/é", Host: "server.example", Port: 22, HostKeyAlias: true}
	if got := good.Checked(); got != good {
		t.Errorf("Checked = %+v, want %+v", got, good)
	}
	for name, c := range map[string]struct{ in, want Reported }{
		"escape in the program":     {Reported{Program: "ssh\x1b[2J", Directory: "/src"}, Reported{Directory: "/src"}},
		"direction in the program":  {Reported{Program: "ssh\u202e"}, Reported{}},
		"line in the directory":     {Reported{Program: "ssh", Directory: "/a\nb"}, Reported{Program: "ssh"}},
		"line in the remote":        {Reported{Remote: "forge.example/a\nb", Branch: "main"}, Reported{Branch: "main"}},
		"direction in the branch":   {Reported{Remote: "forge.example/a", Branch: "\u2066main"}, Reported{Remote: "forge.example/a"}},
		"long branch":               {Reported{Branch: strings.Repeat("a", 257)}, Reported{}},
		"no UTF-8":                  {Reported{Directory: "/\xff"}, Reported{}},
		"long program":              {Reported{Program: strings.Repeat("a", 257)}, Reported{}},
		"host without port":         {Reported{Host: "a"}, Reported{}},
		"port without host":         {Reported{Port: 22, HostKeyAlias: true}, Reported{}},
		"port too large":            {Reported{Host: "a", Port: 65536}, Reported{}},
		"host with a space":         {Reported{Host: "a b", Port: 1, HostKeyAlias: true}, Reported{}},
		"host in upper case":        {Reported{Host: "A", Port: 1}, Reported{}},
		"a look-alike of another":   {Reported{Host: "ex\u0430mple", Port: 1}, Reported{}},
		"host of 256 bytes":         {Reported{Host: strings.Repeat("a", 256), Port: 1}, Reported{}},
		"host that is user and all": {Reported{Host: "u@a", Port: 1}, Reported{}},
	} {
		if got := c.in.Checked(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for _, h := range []string{"a", "127.0.0.1", "[::1]", "fe80::1%eth0", "my_alias", strings.Repeat("a", 255)} {
		if !ValidHost(h) {
			t.Errorf("ValidHost(%q) = false", h)
		}
	}
}

func FuzzReportedChecked(f *testing.F) {
	f.Add("bash > ssh", "/src", "forge.example/a", "main", "server.example", 22)
	f.Add("\x1b]0;x\a", "/\u2066", "a\r", "b\x00", "a@b", -1)
	f.Fuzz(func(t *testing.T, program, directory, remote, branch, host string, port int) {
		r := Reported{Program: program, Directory: directory, Remote: remote, Branch: branch, Host: host, Port: port}.Checked()
		if r != r.Checked() || max(len(r.Program), len(r.Directory), len(r.Remote), len(r.Branch)) > maxReported || (r.Host == "") != (r.Port == 0) {
			t.Errorf("Checked = %+v", r)
		}
		for _, c := range r.Program + r.Directory + r.Remote + r.Branch + r.Host {
			if c < ' ' || c >= 0x7f && c < 0xa0 {
				t.Errorf("a control character is left in %+v", r)
			}
		}
	})
}
