package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"kryptonite/internal/freeport"
)

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
		if s.Port, err = freeport.Get(); err != nil {
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
	config := fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s\nPidFile none\nAuthorizedKeysFile %s %s\n"+
		"StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 300\n"+
		"Subsystem sftp internal-sftp\nSetEnv HOME=%s\n%s", // without the shell start-up files of whoever runs this
		s.Port, key, h.Path("authorized_keys"), h.Path(".ssh", "authorized_keys"), h.Dir, more)
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
	cmd := exec.Command("ssh", "-F", h.Path("ssh_config"), h.user+"@server", "echo", "in")
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
