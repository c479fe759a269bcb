package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/sshconfig"
	"kryptonite/internal/term"
)

func setupCmd(e *env) *cobra.Command {
	var c consent
	cmd := &cobra.Command{
		Use: "setup", Short: "Keep krd running, and let ssh use it", Args: noArgs,
		Long: `Starts krd now and at each login: as a systemd user service or LaunchAgent where
there is one, else as a process in the background, until the next reboot. Then puts
one marked block at the top of ~/.ssh/config, so that ssh asks krd for keys; where
that file lets ssh offer named keys only, the block names the phones' keys. Programs
of the desktop find krd by SSH_AUTH_SOCK, unless keys of an agent that they have now
would be lost; and bash and fish complete kr's words.

All changes are shown before they are made. When all is as it should be, it changes
nothing. It needs no root. kr uninstall takes everything back.`,
		Example: "  $ kr setup --dry-run\n  $ kr setup",
		RunE:    func(cmd *cobra.Command, _ []string) error { return runSetup(cmd.Context(), e, c) },
	}
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show the changes only")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask")
	return cmd
}

func runSetup(ctx context.Context, e *env, c consent) error {
	if err := notForAnother("kr setup"); err != nil {
		return err
	}
	changed := false
	for range 2 { // which keys are to be named is known when krd runs
		s := newSetup(newCheckup(e))
		if err := s.plan(ctx, kindHere(ctx)); err != nil {
			return err
		}
		for _, n := range s.notes {
			e.io.Sayf("Note: %s\n", term.CleanMax(n, 1000))
		}
		if len(s.steps) == 0 {
			break
		}
		done, err := e.carryOut(ctx, "kr setup", s.steps, c)
		if err != nil || !done {
			return err
		}
		changed = true
	}
	if !changed {
		e.io.Sayf("All is set up; nothing was changed.\n")
		return nil
	}
	return e.afterSetup(ctx)
}

// setup collects what is to be done.
type setup struct {
	*env
	status func(context.Context) (control.Status, error) // of krd, which may hang

	cfg    config
	had    record // by an earlier setup
	now    record
	shown  string   // SSH_AUTH_SOCK of programs that the session starts now
	making []string // directories that steps make
	steps  []step
	notes  []string
}

func newSetup(c *checkup) *setup { return &setup{env: c.env, status: c.krdStatus} }

func (s *setup) add(text string, do func(context.Context) error) {
	s.steps = append(s.steps, step{text, do})
}

// make adds steps that make a directory that is not there, and its parents.
func (s *setup) make(dir string) {
	for _, d := range missing(dir) {
		if slices.Contains(s.making, d) {
			continue
		}
		s.making = append(s.making, d)
		s.made(d)
		s.add("make the directory "+tilde(d), func(context.Context) error {
			if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("set up: %w", err)
			}
			return nil
		})
	}
}

// made notes what uninstall is to take away when nothing is left in it.
func (s *setup) made(path string) {
	if !slices.Contains(s.now.Made, path) {
		s.now.Made = append(s.now.Made, path)
	}
}

// begin reads what there is.
func (s *setup) begin() (err error) {
	if s.home, err = filepath.Abs(s.home); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	if s.cfg, err = s.savedConfig(); err != nil {
		return err
	}
	if s.had, err = s.record(); err != nil {
		return err
	}
	s.now = s.had
	s.now.Files, s.now.Beside, s.now.Made = slices.Clone(s.had.Files), slices.Clone(s.had.Beside), slices.Clone(s.had.Made)
	return nil
}

func (s *setup) plan(ctx context.Context, kind serviceKind) (err error) {
	if err := s.begin(); err != nil {
		return err
	}
	block := s.block()
	if err := block.Check(); err != nil {
		return err
	}
	if kind == kindBackground && s.had.Service == kindSystemd {
		return &term.Problem{Err: errors.New("krd was set up as a systemd user service, and systemctl --user does not answer here"),
			Hints: []string{"log in as this user anew (not by su or sudo), and try again"}}
	}
	s.shown = s.shownSock(ctx, kind)
	if s.now.Service, s.now.Files = kind, nil; kind == kindBackground {
		err = s.planBackground(ctx)
	} else {
		s.planAgent()
		before := len(s.steps)
		if err = s.planService(ctx, kind); len(s.steps) == before {
			s.planStart(ctx)
		}
	}
	if err != nil {
		return err
	}
	if err := s.planConfig(ctx, block); err != nil {
		return err
	}
	if err := s.planEnvironment(kind); err != nil {
		return err
	}
	if err := s.planCompletion(); err != nil {
		return err
	}
	if !s.now.equal(s.had) { // before all others, so that nothing is made that uninstall does not know of
		s.steps = slices.Insert(s.steps, 0, step{"note in " + tilde(filepath.Join(s.home, recordFile)) + " what it makes, for kr uninstall",
			func(context.Context) error { return s.writeRecord(s.now) }})
	}
	return nil
}

func (e *env) block() sshconfig.Block {
	return sshconfig.Block{Home: e.home, Socket: control.AgentSocket}
}

