package daemon

import (
	"errors"
	"fmt"
	"path/filepath"

	"kryptonite/internal/sshagent"
	"kryptonite/internal/sshwire"
)

// An ssh before 10.3 refuses the signature of a passkey that comes from an agent,
// after it has asked for it twice. So a login with a passkey is offered to an
// ssh that says that it is newer, and to programs that are no ssh. What ssh-keygen
// and git have signed is taken by every version. [kr-protocol] §4.11.
const passkeyMajor, passkeyMinor = 10, 3

// Why a client gets no login with a passkey.
var (
	errPasskeyForwarded = errors.New("it is forwarded, and the ssh at its other end may be any")
	errPasskeyWho       = errors.New("the system does not say which program asks")
	errPasskeyElsewhere = errors.New("that ssh is in a container, or replaced while it runs, or this system does not tell")
)

// isPasskey reports whether a key is one whose logins need a new ssh.
func isPasskey(blob []byte) bool {
	k, err := sshwire.ParsePublicKey(blob)
	return err == nil && k.Type() == sshwire.KeyPasskey
}

// takesPasskeys reports whether the asker can log in with a passkey. It waits
// for a second at most, once for each ssh there is.
func (a *agentConn) takesPasskeys() bool {
	err := a.passes(a.forwarded.Load())
	if err != nil {
		a.said.Do(func() { a.d.cfg.Log.Info("passkeys are not offered to this client", "why", err) })
	}
	return err == nil
}

// passes returns nil when the asker passes on the signature of a passkey, or why
// that is not to be hoped for.
func (a *agentConn) passes(forwarded bool) error {
	exe, same := a.asker.Executable()
	switch {
	case forwarded:
		return errPasskeyForwarded
	case exe == "":
		return errPasskeyWho
	case filepath.Base(exe) != "ssh":
		return nil // ssh-keygen, ssh-add, or another program that may well know
	case !same:
		return errPasskeyElsewhere
	}
	v, err := a.d.versions.Of(a.life, exe)
	if err != nil {
		return err
	}
	if !v.AtLeast(passkeyMajor, passkeyMinor) {
		return fmt.Errorf("%s is OpenSSH %s, and passes them on from %d.%d", exe, v, passkeyMajor, passkeyMinor)
	}
	return nil
}

// mayUse refuses a login with a passkey that could not end well: the phone is
// not asked.
func (a *agentConn) mayUse(key sshwire.PublicKey, r sshagent.Request) error {
	if key.Type() != sshwire.KeyPasskey {
		return nil
	}
	if kind, err := sshwire.Classify(r.Data); err == nil && kind == sshwire.KindSSHSIG {
		return nil
	}
	if err := a.passes(forwarded(r.Binds)); err != nil {
		a.d.cfg.Log.Info("a login with a passkey is refused", "key", key.Fingerprint(), "why", err)
		return fmt.Errorf("this client cannot log in with a passkey: %w", err)
	}
	return nil
}
