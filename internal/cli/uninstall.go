package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

type uninstallOptions struct {
	consent
	purge bool
}

func uninstallCmd(e *env) *cobra.Command {
	var o uninstallOptions
	cmd := &cobra.Command{
		Use: "uninstall", Short: "Take back what kr setup made", Args: noArgs,
		Long: `Ends krd, removes its service, its place in the session's environment and the completion,
and takes the block out of ~/.ssh/config; every other byte stays. Pairings and settings stay, too, unless you want them gone: --purge, or
a second question. Then phones are unpaired, and their public keys are printed: they
still stand on servers. The programs themselves are yours to delete.`,
		Example: "  $ kr uninstall --dry-run\n  $ kr uninstall\n  $ kr uninstall --yes --purge",
		RunE:    func(cmd *cobra.Command, _ []string) error { return runUninstall(cmd.Context(), e, o) },
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show the changes only")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask; pairings stay, unless there is --purge")
	cmd.Flags().BoolVar(&o.purge, "purge", false, "unpair all phones and delete the state, too")
	return cmd
}

func runUninstall(ctx context.Context, e *env, o uninstallOptions) error {
	if err := notForAnother("kr uninstall"); err != nil {
		return err
	}
	d, err := e.existing()
	if err != nil {
		return err
	}
	if d != nil && !o.purge && !o.yes && !o.dryRun && e.io.InTTY() {
		if o.purge, err = e.io.Confirm(ctx, fmt.Sprintf("Unpair all phones and delete %s, too?", tilde(e.home))); err != nil {
			return err
		}
	}
	u := &uninstall{env: e, dir: d}
	if err := u.plan(ctx, o.purge); err != nil {
		return err
	}
	if len(u.steps) == 0 {
		e.io.Sayf("Nothing of kr setup is here; nothing was changed.\n")
		return nil
	}
	done, err := e.carryOut(ctx, "kr uninstall", u.steps, o.consent)
	if err != nil || !done {
		return err
	}
	if exists(e.home) && !o.purge {
		e.io.Sayf("Pairings and settings are still in %s; to end and delete them: kr uninstall --purge\n", tilde(e.home))
	}
	return nil
}

// uninstall collects what is to be undone.
type uninstall struct {
	*env
	dir   *statedir.Dir // or nil
	rec   record
	steps []step
}

func (u *uninstall) add(text string, do func(context.Context) error) {
	u.steps = append(u.steps, step{text, do})
}

func (u *uninstall) plan(ctx context.Context, purge bool) (err error) {
	if u.home, err = filepath.Abs(u.home); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	if u.rec, err = u.record(); err != nil {
		return err
	}
	if err := u.planConfig(); err != nil {
		return err
	}
	if purge && u.dir != nil {
		if err := u.planUnpair(); err != nil {
			return err
		}
	}
	if err := u.planService(ctx); err != nil {
		return err
	}
	if err := u.planBeside(ctx); err != nil {
		return err
	}
	for _, path := range slices.Backward(u.rec.Made) {
		u.planMade(path)
	}
	if u.dir != nil {
		u.planState(purge)
	}
	return nil
}

func (u *uninstall) planConfig() error {
	file, rest, err := readSSHConfig(u.block())
	if err != nil {
		return err
	}
	if bytes.Equal(rest, file.Data) {
		return nil
	}
	if err := file.Writable(); err != nil {
		return &term.Problem{Err: err, Hints: []string{"take the block of kr setup out in the way you manage that file, and try again"}}
	}
	u.add("take the block of kr setup out of "+tilde(file.Path), func(context.Context) error { return file.Replace(rest) })
	return nil
}

// planUnpair ends all pairings while krd still runs: it tells the phones.
func (u *uninstall) planUnpair() error {
	pairings, err := u.dir.List("pairings")
	if err != nil || len(pairings) == 0 {
		return err
	}
	u.add(fmt.Sprintf("unpair all phones (%d)", len(pairings)), func(ctx context.Context) error {
		if err := startDaemon(ctx, u.env); err != nil {
			return err
		}
		st, err := u.krd.Status(ctx)
		if err != nil {
			return err
		}
		for _, p := range st.Phones {
			out, err := u.krd.Unpair(ctx, p.ID)
			if err != nil {
				return err
			}
			u.unpaired(out, "unpair this computer there yourself")
		}
		return u.awaitCloud(ctx)
	})
	return nil
}

