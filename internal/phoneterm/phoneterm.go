// Package phoneterm is kr-phone, the phone in a terminal: a phone core with a
// keystore, a journal and a person at a prompt. It is a full phone, for
// machines without a browser, for scripts and for tests.
//
//	key.json           the SSH key, sealed with a passphrase
//	pairings.journal   what the core stores: pairings, requests, answers
//	kr-phone.lock      one kr-phone at a time
package phoneterm

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kryptonite/internal/keystore"
	"kryptonite/internal/phone"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
	"kryptonite/internal/wire"
)

// Names in the state directory.
const (
	keyFile     = "key.json"
	journalFile = "pairings.journal"
	lockFile    = "kr-phone.lock"
)

const fileVersion = 1

// env is what every command needs.
type env struct {
	io         *term.IO
	passphrase string // file to read it from; "" asks at the terminal
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
	root.SetArgs(args)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, err) })
	root.PersistentFlags().StringVar(&e.passphrase, "passphrase-file", "", "read the passphrase from the first line of this file")
	root.PersistentFlags().StringVar(&e.logLevel, "log-level", "warn", "debug, info, warn or error; logs go to stderr")
	root.AddCommand(initCmd(e), pairCmd(e), runCmd(e), unpairCmd(e), listCmd(e), keyCmd(e), logCmd(e), ruleCmd(e), hostCmd(e), forwardCmd(e))
	return io.Fail(root.ExecuteContext(ctx))
}

func usage(c *cobra.Command, err error) error {
	return &term.Problem{Err: err, Code: 2, Hints: []string{"see: " + c.CommandPath() + " --help"}}
}

// home opens the state directory.
func home() (*statedir.Dir, error) {
	path := os.Getenv("KR_PHONE_HOME")
	if path == "" {
		h, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the home directory: %w", err)
		}
		path = filepath.Join(h, ".kr-phone")
	}
	return statedir.Open(path)
}

func (e *env) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(e.logLevel)); err != nil {
		return nil, &term.Problem{Err: fmt.Errorf("unknown log level %q", e.logLevel), Code: 2}
	}
	return slog.New(slog.NewTextHandler(e.io.Err, &slog.HandlerOptions{Level: level})), nil
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
	sealed  []byte
}

func (o *opened) close() {
	o.journal.Close()
	o.lock.Unlock()
}

// open opens the phone's state; the key stays sealed.
func open() (*opened, error) {
	dir, err := home()
	if err != nil {
		return nil, err
	}
	sealed, err := readKey(dir)
	if err != nil {
		return nil, err
	}
	lock, err := dir.Lock(lockFile)
	if errors.Is(err, statedir.ErrLocked) {
		return nil, &term.Problem{Err: errors.New("kr-phone is running in another terminal"),
			Hints: []string{"end that one with Ctrl-C, then try again"}}
	}
	if err != nil {
		return nil, err
	}
	j, records, err := statedir.OpenJournal(dir, journalFile, func(key string) bool {
		return strings.HasPrefix(key, phone.PairingPrefix)
	})
	if err != nil {
		lock.Unlock()
		return nil, err
	}
	return &opened{dir, lock, j, records, sealed}, nil
}

// readKey returns the sealed key. A damaged file is set aside and named, now
// and until a person moves it away: a new key must not take its place unseen.
func readKey(dir *statedir.Dir) (rawJSON, error) {
	var sealed rawJSON
	err := dir.ReadJSON(keyFile, fileVersion, &sealed)
	if !errors.Is(err, fs.ErrNotExist) {
		return sealed, err
	}
	if err := noDamagedKey(dir); err != nil {
		return nil, err
	}
	return nil, &term.Problem{Err: errors.New("this phone has no key yet"), Hints: []string{"make one with: kr-phone init"}}
}

// noDamagedKey is an error when a damaged key lies beside the key's place.
func noDamagedKey(dir *statedir.Dir) error {
	names, err := dir.List(".")
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n, keyFile+".damaged-") {
			return &term.Problem{Err: fmt.Errorf("this phone's key was damaged; it was kept as %s", dir.Path(n)),
				Hints: []string{"put a copy of key.json back; to give the key up, move that file away, then: kr-phone init"}}
		}
	}
	return nil
}

// rawJSON keeps a sealed key as it is.
type rawJSON []byte

// MarshalJSON returns the value.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// UnmarshalJSON keeps the value if it is a sealed key.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	if _, err := keystore.PublicKey(b); err != nil {
		return err
	}
	*r = append((*r)[:0], b...)
	return nil
}

// core makes the phone core.
func (o *opened) core(approve phone.Approve) (*phone.Core, error) {
	pub, err := keystore.PublicKey(o.sealed)
	if err != nil {
		return nil, err
	}
	return phone.New(phone.Config{
		Name: phoneName(), Version: version.String(), Approve: approve,
		Keys: []wire.SSHKey{{PublicKey: pub, Name: "default"}},
	}, o.records)
}

// unlock opens the key with the passphrase.
func (e *env) unlock(o *opened) (ed25519.PrivateKey, error) {
	secret, err := e.secret("Passphrase of this phone's key: ")
	if err != nil {
		return nil, err
	}
	key, err := keystore.Open(o.sealed, secret)
	if errors.Is(err, keystore.ErrFormat) {
		return nil, fmt.Errorf("%s is damaged: %w", o.dir.Path(keyFile), err)
	}
	if errors.Is(err, keystore.ErrPassphrase) {
		return nil, &term.Problem{Err: err, Hints: []string{"try again; without the passphrase the key cannot be used"}}
	}
	return key, err
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
	if _, err := dir.ReadFile(keyFile); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return err
		}
		return &term.Problem{Err: errors.New("this phone has a key already"), Hints: []string{"show it with: kr-phone key"}}
	}
	if err := noDamagedKey(dir); err != nil {
		return err
	}
	secret, err := e.secret("A passphrase for the new key: ")
	if err != nil {
		return err
	}
	if e.passphrase == "" {
		again, err := e.secret("The same once more: ")
		if err != nil {
			return err
		}
		if string(again) != string(secret) {
			return errors.New("the two passphrases differ; nothing was made")
		}
	}
	if len(secret) == 0 {
		return errors.New("an empty passphrase protects nothing; nothing was made")
	}
	sealed, err := keystore.Seal(secret)
	if err != nil {
		return err
	}
	if err := dir.WriteJSON(keyFile, fileVersion, rawJSON(sealed)); err != nil {
		return err
	}
	pub, err := keystore.PublicKey(sealed)
	if err != nil {
		return err
	}
	e.io.Printf("%s\n", sshwire.AuthorizedKey(pub, phoneName()))
	e.io.Sayf("\nNext: kr-phone pair\n")
	return nil
}

func keyCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "key", Short: "Print this phone's public key", Args: cobra.NoArgs,
		Long: "Print this phone's public key as one line for authorized_keys.",
		RunE: func(*cobra.Command, []string) error {
			o, err := view()
			if err != nil {
				return err
			}
			pub, err := keystore.PublicKey(o.sealed)
			if err != nil {
				return err
			}
			e.io.Printf("%s\n", sshwire.AuthorizedKey(pub, phoneName()))
			return nil
		},
	}
}
