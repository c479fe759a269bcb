// Package phoneterm is kr-phone, the phone in a terminal: a phone core with a
// keystore, a journal and a person at a prompt. It is a full phone, for
// machines without a browser, for scripts and for tests.
//
//	key.json           the first SSH key, sealed with a passphrase
//	keys/ID.json       the others, sealed with the same one
//	pairings.journal   what the core stores: pairings, requests, answers
//	kr-phone.lock      one kr-phone at a time
package phoneterm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"kryptonite/internal/cmdline"
	"kryptonite/internal/escape"
	"kryptonite/internal/fault"
	"kryptonite/internal/keystore"
	"kryptonite/internal/phone"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

// Names in the state directory.
const (
	keyFile     = "key.json"
	keyDir      = "keys"
	journalFile = "pairings.journal"
	lockFile    = "kr-phone.lock"
)

// env is what every command needs.
type env struct {
	io         *term.IO
	passphrase string // file to read it from; "" asks at the terminal
	pushToken  string // file to read it from; "": nothing is said about it
	logLevel   string
}

// Main runs kr-phone and returns its exit code.
func Main(ctx context.Context, args []string, io *term.IO) int {
	e := &env{io: io}
	root := &cobra.Command{
		Use:   "kr-phone",
		Short: "The phone, in a terminal",
		Long: `The phone, in a terminal. It holds an SSH key and signs with it when you allow it.

State is in ~/.kr-phone, or in the directory that KR_PHONE_HOME names.`,
		Example: `  $ kr-phone init
  $ kr-phone pair
  $ kr-phone run`,
		SilenceUsage: true, SilenceErrors: true, Version: version.String(),
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.PersistentFlags().StringVar(&e.passphrase, "passphrase-file", "", "read the passphrase from the first line of this file")
	root.PersistentFlags().StringVar(&e.pushToken, "push-token", "", "play an app that pushes of Apple or Google wake: a `file` with PLATFORM:TOKEN, see kr-phone wake --help")
	root.PersistentFlags().StringVar(&e.logLevel, "log-level", "warn", "debug, info, warn or error; logs go to stderr")
	root.AddCommand(initCmd(e), pairCmd(e), runCmd(e), wakeCmd(e), unpairCmd(e), listCmd(e), keyCmd(e), logCmd(e), ruleCmd(e), hostCmd(e), forwardCmd(e), lockCmd(e), unlockCmd(e), renameCmd(e))
	return io.Fail(cmdline.Run(ctx, root, args))
}

// home opens the state directory.
func home() (*statedir.Dir, error) {
	path, err := statedir.Home("KR_PHONE_HOME", ".kr-phone")
	if err != nil {
		return nil, err
	}
	return statedir.Open(path)
}

func (e *env) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(e.logLevel)); err != nil {
		return nil, &term.Problem{Err: fmt.Errorf("unknown log level %q", e.logLevel), Code: cmdline.CodeUsage}
	}
	return slog.New(slog.NewTextHandler(escape.Writer(e.io.Err), &slog.HandlerOptions{Level: level})), nil
}

// secret reads the passphrase.
func (e *env) secret(prompt string) ([]byte, error) {
	if e.passphrase == "" {
		return term.Passphrase(prompt)
	}
	b, err := os.ReadFile(e.passphrase)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return []byte(strings.TrimSuffix(first, "\r")), nil
}

// opened is a phone whose state is open and locked.
type opened struct {
	dir     *statedir.Dir
	lock    *statedir.Lock
	journal *statedir.Journal
	records map[string][]byte
	keys    *keyring
}

func (o *opened) close() {
	o.journal.Close()
	o.lock.Unlock()
}

// open opens the state of a phone that has a key; keys stay sealed.
func open() (*opened, error) {
	o, err := openAny()
	if err == nil && len(o.keys.Keys()) == 0 {
		o.close()
		return nil, noKey()
	}
	return o, err
}

