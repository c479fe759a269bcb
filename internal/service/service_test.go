package service

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden holds the files against those in testdata: plain, and with every
// character in the paths that some syntax minds.
func TestGolden(t *testing.T) {
	plain := Spec{Krd: "/home/ana/bin/krd", Home: "/home/ana/.kr", Sockets: []string{"agent.sock", "krd.sock"}, Log: "krd.log"}
	odd := Spec{Krd: `/opt/a b/"k" \ 50%$x/krd`, Home: "/home/ana & 50%/<.kr>", Agent: "/run/user/1000/keyring/ssh", Sockets: plain.Sockets, Log: plain.Log}
	for dir, s := range map[string]Spec{"plain": plain, "odd": odd} {
		sock := s.path("agent.sock")
		beside := Service{Files: []File{SystemdEnvironment("/home/ana/.config", "SSH_AUTH_SOCK", sock).File, LaunchdEnvironment("/home/ana", "SSH_AUTH_SOCK", sock).File}}
		for _, svc := range []Service{Systemd("/home/ana/.config", s), Launchd("/home/ana", 1000, s), beside} {
			for _, f := range svc.Files {
				golden := filepath.Join("testdata", dir, filepath.Base(f.Path))
				if *update {
					if err := errors.Join(os.MkdirAll(filepath.Dir(golden), 0o755), os.WriteFile(golden, []byte(f.Content), 0o644)); err != nil {
						t.Fatal(err)
					}
				}
				if want, err := os.ReadFile(golden); err != nil || string(want) != f.Content {
					t.Errorf("%s is\n%s\n%v; -update writes what it should be", golden, f.Content, err)
				}
			}
		}
	}
}

func TestPaths(t *testing.T) {
	var got []string
	for _, svc := range []Service{Systemd("/home/ana/.config", Spec{}), Launchd("/home/ana", 1000, Spec{})} {
		for _, f := range svc.Files {
			got = append(got, f.Path)
		}
	}
	want := "/home/ana/.config/systemd/user/krd.socket /home/ana/.config/systemd/user/krd.service /home/ana/Library/LaunchAgents/kryptonite.krd.plist"
	if strings.Join(got, " ") != want {
		t.Errorf("files are %v", got)
	}
}

// TestPlist reads the plist as XML: the paths come out as they went in.
func TestPlist(t *testing.T) {
	s := Spec{Krd: "/a<b>&c/krd", Home: `/h"'`, Log: "l"}
	dec := xml.NewDecoder(bytes.NewReader([]byte(s.plist())))
	var texts []string
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := tok.(xml.CharData); ok {
			texts = append(texts, string(c))
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{s.Krd, s.Home, `/h"'/l`} {
		if !strings.Contains(all, "\n"+want+"\n") {
			t.Errorf("%q is not in the plist", want)
		}
	}
}

// TestSystemdReadsThem lets systemd's own parser read the units, from paths
// that need every kind of quoting.
func TestSystemdReadsThem(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("systemd-analyze is missing: apt-get install systemd")
		}
		t.Skip("systemd-analyze is missing: apt-get install systemd")
	}
	dir := filepath.Join(t.TempDir(), `a $b 50%h`) // of a program, systemd takes no quotes
	s := Spec{Krd: filepath.Join(dir, "krd"), Home: filepath.Join(dir, `"c"`), Agent: `/run/$x "y"`, Sockets: []string{"agent.sock"}, Log: "krd.log"}
	svc := Systemd(t.TempDir(), s)
	if err := os.MkdirAll(filepath.Dir(svc.Files[0].Path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(s.Krd, nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	args := []string{"--user", "verify"}
	for _, f := range svc.Files {
		if err := os.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, f.Path)
	}
	cmd := exec.Command(analyze, args...)
	run := t.TempDir()
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+run, "HOME="+run)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "krd") {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}

// TestHostilePaths: what would be another line of a unit, or no XML, is refused;
// all else is quoted.
func TestHostilePaths(t *testing.T) {
	fine := Spec{Krd: `/opt/a "b"/krd`, Home: `/home/ana $x 50%\`, Agent: ""}
	if err := fine.Check(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/a\nExecStartPre=/bin/x", "/a\r", "/a\x00", "/a\x1b[2J", "/a\u0085", "/a\xff"} {
		for _, s := range []Spec{{Krd: path, Home: "/h"}, {Krd: "/k", Home: path}, {Krd: "/k", Home: "/h", Agent: path}} {
			if err := s.Check(); err == nil || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
				t.Errorf("%q: %v", s, err)
			}
		}
	}
}
