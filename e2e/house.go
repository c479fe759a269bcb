// Package e2e tests the whole house: the real programs, Debian's ssh and sshd,
// and people played by the tests. Scripts are in testdata/script.
package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"kryptonite/internal/freeport"
	"kryptonite/internal/keystore"
)

// House is one computer with its phones, a relay and a server, on loopback.
type House struct {
	Bin, Dir string // programs; a short directory for everything else
	PhoneDir string // where phones are: Dir, or that of another house
	Name     string // how phones list this computer
	Env      []string
	Krd      *Proc // when StartKrd started it
	Relay    *Proc
	Origin   string // of the relay
	AppOnly  bool   // what StartRelay starts serves the app, and is no relay
	Public   string // the same, by https at a name, where that is not Origin: see Vendor.Lead
	Sshd     *Proc  // of the host "server"
	Port     int    // of the host "server"
	Agent    *Proc  // the other agent, at Path("other.sock")
	servers  []*Proc
	answered int // questions, by the test
	Phones   map[string]*Proc

	PhoneMore []string // environment of phones
	user      string   // who runs this, and logs in
}

// NewHouse makes an empty house. HOME and all state are in dir.
func NewHouse(bin, dir string) (*House, error) {
	self, err := user.Current()
	if err != nil {
		return nil, err
	}
	h := &House{user: self.Username, Bin: bin, Dir: dir, PhoneDir: dir, Name: "laptop", Phones: map[string]*Proc{}}
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte("correct horse\n"), 0o600); err != nil {
		return nil, err
	}
	// One shell for every tester: script(1) runs commands in $SHELL, and what asks is named by its ancestors.
	// No desktop: its person would see the tests' notifications.
	h.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS=disabled:", "SHELL=/bin/sh", "HOME="+dir, "KR_HOME="+h.Path("kr"), "SSH_AUTH_SOCK="+h.Path("kr", "agent.sock"),
		"PATH="+bin+":"+os.Getenv("PATH"), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+h.Path("nobus")) // no Bluetooth of this machine
	return h, nil
}

// Path is a path in the house.
func (h *House) Path(elem ...string) string {
	return filepath.Join(append([]string{h.Dir}, elem...)...)
}

// StartRelay starts the relay, with more environment, on the port it had before.
func (h *House) StartRelay(env ...string) (err error) {
	addr := strings.TrimPrefix(h.Origin, "http://")
	if h.Origin == "" {
		port, err := freeport.Get() // that can be had again after a crash
		if err != nil {
			return err
		}
		addr = fmt.Sprintf("127.0.0.1:%d", port)
	}
	args := []string{"--listen", addr, "--data", h.Path("relay")}
	if h.AppOnly {
		args = append(args, "--serve", "app")
	}
	if h.Public != "" {
		args = append(args, "--behind-proxy", "--origin", h.Public)
	}
	h.Relay, err = Start(append(slices.Clip(h.Env), env...), filepath.Join(h.Bin, "kr-relay"), args...)
	if err != nil {
		return err
	}
	h.Origin, err = h.Relay.Await(`listening on (http://[0-9.:]+)`)
	return err
}

// StartKrd starts krd with more environment and waits until it is ready. "kr
// daemon start" does the same in the background.
func (h *House) StartKrd(env ...string) (err error) {
	if h.Krd, err = Start(append(slices.Clip(h.Env), env...), filepath.Join(h.Bin, "krd"), "--log-level", "debug"); err != nil {
		return err
	}
	_, err = h.Krd.Await(`(?m)^ready$`)
	return err
}

// Kr runs kr to its end.
func (h *House) Kr(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(h.Bin, "kr"), args...)
	cmd.Env = h.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kr %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// PhoneEnv is the environment of a phone with this name.
func (h *House) PhoneEnv(name string) []string {
	return append(append(slices.Clip(h.Env), "KR_PHONE_HOME="+filepath.Join(h.PhoneDir, "phone-"+name), "KR_PHONE_NAME="+name), h.PhoneMore...)
}

// Phone starts kr-phone for the phone with this name.
func (h *House) Phone(name string, args ...string) (*Proc, error) {
	return h.PhoneWith(name, nil, args...)
}

// PhoneWith is Phone with more environment.
func (h *House) PhoneWith(name string, env []string, args ...string) (*Proc, error) {
	return Start(append(h.PhoneEnv(name), env...), filepath.Join(h.Bin, "kr-phone"),
		append([]string{"--passphrase-file", h.Path("passphrase")}, args...)...)
}

