package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"kryptonite/internal/service"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

// endPatience is how long a service manager may take to end krd: launchd kills
// it after 20 s. [launchd.plist(5), ExitTimeOut]
const endPatience = 25 * time.Second

// step is one change to this computer: it is shown before it is made.
type step struct {
	text string // what it does; further lines are details
	do   func(context.Context) error
}

// consent is how a person agrees to a plan.
type consent struct{ dryRun, yes bool }

// carryOut shows all steps, asks, and makes them in their order. done is false
// when nothing was to be made, or nobody wanted it.
func (e *env) carryOut(ctx context.Context, what string, steps []step, c consent) (done bool, err error) {
	e.io.Printf("%s will:\n", what)
	for _, s := range steps {
		first, more, _ := strings.Cut(s.text, "\n")
		e.io.Printf("  - %s\n", term.CleanMax(first, 1000))
		for line := range strings.Lines(more) {
			e.io.Printf("      %s\n", term.CleanMax(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "  "), 1000))
		}
	}
	switch {
	case c.dryRun:
		return false, nil
	case c.yes:
	case !e.io.InTTY():
		return false, &term.Problem{Err: fmt.Errorf("%s asks before it changes anything, and there is no terminal to ask", what), Code: codeUsage,
			Hints: []string{"to go on: " + what + " --yes", "to see it only: " + what + " --dry-run"}}
	default:
		if ok, err := e.io.Confirm(ctx, "Go on?"); err != nil || !ok {
			return false, err
		}
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// notForAnother refuses what would leave root's files in somebody's home.
func notForAnother(what string) error {
	for _, name := range []string{"SUDO_USER", "DOAS_USER"} {
		if user := os.Getenv(name); os.Geteuid() == 0 && user != "" && user != "root" {
			return &term.Problem{Err: fmt.Errorf("this is root, working for %s: what it makes would be root's, and neither krd nor ssh would take it", term.Clean(user)),
				Code: codeUsage, Hints: []string{"as " + term.Clean(user) + ", without sudo: " + what}}
		}
	}
	return nil
}

// commands are steps that run these commands.
func commands(all []service.Command) (out []step) {
	for _, c := range all {
		text := "run: "
		if c.Ends != nil {
			text = "run, unless that is gone: "
		}
		out = append(out, step{text + strings.Join(c.Args, " "), func(ctx context.Context) error { return carry(ctx, c) }})
	}
	return out
}

// carry runs a command. What it is to end may be gone already; else carry waits
// until it is.
func carry(ctx context.Context, c service.Command) error {
	if c.Ends == nil {
		return runCommand(ctx, c.Args)
	}
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var said error
	for ran := false; ; {
		if err := runCommand(ctx, c.Ends); err != nil && ctx.Err() == nil {
			return nil
		}
		if !ran {
			ran, said = true, runCommand(ctx, c.Args)
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if said == nil {
				said = fmt.Errorf("%s: %w: what it ends is still there", strings.Join(c.Args, " "), context.Cause(ctx))
			}
			return said
		}
	}
}

func runCommand(ctx context.Context, args []string) error {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, term.CleanMax(strings.TrimSpace(string(out)), 500))
	}
	return nil
}

// ours refuses a directory where others can put files, or another one in its place:
// what kr setup writes is run at each login, or tells ssh whom to ask.
func ours(dir string) error {
	err := statedir.Guarded(dir)
	r := new(statedir.ReachableError)
	if !errors.As(err, &r) {
		return err
	}
	return &term.Problem{Err: fmt.Errorf("kr setup writes nothing to %s: %s %s", tilde(dir), tilde(r.Dir), r.Why),
		Hints: []string{"take that from others: chmod go-w " + shellQuoted(r.Dir) + "; whose it is: ls -ld " + shellQuoted(r.Dir)}}
}

// tilde is a path as people write it.
func tilde(path string) string {
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+"/"); err == nil && ok {
		return "~/" + rest
	}
	return path
}

// record is what setup made, so that uninstall can take it away: setup.json.
type record struct {
	Service serviceKind `json:"service,omitempty"` // "": krd was started by hand
	Files   []string    `json:"files,omitempty"`   // of the service
	Beside  []string    `json:"beside,omitempty"`  // files of the session's environment and of completion
	Made    []string    `json:"made,omitempty"`    // what was not there, but for Files and Beside: outermost directory first

	AuthSock string `json:"auth_sock,omitempty"` // SSH_AUTH_SOCK of the session, before
}

const (
	recordFile    = "setup.json"
	recordVersion = 1
	backupFile    = "ssh_config.before" // ssh's configuration before the last change that setup made
	publicKeys    = "keys"              // phones' public keys, one a file, that the ssh configuration names
)

// record is empty where setup has not been.
func (e *env) record() (r record, err error) {
	d, err := e.existing()
	if d == nil || err != nil {
		return r, err
	}
	if err := d.ReadJSON(recordFile, recordVersion, &r); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	return r, nil
}

func (e *env) writeRecord(r record) error {
	d, err := e.dir()
	if err != nil {
		return err
	}
	return d.WriteJSON(recordFile, recordVersion, r)
}

// existing is dir, or nil when there is none: it makes and changes nothing.
func (e *env) existing() (*statedir.Dir, error) {
	d, err := statedir.Existing(e.home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return d, err
}

// savedConfig is the settings, empty where there are none: it makes nothing.
func (e *env) savedConfig() (c config, err error) {
	d, err := e.existing()
	if d == nil || err != nil {
		return c, err
	}
	if err := d.ReadJSON(configFile, configVersion, &c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	return c, nil
}

// missing returns path and those of its parents that are not there, outermost
// first.
func missing(path string) (out []string) {
	for ; ; path = filepath.Dir(path) {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return out
		}
		out = append([]string{path}, out...)
	}
}

func (r record) equal(o record) bool {
	a, _ := json.Marshal(r)
	b, _ := json.Marshal(o)
	return string(a) == string(b)
}
