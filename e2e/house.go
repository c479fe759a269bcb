// Package e2e tests the whole house: the real programs, Debian's ssh and sshd,
// and people played by the tests. Scripts are in testdata/script.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const patience = 40 * time.Second // for anything that must happen

// Proc is a program at work, with all that it said.
type Proc struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{}
	err   error

	mu   sync.Mutex
	out  strings.Builder
	more chan struct{} // closed at every new line
}

// Start starts a program; both its outputs are kept together.
func Start(env []string, name string, args ...string) (*Proc, error) {
	p := &Proc{cmd: exec.Command(name, args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Env = env
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	w.Close()
	go p.read(r)
	return p, nil
}

func (p *Proc) read(r io.ReadCloser) {
	defer r.Close()
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		p.mu.Lock()
		p.out.Write(buf[:n])
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			break
		}
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// Output is all that the program has said.
func (p *Proc) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Await waits until the output matches and returns the first submatch.
func (p *Proc) Await(pattern string) (string, error) { return p.AwaitFor(patience, pattern) }

// AwaitFor is Await with a limit of time.
func (p *Proc) AwaitFor(limit time.Duration, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	timeout := time.After(limit)
	ended := false
	for {
		p.mu.Lock()
		m, more := re.FindStringSubmatch(p.out.String()), p.more
		p.mu.Unlock()
		switch {
		case len(m) > 1:
			return m[1], nil
		case m != nil:
			return m[0], nil
		case ended:
			return "", fmt.Errorf("%s ended without saying %q; it said:\n%s", p.cmd.Path, pattern, p.Output())
		}
		select {
		case <-more:
		case <-p.done:
			ended = true
		case <-timeout:
			return "", fmt.Errorf("%s did not say %q; it said:\n%s", p.cmd.Path, pattern, p.Output())
		}
	}
}

// Each calls f for each match of pattern in the output, until the program
// ends. It returns at once; done closes after the last call.
func (p *Proc) Each(pattern string, f func(match string)) (done <-chan struct{}) {
	re := regexp.MustCompile(pattern)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seen := 0; ; {
			p.mu.Lock()
			all, more := re.FindAllString(p.out.String(), -1), p.more
			p.mu.Unlock()
			for ; seen < len(all); seen++ {
				f(all[seen])
			}
			select {
			case <-more:
			case <-p.done:
				return
			}
		}
	}()
	return ended
}

// Killed waits for the end of the program by SIGKILL.
func (p *Proc) Killed() error {
	if code, err := p.Wait(); err != nil || code != -1 {
		return fmt.Errorf("%s was not killed: exit %d, %v; it said:\n%s", p.cmd.Path, code, err, p.Output())
	}
	return nil
}

// Type types a line at the program.
func (p *Proc) Type(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Signal sends a signal.
func (p *Proc) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Wait waits for the end and returns the exit code.
func (p *Proc) Wait() (int, error) {
	select {
	case <-p.done:
	case <-time.After(patience):
		return -1, fmt.Errorf("%s does not end; it said:\n%s", p.cmd.Path, p.Output())
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		return -1, p.err
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Stop ends the program with a signal, if it still runs, and waits.
func (p *Proc) Stop(s syscall.Signal) (int, error) {
	select {
	case <-p.done:
	default:
		p.Signal(s)
	}
	return p.Wait()
}

// House is one computer with its phones, a relay and a server, on loopback.
type House struct {
	Bin, Dir string // programs; a short directory for everything else
	PhoneDir string // where phones are: Dir, or that of another house
	Name     string // how phones list this computer
	Env      []string
	Krd      *Proc // when StartKrd started it
	Relay    *Proc
	Origin   string // of the relay
	Sshd     *Proc  // of the host "server"
	Port     int    // of the host "server"
	Agent    *Proc  // the other agent, at Path("other.sock")
	servers  []*Proc
	answered int // questions, by the test
	Phones   map[string]*Proc
}

// NewHouse makes an empty house. HOME and all state are in dir.
func NewHouse(bin, dir string) (*House, error) {
	h := &House{Bin: bin, Dir: dir, PhoneDir: dir, Name: "laptop", Phones: map[string]*Proc{}}
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte("correct horse\n"), 0o600); err != nil {
		return nil, err
	}
	h.Env = append(os.Environ(), "HOME="+dir, "KR_HOME="+h.Path("kr"), "SSH_AUTH_SOCK="+h.Path("kr", "agent.sock"),
		"PATH="+bin+":"+os.Getenv("PATH"))
	return h, nil
}

// Path is a path in the house.
func (h *House) Path(elem ...string) string {
	return filepath.Join(append([]string{h.Dir}, elem...)...)
}

// StartRelay starts the relay, with more environment, on the port it had before.
func (h *House) StartRelay(env ...string) (err error) {
	addr := "127.0.0.1:0"
	if h.Origin != "" {
		addr = strings.TrimPrefix(h.Origin, "http://")
	}
	h.Relay, err = Start(append(slices.Clip(h.Env), env...), filepath.Join(h.Bin, "kr-relay"), "--listen", addr, "--data", h.Path("relay"))
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
	return append(slices.Clip(h.Env), "KR_PHONE_HOME="+filepath.Join(h.PhoneDir, "phone-"+name), "KR_PHONE_NAME="+name)
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

// InitPhone makes a phone's key, once.
func (h *House) InitPhone(name string) error {
	if _, err := os.Stat(filepath.Join(h.PhoneDir, "phone-"+name, "key.json")); err == nil {
		return nil
	}
	p, err := h.Phone(name, "init")
	if err != nil {
		return err
	}
	if code, err := p.Wait(); err != nil || code != 0 {
		return fmt.Errorf("kr-phone init: exit %d, %v\n%s", code, err, p.Output())
	}
	return nil
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
	link, err := kr.Await(`(?m)^(HTTP://\S+)$`)
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
func (h *House) RunPhone(name, approve string) error {
	p, err := h.Phone(name, "run", "--approve", approve)
	if err != nil {
		return err
	}
	h.Phones[name] = p
	_, err = p.Await(`ready: `)
	return err
}

// Server is one sshd.
type Server struct {
	Name    string // in ssh_config
	KeyType string // of the host key, as ssh-keygen takes it: ed25519 unless named
	Cert    bool   // the host key has a certificate, by an authority that known_hosts trusts
	Config  string // lines for ssh_config, indented
	Sshd    string // lines for sshd_config
	Port    int    // set by AddServer
	proc    *Proc
}

// StartSshd starts Debian's sshd for the keys of the paired phones, and writes
// an ssh_config with the host "server".
func (h *House) StartSshd() error {
	keys, err := h.Kr("me")
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.Path("authorized_keys"), []byte(keys), 0o600); err != nil {
		return err
	}
	s := &Server{Name: "server"}
	err = h.AddServer(s)
	h.Sshd, h.Port = s.proc, s.Port
	return err
}

// AddServer starts one more sshd, with a new host key, on the port it had
// before, if any, and adds it to ssh_config and known_hosts.
func (h *House) AddServer(s *Server) (err error) {
	if s.Port == 0 {
		if s.Port, err = freePort(); err != nil {
			return err
		}
	}
	if s.KeyType == "" {
		s.KeyType = "ed25519"
	}
	key := h.Path(s.Name + ".hostkey")
	os.Remove(key)
	if err := keygen("-t", s.KeyType, "-f", key); err != nil {
		return err
	}
	known, more := "", s.Sshd
	pub, err := os.ReadFile(key + ".pub")
	if err != nil {
		return err
	}
	if known = fmt.Sprintf("[127.0.0.1]:%d %s", s.Port, pub); s.Cert {
		ca := h.Path(s.Name + ".ca")
		if err := errors.Join(keygen("-t", "ed25519", "-f", ca), keygen("-s", ca, "-I", s.Name, "-h", "-n", "127.0.0.1", key+".pub")); err != nil {
			return err
		}
		caPub, err := os.ReadFile(ca + ".pub")
		if err != nil {
			return err
		}
		known, more = fmt.Sprintf("@cert-authority [127.0.0.1]:%d %s", s.Port, caPub), more+"HostCertificate "+key+"-cert.pub\n"
	}
	config := fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s\n"+
		"StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 300\n"+
		"Subsystem sftp internal-sftp\nSetEnv HOME=%s\n%s", // without the shell start-up files of whoever runs this
		s.Port, key, h.Path("authorized_keys"), h.Dir, more)
	host := fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %d\n%s", s.Name, s.Port, s.Config)
	if !strings.Contains(s.Config, "IdentityAgent") {
		host += "  IdentityAgent " + h.Path("kr", "agent.sock") + "\n"
	}
	host += fmt.Sprintf("  UserKnownHostsFile %s\n  PreferredAuthentications publickey\n  LogLevel ERROR\n", h.Path("known_hosts"))
	if err := errors.Join(os.WriteFile(h.Path(s.Name+".sshd_config"), []byte(config), 0o600),
		h.Append("known_hosts", known), h.Append("ssh_config", host)); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
	}
	if s.proc, err = Start(h.Env, "/usr/sbin/sshd", "-D", "-e", "-f", h.Path(s.Name+".sshd_config")); err != nil {
		return err
	}
	h.servers = append(h.servers, s.proc)
	_, err = s.proc.Await(`Server listening on`)
	return err
}

func keygen(args ...string) error {
	args = append([]string{"-q"}, args...)
	if args[1] == "-t" {
		args = append(args, "-N", "")
	}
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ssh-keygen: %w: %s", err, out)
	}
	return nil
}

// Append adds text to a file in the house.
func (h *House) Append(name, text string) error {
	f, err := os.OpenFile(h.Path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Login logs in once.
func (h *House) Login() error {
	cmd := h.ssh()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || string(out) != "in\n" {
		return fmt.Errorf("ssh: %v: %s%s", err, out, stderr.String())
	}
	return nil
}

func (h *House) ssh() *exec.Cmd {
	cmd := exec.Command("ssh", "-F", h.Path("ssh_config"), "root@server", "echo", "in")
	cmd.Env = h.Env
	return cmd
}

// StartAgent starts Debian's ssh-agent as the agent that the user had before.
func (h *House) StartAgent() (err error) {
	if err := os.RemoveAll(h.Path("other.sock")); err != nil { // of one that was killed
		return err
	}
	if h.Agent, err = Start(h.Env, "ssh-agent", "-D", "-a", h.Path("other.sock")); err != nil {
		return err
	}
	_, err = h.Agent.Await(`SSH_AUTH_SOCK=`)
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
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