// openAny is open for what needs no key, such as the list of computers.
func openAny() (_ *opened, err error) {
	dir, err := home()
	if err != nil {
		return nil, err
	}
	lock, err := lockPhone(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.Unlock()
		}
	}()
	keys, err := loadKeys(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir.Path(journalFile)); errors.Is(err, fs.ErrNotExist) && len(keys.Keys()) == 0 {
		return nil, noKey()
	}
	j, records, err := statedir.OpenJournal(dir, journalFile, func(key string) bool {
		return strings.HasPrefix(key, phone.PairingPrefix)
	})
	if err != nil {
		return nil, err
	}
	return &opened{dir, lock, j, records, keys}, nil
}

func noKey() error {
	return &term.Problem{Err: errors.New("this phone has no key yet"), Hints: []string{"make one with: kr-phone init"}}
}

// lockPhone makes sure that no other kr-phone works here.
func lockPhone(dir *statedir.Dir) (*statedir.Lock, error) {
	lock, err := dir.Lock(lockFile)
	if errors.Is(err, statedir.ErrLocked) {
		return nil, &term.Problem{Err: errors.New("kr-phone is running in another terminal"),
			Hints: []string{"end that one with Ctrl-C, then try again"}}
	}
	return lock, err
}

// core makes the phone core.
func (o *opened) core(approve phone.Approve) (*phone.Core, error) {
	return phone.New(phone.Config{
		Name: phoneName(), Version: version.String(), Approve: approve, Keys: o.keys.public(),
		Bluetooth: canBluetooth() == nil,
	}, o.records)
}

// unlock opens all keys with the passphrase.
func (e *env) unlock(o *opened) error {
	secret, err := e.secret("Passphrase of this phone's keys: ")
	if err != nil {
		return err
	}
	err = o.keys.Unlock(secret)
	if errors.Is(err, keystore.ErrFormat) {
		return fmt.Errorf("a key in %s is damaged: %w", o.dir.Path(), err)
	}
	if errors.Is(err, keystore.ErrPassphrase) {
		return &term.Problem{Err: err, Hints: []string{"try again; without the passphrase no key can be used"}}
	}
	return err
}

func phoneName() string {
	if n := os.Getenv("KR_PHONE_NAME"); n != "" {
		return n
	}
	if h, err := os.Hostname(); err == nil && h != "" {
		return h + " (terminal phone)"
	}
	return "terminal phone"
}

func initCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make this phone's SSH key",
		Long: `Make this phone's SSH key (Ed25519) and seal it with a passphrase. The key never
leaves this phone; without the passphrase it is lost.`,
		Example: "  $ kr-phone init",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runInit(e) },
	}
}

func runInit(e *env) error {
	dir, err := home()
	if err != nil {
		return err
	}
	lock, err := lockPhone(dir)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	keys, err := loadKeys(dir)
	if err != nil {
		return err
	}
	if len(keys.Keys()) > 0 {
		return &term.Problem{Err: errors.New("this phone has a key already"),
			Hints: []string{"show it with: kr-phone key", "make another one with: kr-phone key new NAME"}}
	}
	secret, err := e.newSecret()
	if err != nil {
		return err
	}
	if err := keys.Unlock(secret); err != nil {
		return err
	}
	k, err := keys.New(fault.Now(), keystore.DefaultName, keystore.Ed25519)
	if err != nil {
		return err
	}
	if err := keys.save(k); err != nil {
		return err
	}
	e.io.Printf("%s\n", authorizedKey(k))
	e.io.Sayf("\nNext: kr-phone pair\n")
	return nil
}

// newSecret asks for the passphrase of the first key, twice at a terminal.
func (e *env) newSecret() ([]byte, error) {
	secret, err := e.secret("A passphrase for the new key: ")
	if err != nil {
		return nil, err
	}
	if e.passphrase == "" {
		again, err := e.secret("The same once more: ")
		if err != nil {
			return nil, err
		}
		if string(again) != string(secret) {
			return nil, errors.New("the two passphrases differ; nothing was made")
		}
	}
	if len(secret) == 0 {
		return nil, errors.New("an empty passphrase protects nothing; nothing was made")
	}
	return secret, nil
}