// InitPhone makes a phone's key, once: as kr-phone init does and package keystore
// describes, but at the least cost that argon2id knows, as phones are started
// hundreds of times.
func (h *House) InitPhone(name string) error {
	dir := filepath.Join(h.PhoneDir, "phone-"+name)
	file := filepath.Join(dir, "key.json")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	passphrase, err := os.ReadFile(h.Path("passphrase"))
	if err != nil {
		return err
	}
	private, err := keystore.Generate(keystore.Ed25519)
	if err != nil {
		return err
	}
	const rounds, memory, lanes = 1, 8, 1
	salt, nonce := []byte(rand.Text()), [24]byte([]byte(rand.Text()))
	key := [32]byte(argon2.IDKey(bytes.TrimSpace(passphrase), salt, rounds, memory, lanes, 32))
	b, err := json.Marshal(map[string]any{"version": 2, "data": map[string]any{
		"name": keystore.DefaultName, "created_unix_seconds": time.Now().Unix(),
		"kdf": "argon2id", "time": rounds, "memory_kib": memory, "threads": lanes, "salt": salt,
		"box": secretbox.Seal(nonce[:], private.Raw(), &nonce, &key), "public_key": private.PublicKey(),
	}})
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, b, 0o600))
}

// Pairing is a kr pair and a kr-phone pair that have each other's attention.
type Pairing struct {
	Kr, Phone          *Proc
	Link               string // what kr pair shows
	KrWords, PhoneWord string
}

// OfferPairing starts kr pair and waits for its link.
func (h *House) OfferPairing() (*Pairing, error) {
	kr, err := Start(h.Env, filepath.Join(h.Bin, "kr"), "pair", "--name", h.Name)
	if err != nil {
		return nil, err
	}
	link, err := kr.Await(`(?m)^(HTTPS?://\S+)$`)
	if err != nil {
		return nil, err
	}
	return &Pairing{Kr: kr, Link: link}, nil
}

// BeginPairing starts kr pair and gives its link to the phone.
func (h *House) BeginPairing(name string) (*Pairing, error) {
	if err := h.InitPhone(name); err != nil {
		return nil, err
	}
	p, err := h.OfferPairing()
	if err != nil {
		return nil, err
	}
	if p.Phone, err = h.Phone(name, "pair"); err != nil {
		return nil, err
	}
	return p, p.Phone.Type(p.Link)
}

// Words waits for the two words on both sides.
func (p *Pairing) Words() (err error) {
	if p.KrWords, err = p.Kr.Await(`(?m)^words: ([A-Z]+ [A-Z]+)$`); err != nil {
		return err
	}
	p.PhoneWord, err = p.Phone.Await(`(?m)^    ([A-Z]+ [A-Z]+)$`)
	return err
}

// Pair pairs a phone with this computer, as two people with good eyes do.
func (h *House) Pair(name string) error {
	p, err := h.BeginPairing(name)
	if err != nil {
		return err
	}
	return p.Agree()
}

// Agree types on each side the words that the other one shows, and waits for
// both to end well.
func (p *Pairing) Agree() error {
	if err := p.Words(); err != nil {
		return err
	}
	if err := errors.Join(p.Kr.Type(p.PhoneWord), p.Phone.Type(p.KrWords)); err != nil {
		return err
	}
	for _, proc := range []*Proc{p.Phone, p.Kr} {
		if code, err := proc.Wait(); err != nil || code != 0 {
			return fmt.Errorf("pairing: exit %d, %v\n%s", code, err, proc.Output())
		}
	}
	return nil
}

// RunPhone starts kr-phone run and waits until it is ready.
func (h *House) RunPhone(name, approve string, more ...string) error {
	p, err := h.Phone(name, append([]string{"run", "--approve", approve}, more...)...)
	if err != nil {
		return err
	}
	h.Phones[name] = p
	_, err = p.Await(`ready: `)
	return err
}

// Close ends all that still runs.
func (h *House) Close() error {
	h.Kr("daemon", "stop")
	if h.Agent != nil {
		h.Agent.Stop(syscall.SIGKILL) // it may be stopped
	}
	var errs []error
	for _, p := range h.Phones {
		_, err := p.Stop(syscall.SIGTERM)
		errs = append(errs, err)
	}
	for _, p := range append(h.servers, h.Krd, h.Relay) {
		if p != nil {
			_, err := p.Stop(syscall.SIGTERM)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Build compiles the programs into dir, with flags for the go command.
func Build(dir string, flags ...string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	args := append(append([]string{"build"}, flags...), "-o", dir+string(filepath.Separator), "./cmd/...")
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