// awaitCloud waits until krd has deleted what it made in the person's AWS
// account; without its state nobody would.
func (u *uninstall) awaitCloud(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		queues, err := u.dir.List("queues")
		endpoints, err2 := u.dir.List("endpoints")
		if err := errors.Join(err, err2); err != nil || len(queues)+len(endpoints) == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &term.Problem{Err: errors.New("queues or endpoints in your AWS account are not deleted yet, and only krd knows them; krd goes on with it"),
				Hints: []string{"see why: kr daemon logs", "later: kr uninstall --purge"}}
		}
	}
}

func (u *uninstall) planService(ctx context.Context) error {
	svc, ok, err := u.service(u.rec.Service, "", "")
	if err != nil {
		return err
	}
	if ok {
		u.steps = append(u.steps, commands(svc.Remove)...)
		for _, path := range u.rec.Files {
			u.add("remove "+tilde(path), func(context.Context) error { return remove(path) })
		}
		u.steps = append(u.steps, commands(svc.Forget)...)
		return nil
	}
	st, err := u.krd.Status(ctx)
	if notRunning(err) {
		return nil
	}
	text := "stop krd"
	if err == nil {
		text += fmt.Sprintf(" (process %d)", st.PID)
	}
	u.add(text, func(ctx context.Context) error {
		if err := endDaemon(ctx, u.env); err != nil && !notRunning(err) {
			return err
		}
		return nil
	})
	return nil
}

// planBeside takes the environment and the completion back.
func (u *uninstall) planBeside(ctx context.Context) error {
	v, ok, err := u.environment(u.rec.Service)
	if err != nil {
		return err
	}
	if ok {
		u.steps = append(u.steps, u.endEnvironment(v, u.rec, u.shownSock(ctx, u.rec.Service))...)
	}
	for _, path := range u.rec.Beside {
		if exists(path) && (!ok || path != v.File.Path) {
			u.add("remove "+tilde(path), func(context.Context) error { return remove(path) })
		}
	}
	return nil
}

// planMade removes what setup made, if nobody has put anything into it.
func (u *uninstall) planMade(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	u.add("remove "+tilde(path)+" if it is empty", func(context.Context) error {
		if !info.IsDir() {
			if now, err := os.Lstat(path); err != nil || now.Size() > 0 || !now.Mode().IsRegular() {
				return nil
			}
		}
		if err := os.Remove(path); err != nil && info.IsDir() {
			return nil // something is in it
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("uninstall: %w", err)
		}
		return nil
	})
}

// stateNames are all names in the state directory, as patterns. It may be a
// directory where a person keeps other things, too.
var stateNames = [...]string{configFile, "pairings", "farewells", "queues", "endpoints", "sns.json", "limits.json", "heard.json", "log.journal",
	control.AgentSocket, control.Socket, control.LockFile, control.LogFile, "*.damaged-*"}

// ownNames are those that setup made; the record comes last.
var ownNames = [...]string{backupFile, publicKeys, recordFile}

func (u *uninstall) planState(purge bool) {
	if !purge {
		for _, name := range ownNames {
			if path := filepath.Join(u.home, name); exists(path) {
				u.add("remove "+tilde(path), func(context.Context) error { return remove(path) })
			}
		}
		return
	}
	u.add("delete krd's state in "+tilde(u.home), func(context.Context) error {
		for _, pattern := range slices.Concat(stateNames[:], ownNames[:]) {
			names, err := fs.Glob(os.DirFS(u.home), pattern)
			if err != nil {
				return fmt.Errorf("uninstall: %w", err)
			}
			for _, name := range names {
				if err := remove(filepath.Join(u.home, name)); err != nil {
					return err
				}
			}
		}
		if err := os.Remove(u.home); err != nil {
			u.io.Sayf("%s holds other files and stays.\n", tilde(u.home))
		}
		return nil
	})
}

func remove(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("uninstall: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
