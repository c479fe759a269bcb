package authorize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"time"

	"kryptonite/internal/subprocess"
)

const (
	plainPatience = 5 * time.Second // for ssh -G, which connects nowhere
	maxKeyFile    = 64 << 10        // bytes of a file that may name a key
)

// valued are the options of ssh that take a value.
const valued = "BbcDEeFIiJLlmOoPpQRSWw"

// Lack is what keeps ssh from offering a key by itself. The zero value: nothing.
type Lack struct {
	Agent bool // it asks another agent than the one that has the key, or none
	Name  bool // it offers keys that are named, only, and this one is not (IdentitiesOnly)
}

// WithoutKeys is h without the options -i: a key that worked until now.
func (h Host) WithoutKeys() Host {
	var kept []string
	for rest := h.Options; len(rest) > 0; {
		arg := rest[0]
		rest = rest[1:]
		at := -1 // of the first letter that takes a value, as getopt(3) reads them
		if strings.HasPrefix(arg, "-") {
			at = strings.IndexAny(arg, valued)
		}
		var value []string // in an argument of its own
		if at == len(arg)-1 && at > 0 && len(rest) > 0 {
			value, rest = rest[:1], rest[1:]
		}
		if at > 0 && arg[at] == 'i' {
			if arg, value = arg[:at], nil; arg == "-" {
				continue
			}
		}
		kept = append(append(kept, arg), value...)
	}
	return Host{Dest: h.Dest, Options: kept}
}

// Plain asks ssh what it does at h without any option of [Prove]: whether it would
// offer the key of line, which the agent at socket has. getenv is the environment
// of the shell that the person will type in.
func Plain(ctx context.Context, h Host, line, socket string, getenv func(string) string) (Lack, error) {
	if err := h.Check(); err != nil {
		return Lack{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, plainPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", append(append([]string{"-G"}, h.Options...), "--", h.Dest)...)
	subprocess.Alone(cmd, time.Second)
	out, said := subprocess.Output{Max: maxOutput}, subprocess.Output{Max: maxOutput}
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return Lack{}, fmt.Errorf("ask ssh -G what it does at %.80s: %w: %s", h.Dest, errors.Join(err, ctx.Err()), lastWords(said.Bytes()))
	}
	agent, only, named := "SSH_AUTH_SOCK", false, false
	for setting := range strings.Lines(string(out.Bytes())) {
		name, value, _ := strings.Cut(strings.TrimRight(setting, "\r\n"), " ")
		switch name {
		case "identityagent":
			agent = value
		case "identitiesonly":
			only = value == "yes"
		case "identityfile":
			named = named || names(value, line)
		}
	}
	return Lack{Agent: !same(agentOf(agent, getenv), socket), Name: only && !named}, nil
}

// agentOf is the socket that IdentityAgent means, as ssh -G prints it; "": none.
func agentOf(value string, getenv func(string) string) string {
	switch variable, ok := strings.CutPrefix(value, "$"); {
	case value == "SSH_AUTH_SOCK":
		return getenv(value)
	case value == "none":
		return ""
	case ok:
		return getenv(variable)
	}
	return value
}

func same(a, b string) bool {
	if a == b {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// names reports whether an IdentityFile names the key of line: the file with its
// public half, or the one beside it with .pub.
func names(file, line string) bool {
	key := strings.Fields(line)
	for _, path := range []string{expanded(file) + ".pub", expanded(file)} {
		if b := head(path); len(key) > 1 && !bytes.HasPrefix(b, []byte("-----BEGIN")) && bytes.Contains(b, []byte(key[1])) {
			return true
		}
	}
	return false
}

// head is the beginning of a regular file; nil if there is none.
func head(path string) []byte {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxKeyFile)) // what could be read
	return b
}

// expanded is an IdentityFile, which ssh -G prints as it was written, with its home
// directory put in: that of the user database, by which ssh goes, not HOME.
func expanded(path string) string {
	u, err := user.Current()
	if err != nil {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = "%d/" + rest
	}
	return strings.NewReplacer("%%", "%", "%d", u.HomeDir).Replace(path)
}
