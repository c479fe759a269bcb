package upload

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestSigningKeysDoNotLogIn: a key that a forge has for signatures only is not there.
func TestSigningKeysDoNotLogIn(t *testing.T) {
	const other = "old\tssh-rsa AAAA\t2026-01-02T03:04:05Z\t1\tauthentication\n"
	for _, c := range []struct {
		service, program, list string
		want                   Outcome
	}{
		{"github", "gh", other + "phone\t" + line + "\t2026-01-02T03:04:05Z\t2\tsigning\n", Added},
		{"github", "gh", "phone\t" + line + "\t2026-01-02T03:04:05Z\t2\tsigning\nphone\t" + line + "\t2026-01-02T03:04:05Z\t3\tauthentication\n", There},
		{"github", "gh", "signing\t" + line + "\t2026-01-02T03:04:05Z\t3\tauthentication\n", There},
		{"github", "gh", "phone\t" + line + "\t2021-01-02T03:04:05Z\n", There}, // gh 2.0 lists no others
		{"gitlab", "glab", "phone\t" + line + "\tsigning\t2026-01-02\n", Added},
		{"gitlab", "glab", "phone\t" + line + "\tauth_and_signing\t2026-01-02\n", There},
	} {
		s, _ := Find(c.service)
		programs(t, map[string]string{c.program: "[ $2 != list ] || cat <<'EOF'\n" + c.list + "EOF"})
		if out, err := s.ByTool(t.Context(), key(), "git.example"); out != c.want || err != nil {
			t.Errorf("%s lists %q: %q, %v, want %q", c.program, c.list, out, err, c.want)
		}
	}
	d := newDouble(t)
	s, _ := Find("gitlab")
	by := func(have ...string) (Outcome, error) {
		d.have = have
		return s.ByAPI(t.Context(), d, token, key(), "gitlab.com", now())
	}
	of := func(usage string) string {
		return `{"key": "` + line + `", "title": "signing", "usage_type": "` + usage + `"}`
	}
	for usage, want := range map[string]Outcome{"signing": Added, "auth": There, "auth_and_signing": There} {
		if out, err := by(`{"key": "ssh-rsa AAAA"}`, of(usage)); out != want || err != nil {
			t.Errorf("GitLab has it for %s: %q, %v, want %q", usage, out, err, want)
		}
	}
	d.refuse["POST /api/v4/user/keys"] = func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"message":{"fingerprint_sha256":["has already been taken"]}}`)
	}
	if _, err := by(of("signing")); !errors.As(err, new(*APIError)) || !strings.Contains(err.Error(), "for signatures only") {
		t.Errorf("GitLab does not take it twice: %v", err)
	}
	if _, err := by(); !errors.As(err, new(*APIError)) || strings.Contains(err.Error(), "for signatures only") {
		t.Errorf("GitLab does not take it: %v", err)
	}
}
