package cli

import (
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
)

// TestPasskeyIsNamed: what a passkey needs stands beside it, and the lines for
// authorized_keys stay alone on stdout.
func TestPasskeyIsNamed(t *testing.T) {
	status := func(typ, name string) control.Status {
		line := typ + " AAAA ana"
		return control.Status{SchemaVersion: 1, Version: "test", Started: time.Now(), Phones: []control.Phone{{ID: "71e894e856d33f35", Name: "ana",
			Keys: []control.Key{{Name: name, AuthorizedKey: line, Fingerprint: "SHA256:x", Type: typ}}}}}
	}
	for _, c := range []struct{ typ, name, row string }{
		{"sk-ecdsa-sha2-nistp256@openssh.com", "work", "work, a passkey: logins need ssh 10.3"},
		{"sk-ecdsa-sha2-nistp256@openssh.com", "", "a passkey: logins need ssh 10.3"},
		{"ssh-ed25519", "work", "work"},
	} {
		home := fakeKrd(t, map[string]any{"/v1/status": status(c.typ, c.name)})
		code, stdout, stderr := kr(t, home, "me")
		passkey := strings.HasPrefix(c.typ, "sk-")
		if code != 0 || stdout != c.typ+" AAAA ana\n" || strings.Contains(stderr, "SHA256:x is a passkey. Logins with it need ssh 10.3") != passkey {
			t.Errorf("%s: exit %d, %q, %q", c.typ, code, stdout, stderr)
		}
		if code, stdout, _ := kr(t, home, "status"); code != 0 || !strings.HasSuffix(strings.Join(strings.Fields(stdout), " "), "SHA256:x "+c.row) {
			t.Errorf("%s: exit %d, %q", c.typ, code, stdout)
		}
		if _, stdout, _ := kr(t, home, "me", "--json"); !strings.Contains(stdout, `"type": "`+c.typ+`"`) && !strings.Contains(stdout, `"type":"`+c.typ+`"`) {
			t.Errorf("%s: %s", c.typ, stdout)
		}
	}
}
