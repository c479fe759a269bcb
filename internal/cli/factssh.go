package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"kryptonite/internal/sshconfig"
	"kryptonite/internal/sshversion"
	"kryptonite/internal/sshwire"
)

// lookSSH asks the ssh of this terminal which one it is.
func lookSSH(ctx context.Context, c *checkup) []fact {
	const name = "ssh"
	path, err := exec.LookPath("ssh")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return one(fact{name: name, state: factFail, text: "there is no ssh in PATH", fix: "install OpenSSH's client, and see: echo $PATH"})
	}
	var versions sshversion.Versions
	v, err := versions.Of(ctx, path)
	switch {
	case errors.Is(err, sshversion.ErrUntrusted) && !c.asksSSH:
		return okay(name, "%s is there", path)
	case errors.Is(err, sshversion.ErrUntrusted):
		return warn(name, "put one before it in PATH that root alone may change, as the system's", "krd does not ask %s for its version, and takes it for an old one: %v", path, sshversion.ErrUntrusted)
	case err != nil:
		return warn(name, "use OpenSSH", "%v", err)
	case !v.AtLeast(8, 9):
		return warn(name, "use OpenSSH 8.9 or newer", "%s is OpenSSH %s, which does not tell an agent the host: the phone cannot prove it", path, v)
	}
	st, err := c.krdStatus(ctx)
	if err == nil && !v.AtLeast(10, 3) {
		for _, p := range st.Phones {
			for _, k := range p.Keys {
				if k.Type == sshwire.KeyPasskey {
					return warn(name, "use OpenSSH 10.3 or newer, or another key of the phone", "%s is OpenSSH %s, which does not log in with %s's passkey", path, v, p.Name)
				}
			}
		}
	}
	return okay(name, "%s is OpenSSH %s", path, v)
}

// lookSSHConfig looks whether the block of setup is whole, and whether ssh does
// as it says.
func lookSSHConfig(ctx context.Context, c *checkup) []fact {
	const name = "ssh_config"
	fail := func(fix, format string, args ...any) fact {
		return fact{name: name, state: factFail, text: fmt.Sprintf(format, args...), fix: fix}
	}
	s := newSetup(c)
	if err := s.begin(); err != nil {
		return nil // as other facts say
	}
	file, rest, err := readSSHConfig(s.block())
	if half := new(sshconfig.MarkerError); errors.As(err, &half) {
		f := fail(half.Hint()[0], "%v", err)
		f.did, f.mend = "put a whole block in the place of what was left of one in "+tilde(file.Path), func(context.Context) error { return c.mendBlock(file) }
		return one(f)
	}
	if err != nil {
		return one(fail("see: ls -l ~/.ssh", "%v", err))
	}
	if others, _ := writers(file); others {
		return one(closing(file, fmt.Sprintf("others may write to %s, and ssh refuses that", tilde(file.Target))))
	}
	there := len(rest) < len(file.Data)
	if !there && s.had.Service == "" {
		return one(fail("kr setup", "%s does not say that ssh is to ask krd", tilde(file.Path)))
	}
	if err := s.planConfig(ctx, s.block()); err != nil {
		return one(fail("kr setup", "%v", err))
	}
	if len(s.steps) > 0 {
		what := "is not as kr setup made it, or not at the top"
		if !there {
			what = "is not there any more"
		}
		f := fail("kr setup", "the block of kr setup %s in %s", what, tilde(file.Path))
		f.did, f.mend = "restored the block: "+s.brief(), s.perform
		return one(f)
	}
	return one(c.inEffect(ctx, file, fail))
}

// inEffect asks ssh itself which agent it would use.
func (c *checkup) inEffect(ctx context.Context, file sshconfig.File, fail func(fix, format string, args ...any) fact) fact {
	home, _ := os.UserHomeDir()
	read := readBySSH(file)
	agent, err := sshconfig.Agent(ctx, read)
	switch {
	case err != nil:
		if _, group := writers(file); group { // which may be what ssh says
			return closing(file, err.Error())
		}
		return fail("mend that line", "%v", err)
	case agent != c.agentSocket():
		return fail("ssh -G some.host | grep -i identityagent", "ssh uses %s, although the block of kr setup is there", first(agent, "what "+authSock+" says"))
	case read != "":
		return fact{name: "ssh_config", state: factWarn, fix: "set HOME back, or use ssh -F " + shellQuoted(file.Path),
			text: fmt.Sprintf("HOME is %s, and ssh does not go by it: it reads the configuration where the user database says that your home is", home)}
	}
	return okay("ssh_config", "ssh -G says that ssh asks krd")[0]
}

// writers says whether others may write to the file, which no ssh takes, and
// whether a group may: OpenSSH refuses that, too, but Debian's does not where
// nobody else is in the group. One's own group is taken for such, until ssh says no.
func writers(file sshconfig.File) (others, group bool) {
	info, err := os.Stat(file.Target)
	if err != nil {
		return false, false
	}
	group = info.Mode().Perm()&0o020 != 0
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().Perm()&0o002 != 0 || group && !(ok && int(st.Gid) == os.Getegid()), group
}

// closing is the fact that ssh does not take the file while others may write to it.
func closing(file sshconfig.File, text string) fact {
	return fact{name: "ssh_config", state: factFail, text: text, fix: "chmod go-w " + shellQuoted(file.Target),
		did:  "took the right to write to " + tilde(file.Target) + " from others",
		mend: func(context.Context) error { return closeToWriters(file.Target) }}
}

func closeToWriters(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()&^0o022)
}

// mendBlock puts a whole block where half of one is. What a person wrote stays.
func (c *checkup) mendBlock(file sshconfig.File) error {
	rest := c.block().Salvage(file.Data)
	data, err := c.block().Put(rest)
	if err != nil {
		return err
	}
	d, err := c.dir()
	if err != nil {
		return err
	}
	if err := d.WriteFile(backupFile, file.Data); err != nil {
		return err
	}
	return file.Replace(data)
}
