package upload

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs makes PATH have only these programs: shell scripts that first keep
// their arguments, one a line, in the file "calls", then do what is said. $DIR is
// where they are.
func programs(t *testing.T, scripts map[string]string) (calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		text := "#!/bin/sh\nDIR=" + dir + "\n{ printf '%s' \"${0##*/}\"; for a; do printf '|%s' \"$a\"; done; echo; } >>$DIR/calls\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return func() []string {
		b, _ := os.ReadFile(filepath.Join(dir, "calls"))
		os.Remove(filepath.Join(dir, "calls"))
		return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	}
}

// TestByTool: each service's program lists, and gets the key in a file, a title
// that is one argument, and the server in its environment.
func TestByTool(t *testing.T) {
	const keep = `for a; do a=${a#fileb://}; a=${a#--key-file=}; case $a in *key.pub) cat "$a" >$DIR/got; stat -c %a "$a" >>$DIR/got;; esac; done; env >$DIR/env; read x && echo input >>$DIR/got; exit 0`
	for _, c := range []struct {
		service, host, program, list, add, env string
	}{
		{"github", "", "gh", "ssh-key|list", "ssh-key|add|FILE|--title|" + title, "GH_HOST=github.com"},
		{"github-enterprise", "git.corp", "gh", "ssh-key|list", "ssh-key|add|FILE|--title|" + title, "GH_HOST=git.corp"},
		{"gitlab", "", "glab", "ssh-key|list", "ssh-key|add|FILE|--title|" + title, "GITLAB_HOST=gitlab.com"},
		{"digitalocean", "", "doctl", "compute|ssh-key|list|--output|json", "compute|ssh-key|import|" + title + "|--public-key-file|FILE", ""},
		{"heroku", "", "heroku", "keys|--json", "keys:add|FILE|--yes", ""},
		{"aws", "us-east-1", "aws", "ec2|describe-key-pairs|--include-public-key|--output|json",
			"ec2|import-key-pair|--key-name|Kryptonite: J-rgen's phone|--public-key-material|fileb://FILE|--output|json", "AWS_REGION=us-east-1"},
		{"aws", "", "aws", "ec2|describe-key-pairs|--include-public-key|--output|json",
			"ec2|import-key-pair|--key-name|Kryptonite: J-rgen's phone|--public-key-material|fileb://FILE|--output|json", "AWS_PAGER="},
		{"gcp", "", "gcloud", "compute|os-login|describe-profile|--format=json", "compute|os-login|ssh-keys|add|--key-file=FILE|--format=json", "CLOUDSDK_CORE_DISABLE_PROMPTS=1"},
	} {
		s, _ := Find(c.service)
		host, err := s.Host(c.host, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		calls := programs(t, map[string]string{c.program: keep})
		out, err := s.ByTool(t.Context(), key(), host)
		got := calls()
		if err != nil || out != Added || len(got) != 2 {
			t.Errorf("%s: %q, %v, by %q", c.service, out, err, got)
			continue
		}
		file := got[1][strings.Index(got[1], os.TempDir()):]
		file = file[:strings.Index(file, "key.pub")+len("key.pub")]
		if got[0] != c.program+"|"+c.list || strings.ReplaceAll(got[1], file, "FILE") != c.program+"|"+c.add {
			t.Errorf("%s: called as\n%s\nwant\n%s|%s\n%s|%s", c.service, strings.Join(got, "\n"), c.program, c.list, c.program, c.add)
		}
		dir, _, _ := strings.Cut(os.Getenv("PATH"), ":")
		b, _ := os.ReadFile(filepath.Join(dir, "got"))
		env, _ := os.ReadFile(filepath.Join(dir, "env"))
		if string(b) != line+"\n600\n" || !strings.Contains("\n"+string(env), "\n"+c.env) || c.host == "" && strings.Contains(string(env), "AWS_REGION=\n") {
			t.Errorf("%s: the file is %q, the environment\n%s", c.service, b, env)
		}
		if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file is left: %v", c.service, err)
		}
		calls = programs(t, map[string]string{c.program: `echo 'x ` + key().blob() + ` y'`})
		if out, err := s.ByTool(t.Context(), key(), host); err != nil || out != There || len(calls()) != 1 {
			t.Errorf("%s, where it is: %q, %v", c.service, out, err)
		}
	}
}

// TestNoTool: what a program says that does not do it.
func TestNoTool(t *testing.T) {
	for _, c := range []struct {
		name, script string
		listed       bool
		say          string
	}{
		{"not signed in", `echo "To get started with GitHub CLI, please run:  gh auth login" >&2; exit 4`, false, "gh cannot list keys: To get started"},
		{"no right to add", `[ $2 = list ] || { echo "HTTP 404: Not Found. This API operation needs the \"admin:public_key\" scope." >&2; exit 1; }`, true, "gh cannot add the key: HTTP 404"},
		{"says it on stdout", `echo nope; exit 1`, false, "gh cannot list keys: nope"},
		{"says nothing", `exit 7`, false, "gh cannot list keys: exit status 7"},
		{"a list without end", `exec head -c 5000000 /dev/zero`, false, "gh cannot list keys: "},
	} {
		programs(t, map[string]string{"gh": c.script})
		s, _ := Find("github")
		out, err := s.ByTool(t.Context(), key(), "github.com")
		e := new(ToolError)
		if out != "" || !errors.As(err, &e) || e.Listed != c.listed || !strings.HasPrefix(err.Error(), c.say) {
			t.Errorf("%s: %q, %.200v", c.name, out, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	for _, name := range []string{"github", "bitbucket"} {
		s, _ := Find(name)
		if _, err := s.ByTool(t.Context(), key(), ""); !errors.Is(err, ErrNoTool) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, _ := Find("github")
	if program, login := s.Login("github.com"); program != "gh" || login != "gh auth login --hostname github.com --scopes admin:public_key" {
		t.Errorf("%q %q", program, login)
	}
}

// TestInterruptedTool ends with all that it started.
func TestInterruptedTool(t *testing.T) {
	programs(t, map[string]string{"gh": `echo >$DIR/started; sleep 60`})
	dir, _, _ := strings.Cut(os.Getenv("PATH"), ":")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s, _ := Find("github")
	go func() { _, err := s.ByTool(ctx, key(), "github.com"); done <- err }()
	for range 3000 {
		if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
