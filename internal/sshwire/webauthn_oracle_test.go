//go:build !js

package sshwire

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOracleWebAuthn: stock ssh-keygen takes and refuses the same signatures,
// but for user presence, which only sshd demands.
func TestOracleWebAuthn(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Fatal("ssh-keygen is missing (Debian: openssh-client): ", err)
	}
	dir := t.TempDir()
	taken := 0
	for _, v := range loadWebAuthn(t) {
		var w Writer // [PROTOCOL.sshsig] §2
		w.Raw([]byte(sshsigMagic))
		w.Uint32(1)
		w.String(v.Key)
		w.Text("file")
		w.Text("")
		w.Text("sha512")
		w.String(v.Signature)
		armor := "-----BEGIN SSH SIGNATURE-----\n" + base64.StdEncoding.EncodeToString(w.Bytes()) + "\n-----END SSH SIGNATURE-----\n"
		sigFile, allowed := filepath.Join(dir, "sig"), filepath.Join(dir, "allowed")
		if err := os.WriteFile(sigFile, []byte(armor), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(allowed, []byte("ana "+AuthorizedKey(v.Key, "")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "ana", "-n", "file", "-s", sigFile)
		cmd.Stdin = strings.NewReader(signedMessage)
		out, err := cmd.CombinedOutput()
		want := v.Expect == "ok"
		switch v.Name {
		case "flags 00", "flags 04": // we are stricter
			want = true
		}
		if (err == nil) != want {
			t.Errorf("%s: ssh-keygen says %v, want %v: %s", v.Name, err, want, out)
		}
		if err == nil {
			taken++
		}
	}
	if taken < 10 {
		t.Errorf("ssh-keygen took %d signatures", taken)
	}
}
