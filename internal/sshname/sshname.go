// Package sshname asks ssh itself which host a person meant.
//
// An alias, an option, a Match block, canonical names: only ssh knows what they
// come to. So this package runs the same ssh with the same arguments after -G,
// which connects nowhere, ignores the remote command and prints the settings:
//
//	ssh -G -l root -p 2222 server uptime
//	    → host "server.example", port 2222, user "root"
//
// "Match exec" in the person's own configuration runs its programs then, as it
// did when ssh read it the first time. They get no agent socket, and
// [GuardVariable]; who owns an agent must resolve nothing for a process that
// has it. They end with ssh after one second. What must not be read again is not
// resolved: a log file (-E), and a configuration from a pipe (-F /dev/fd/63).
//
// References: ssh(1), ssh_config(5); measured with OpenSSH 9.2.
package sshname

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"kryptonite/internal/subprocess"
)

// GuardVariable is in the environment of every ssh that this package runs, and
// of what that runs.
const GuardVariable = "KR_SSH_G"

const (
	limit     = time.Second // for one ssh -G; a few ms, unless the computer is busy
	maxOutput = 64 << 10    // bytes; ssh prints about 6 KiB
	maxAtOnce = 4           // ssh processes
	cacheLife = time.Minute // files that ssh includes are not watched
	maxCached = 64
)

// Question is an ssh as it was started.
type Question struct {
	Exe  string   // its executable
	Args []string // without the program's name
	Dir  string   // its working directory: file names are relative to it
}

// Answer is where it goes.
type Answer struct {
	Host  string // HostName, or HostKeyAlias when Alias is true; lower case
	Alias bool
	Port  int
	User  string

	KeyFile bool // ssh has a private key in a file, which it tries after an agent's
}

// errTooMuch ends the copying of an output that is too long.
var errTooMuch = errors.New("too much output")

// Resolver asks and remembers. The zero value is ready; it is safe for
// concurrent use.
type Resolver struct {
	mu     sync.Mutex
	busy   chan struct{} // holds one entry for each ssh that runs
	cached map[string]cached

	watched []string // files whose change makes an answer old; nil: ssh's own
}

type cached struct {
	answer Answer
	at     time.Time
}

// Resolve returns what ssh says within a second, or an error: also for arguments
// that it does not pass on, and for an ssh that prints something else.
func (r *Resolver) Resolve(ctx context.Context, q Question) (Answer, error) {
	if err := checkArgs(q.Args); err != nil {
		return Answer{}, err
	}
	key := r.key(q)
	if a, ok := r.look(key, time.Now()); ok {
		return a, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	busy := r.slots()
	select {
	case busy <- struct{}{}:
		defer func() { <-busy }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("resolve the host: %w", ctx.Err())
	}
	out, err := run(ctx, q)
	if err != nil {
		return Answer{}, fmt.Errorf("resolve the host: %w", err)
	}
	a, err := parse(out)
	if err == nil {
		r.keep(key, a, time.Now())
	}
	return a, err
}

// slots returns the channel that counts ssh processes.
func (r *Resolver) slots() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy == nil {
		r.busy = make(chan struct{}, maxAtOnce)
		r.cached = map[string]cached{}
	}
	return r.busy
}

// run returns what ssh -G prints. It has no terminal, no agent and no input,
// and ends with all that it started.
func run(ctx context.Context, q Question) ([]byte, error) {
	cmd := exec.CommandContext(ctx, q.Exe, append([]string{"-G"}, q.Args...)...)
	cmd.Dir = q.Dir
	cmd.Env = environment(os.Environ())
	subprocess.Alone(cmd, limit)
	out := subprocess.Output{Max: maxOutput}
	cmd.Stdout = &out
	err := cmd.Run()
	if err == nil && out.Cut() {
		err = errTooMuch
	}
	return out.Bytes(), err
}

// environment is env without ways to an agent or to a person, with the guard.
func environment(env []string) []string {
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if name != "SSH_AUTH_SOCK" && name != "SSH_ASKPASS" && name != "DISPLAY" {
			out = append(out, v)
		}
	}
	return append(out, GuardVariable+"=1")
}

// parse reads what ssh -G prints: one setting a line, its name in lower case.
func parse(out []byte) (Answer, error) {
	var a Answer
	alias := ""
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), " ")
		switch name {
		case "hostname":
			a.Host = strings.ToLower(value)
		case "hostkeyalias":
			alias = strings.ToLower(value)
		case "identityfile":
			a.KeyFile = a.KeyFile || isKeyFile(value)
		case "user":
			a.User = value
		case "port":
			a.Port, _ = strconv.Atoi(value)
		}
	}
	if alias != "" && alias != "none" {
		a.Host, a.Alias = alias, true
	}
	if a.Host == "" || a.Port < 1 || a.Port > 65535 {
		return Answer{}, errors.New("resolve the host: ssh -G named no host and port")
	}
	return a, nil
}

// isKeyFile reports whether an identity file is there and may be a private key. A
// name that ends in .pub only says which of an agent's keys is meant.
func isKeyFile(name string) bool {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		name = filepath.Join(homeDir(), rest)
	}
	if !filepath.IsAbs(name) || strings.HasSuffix(name, ".pub") {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// key is what an answer depends on, as far as it is watched.
func (r *Resolver) key(q Question) string {
	files := r.watched
	if files == nil {
		files = []string{userFile(), "/etc/ssh/ssh_config"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q", q.Exe, q.Dir, q.Args)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&b, " %d", info.ModTime().UnixNano())
		} else {
			b.WriteString(" -")
		}
	}
	return b.String()
}

// homeDir is where ssh looks: it goes by the user database, not by HOME.
func homeDir() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.HomeDir
}

func userFile() string { return filepath.Join(homeDir(), ".ssh", "config") }

func (r *Resolver) look(key string, now time.Time) (Answer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.cached[key]
	return c.answer, ok && now.Sub(c.at) < cacheLife
}

func (r *Resolver) keep(key string, a Answer, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, c := range r.cached {
		if now.Sub(c.at) >= cacheLife {
			delete(r.cached, k)
		}
	}
	if len(r.cached) < maxCached {
		r.cached[key] = cached{a, now}
	}
}
