package relayd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"kryptonite/internal/relay/boltstore"
	"kryptonite/internal/statedir"
)

const backupUsage = `Copy a relay's mail to a file

Usage:
  kr-relay backup [--data <directory>] <file>

Works while the relay runs on that directory, and while it does not; run it as
the same user. The file must not exist yet. It has that name only once it is
complete, checked and synced to disk; it holds sealed messages and addresses, so
keep it private (its mode is 0600). With - as file the copy goes to standard
output, by way of a temporary file in $TMPDIR.

Flags:
  --data <directory>  where the relay keeps its mail (default ./kr-relay-data)

To restore: stop the relay, put the file as relay.db into its data directory,
start the relay. Phones and computers connect again by themselves. Messages that
came after the backup are lost. Messages that were fetched after it, and
mailboxes that were deleted after it, are back; phones and computers know
repeats, and what nobody fetches goes in time.

Examples:
  $ kr-relay backup --data /var/lib/kr-relay /backup/relay-2026-11-24.db
  $ kr-relay backup --data /var/lib/kr-relay - | age -r age1... > relay.db.age
`

func runBackup(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	data, file, err := parseBackup(args)
	if err == nil && file == "-" && isTerminal(stdout) {
		err = errors.New("standard output is a terminal: name a file, or send it elsewhere")
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, backupUsage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "kr-relay backup: %v\nTry: kr-relay backup --help\n", err)
		return 2
	}
	err = backup(ctx, data, file, stdout)
	switch {
	case ctx.Err() != nil && err != nil:
		fmt.Fprintln(stderr, "kr-relay backup: interrupted")
		return 130
	case err != nil:
		complain(stderr, "kr-relay backup", err)
		return 1
	}
	return 0
}

// parseBackup takes flags before the file and after it.
func parseBackup(args []string) (data, file string, err error) {
	flags := flag.NewFlagSet("kr-relay backup", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&data, "data", defaultData, "")
	if err := flags.Parse(args); err != nil {
		return "", "", err
	}
	if flags.NArg() > 0 {
		file = flags.Arg(0)
		if err := flags.Parse(flags.Args()[1:]); err != nil {
			return "", "", err
		}
	}
	switch {
	case file == "":
		return "", "", errors.New("name the file to write")
	case data == "":
		return "", "", errors.New("--data must name a directory")
	case flags.NArg() > 0:
		return "", "", fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return data, file, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// backup copies the store in data to file, or to stdout if that is "-".
func backup(ctx context.Context, data, file string, stdout io.Writer) error {
	fill := func(w io.Writer) error { return copyStore(ctx, data, w) }
	if file == "-" {
		return backupTo(ctx, stdout, fill)
	}
	c, err := boltstore.Save(ctx, file, fill)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; it was left as it is", file)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "wrote %s: %d mailboxes, %d messages\n", file, c.Mailboxes, c.Frames)
	return err
}

// backupTo sends only what is complete and checked, and lets go of the store
// before it: who reads may be slow.
func backupTo(ctx context.Context, stdout io.Writer, fill func(io.Writer) error) error {
	dir, err := os.MkdirTemp("", "kr-relay-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, storeName)
	if _, err := boltstore.Save(ctx, path, fill); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.RemoveAll(dir); err != nil { // now, as a second Ctrl-C would leave it
		return err
	}
	if _, err := io.Copy(until{ctx, stdout}, f); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// copyStore writes the store's file to w: the relay sends it, or, if none runs,
// it is read here.
func copyStore(ctx context.Context, data string, w io.Writer) error {
	if err := statedir.Guarded(data); err != nil {
		return err // the mail there may be anybody's
	}
	conn, dialErr := dialCopy(ctx, data)
	if dialErr == nil {
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		return receiveCopy(w, conn)
	}
	copied, err := boltstore.OpenSnapshot(filepath.Join(data, storeName))
	if errors.Is(err, boltstore.ErrInUse) {
		return fmt.Errorf("%w; it hands out no copy, so stop it first (%w)", err, dialErr)
	}
	if err != nil {
		return err
	}
	_, err = copied.WriteTo(until{ctx, w})
	return errors.Join(err, copied.Close())
}

// until ends writing when ctx ends.
type until struct {
	ctx context.Context
	w   io.Writer
}

func (u until) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}