func (s *setup) planBackground(ctx context.Context) error {
	if _, err := s.status(ctx); err == nil {
		return nil
	} else if !notRunning(err) {
		return &term.Problem{Err: fmt.Errorf("ask krd how it is: %w", err), Hints: []string{"see why: kr daemon logs", endHung}}
	}
	s.notes = append(s.notes, "there is no systemd user instance here, so krd will not start by itself: after a reboot, kr daemon start.")
	s.add("start krd in the background", func(ctx context.Context) error { return startDaemon(ctx, s.env) })
	return nil
}

// planConfig puts the block into ssh's configuration.
func (s *setup) planConfig(ctx context.Context, block sshconfig.Block) error {
	file, rest, err := readSSHConfig(block)
	if err != nil {
		return err
	}
	if err := s.planKeys(ctx, file.Data, rest, &block); err != nil {
		return err
	}
	data, err := block.Put(file.Data)
	if err != nil {
		return sshConfigProblem(file, err)
	}
	if bytes.Equal(data, file.Data) {
		return nil
	}
	if err := file.Writable(); err != nil {
		return readOnlyConfig(err, block)
	}
	for _, path := range []string{file.Path, file.Target} {
		if err := ours(filepath.Dir(path)); err != nil {
			return err
		}
	}
	s.noteAgent(ctx, file, rest)
	text := "put this block at the top of " + tilde(file.Path)
	if file.Exists {
		text += " (it is kept as it was in " + tilde(filepath.Join(s.home, backupFile)) + ")"
	} else {
		s.make(filepath.Dir(file.Path))
		s.made(file.Path)
		text += ", which is made"
	}
	if file.Target != file.Path {
		text += "; it leads to " + tilde(file.Target)
	}
	s.add(text+":\n"+block.Text(), func(context.Context) error {
		d, err := s.dir()
		if err != nil {
			return err
		}
		if file.Exists {
			if err := d.WriteFile(backupFile, file.Data); err != nil {
				return err
			}
		}
		if err := file.Replace(data); err != nil {
			return readOnlyConfig(err, block)
		}
		return nil
	})
	return nil
}

// planKeys names the phones' keys where ssh would not take them from the agent
// otherwise. Where that is not to be found out, the block goes on naming those
// that it names now. rest is what config holds beside the block.
func (s *setup) planKeys(ctx context.Context, config, rest []byte, block *sshconfig.Block) error {
	st, err := s.status(ctx)
	if err != nil { // krd has just been planned, or hangs
		block.Keys, block.Own = block.Named(config)
		return nil
	}
	if len(st.Phones) == 0 {
		return nil
	}
	needs, own, err := sshconfig.NeedsKeys(ctx, rest)
	if err != nil {
		block.Keys, block.Own = block.Named(config)
		s.notes = append(s.notes, "whether ssh offers an agent's keys cannot be found out: "+err.Error())
		return nil
	}
	if !needs {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return fmt.Errorf("find the home directory: %w", err)
	}
	for _, name := range own {
		if _, err := os.Lstat(filepath.Join(home, ".ssh", name)); err == nil {
			block.Own = append(block.Own, name)
		}
	}
	for _, p := range st.Phones {
		for _, k := range p.Keys {
			sum := sha256.Sum256([]byte(k.Fingerprint))
			name := filepath.Join(publicKeys, hex.EncodeToString(sum[:8])+".pub")
			block.Keys = append(block.Keys, name)
			line := k.AuthorizedKey + "\n"
			if old, err := os.ReadFile(filepath.Join(s.home, name)); err == nil && string(old) == line {
				continue
			}
			s.add("write the public key "+k.Fingerprint+" to "+tilde(filepath.Join(s.home, name))+": your ssh offers keys that are named, only (IdentitiesOnly)",
				func(context.Context) error {
					d, err := s.dir()
					if err != nil {
						return err
					}
					return d.WriteFile(name, []byte(line))
				})
		}
	}
	return nil
}

// afterSetup says what comes next.
func (e *env) afterSetup(ctx context.Context) error {
	e.io.Sayf("ssh asks krd from now on.\n")
	cfg, _, err := e.rawConfig()
	if err != nil {
		return err
	}
	r, err := e.record()
	if err != nil {
		return err
	}
	if v, ok, _ := e.environment(r.Service); ok && slices.Contains(r.Beside, v.File.Path) {
		e.io.Sayf("Programs that run already keep the environment that they have: log in anew for those.\n")
	}
	if loginShell() == zsh {
		e.io.Sayf("For completion in zsh, put this into ~/.zshrc, after compinit: %s\n", zshCompletion)
	}
	switch st, err := e.statusWithin(ctx, checkPatience); {
	case err != nil || len(st.Phones) > 0:
	case cfg.Relay == "" && cfg.SQS == nil && !cfg.Bluetooth:
		e.io.Sayf("Next: kr config set relay https://relay.example.com, then kr pair\n")
	default:
		e.io.Sayf("Next: kr pair\n")
	}
	return nil
}
