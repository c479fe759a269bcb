package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/peer"
	"kryptonite/internal/term"
)

const testToken = "t0ken-of-nobody"

// keysOfPhones is krd with these phones, each "NAME: KEY TYPE [HOSTS], …".
func keysOfPhones(phones ...string) control.Status {
	st := control.Status{SchemaVersion: 1, Version: "test", Started: time.Now()}
	for _, p := range phones {
		name, keys, _ := strings.Cut(p, ": ")
		phone := control.Phone{ID: "id-" + name, Name: name, Paired: time.Now()}
		for k := range strings.SplitSeq(keys, ", ") {
			f := append(strings.Fields(k), "")
			key := control.Key{Name: f[0], Type: f[1], Fingerprint: "SHA256:" + name + f[0], AuthorizedKey: f[1] + " AAAA" + name + f[0] + " " + name}
			if f[2] != "" {
				key.Hosts = strings.Split(f[2], ",")
			}
			phone.Keys = append(phone.Keys, key)
		}
		st.Phones = append(st.Phones, phone)
	}
	return st
}

// askedKrd is a krd that keeps what was posted.
func askedKrd(t *testing.T, st control.Status) (home string, posted func() string) {
	t.Helper()
	home, err := os.MkdirTemp("", "kr")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(home, control.Socket))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 9)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			b, _ := io.ReadAll(r.Body)
			got <- r.URL.Path + " " + string(b)
		}
		json.NewEncoder(w).Encode(st)
	})}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close(); os.RemoveAll(home) })
	return home, func() string {
		select {
		case s := <-got:
			return s
		default:
			return ""
		}
	}
}

func TestKeyList(t *testing.T) {
	home := fakeKrd(t, map[string]any{"/v1/status": keysOfPhones("ana: default ssh-ed25519, work ecdsa-sha2-nistp256 github.com,*.corp", "bo: default ssh-ed25519")})
	code, out, _ := kr(t, home, "key", "list")
	want := "ana\tssh-ed25519\tSHA256:anadefault\t-\nana work\tecdsa-sha2-nistp256\tSHA256:anawork\tgithub.com,*.corp\nbo\tssh-ed25519\tSHA256:bodefault\t-\n"
	if code != 0 || out != want {
		t.Errorf("exit %d\n%s\nwant\n%s", code, out, want)
	}
	code, out, _ = kr(t, home, "key", "list", "--json")
	var got struct {
		SchemaVersion int `json:"schema_version"`
		Keys          []struct {
			Name, Phone, Fingerprint, Type string
			Hosts                          []string
			AuthorizedKey                  string `json:"authorized_key"`
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.SchemaVersion != 1 || len(got.Keys) != 3 ||
		got.Keys[1].Phone != "ana" || got.Keys[1].Name != "work" || !slices.Equal(got.Keys[1].Hosts, []string{"github.com", "*.corp"}) || got.Keys[2].AuthorizedKey == "" {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	if code, _, errs := kr(t, fakeKrd(t, map[string]any{"/v1/status": keysOfPhones()}), "key", "list"); code != codeNotPaired {
		t.Errorf("no phone: exit %d, %s", code, errs)
	}
}

// TestKeyLimit: which key is meant, and what krd is told.
func TestKeyLimit(t *testing.T) {
	two := []string{"ana: default ssh-ed25519, work ssh-ed25519", "bo: default ssh-ed25519, home ssh-ed25519"}
	for _, c := range []struct {
		args         []string
		code         int
		posted, says string
	}{
		{[]string{"work", "GitHub.com, *.corp"}, 0, `/v1/limit {"key":"SHA256:anawork","hosts":["github.com","*.corp"]}`, "ana work is offered to github.com,*.corp only"},
		{[]string{"BO home", "x"}, 0, `/v1/limit {"key":"SHA256:bohome","hosts":["x"]}`, "bo home is"},
		{[]string{"ana", "--none"}, 0, `/v1/limit {"key":"SHA256:anadefault"}`, "ana is offered to all hosts"},
		{[]string{"SHA256:bodefault", "x"}, 0, `/v1/limit {"key":"SHA256:bodefault","hosts":["x"]}`, ""},
		{[]string{"default", "x"}, 2, "", "2 keys may be meant"},
		{[]string{"", "x"}, 2, "", "4 keys may be meant"},
		{[]string{"nobody\x1b[31m", "x"}, 2, "", "kr key list"},
		{[]string{"work", "a b"}, 2, "", "no pattern"},
		{[]string{"work", "!a"}, 2, "", "which hosts are meant"},
		{[]string{"work"}, 2, "", "kr key limit --help"},
		{[]string{"work", "x", "--none"}, 2, "", "kr key limit --help"},
	} {
		home, posted := askedKrd(t, keysOfPhones(two...))
		code, _, errs := kr(t, home, append([]string{"key", "limit"}, c.args...)...)
		if got := posted(); code != c.code || strings.TrimSpace(got) != c.posted || !strings.Contains(errs, c.says) || strings.Contains(errs, "\x1b") {
			t.Errorf("kr key limit %q: exit %d, posted %q\n%s", c.args, code, got, errs)
		}
	}
}

// forge is GitHub's API as far as one key goes; it keeps what it was told.
type forge struct {
	status int
	told   []string
}

func (f *forge) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte(nil)
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	f.told = append(f.told, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+string(body))
	status, answer := http.StatusOK, "[]"
	if r.Method == http.MethodPost {
		status, answer = f.status, `{"message": "no\u001b[31m"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// TestKeyAddTo: the ways in their order, and what a person is told; the token is
// in the header and nowhere else.
func TestKeyAddTo(t *testing.T) {
	const list = "GET https://api.github.com/user/keys?per_page=100 Bearer " + testToken + " "
	const add = "POST https://api.github.com/user/keys Bearer " + testToken + ` {"key":"ssh-ed25519 AAAAanadefault ana","title":"Kryptonite: ana"}`
	one := []string{"ana: default ssh-ed25519, p256 ecdsa-sha2-nistp256"}
	for _, c := range []struct {
		name    string
		phones  []string
		o       addToOptions
		env, in string
		tool    string // what gh does
		status  int
		code    int
		told    []string
		says    string
	}{
		{"by gh", one, addToOptions{service: "github"}, "GH_TOKEN=" + testToken, "", "exit 0", 0, 0, nil, `GitHub has the key now, as "Kryptonite: ana"`},
		{"by gh, there", one, addToOptions{service: "github"}, "", "", "echo AAAAanadefault", 0, 0, nil, "GitHub has this key already"},
		{"gh is not signed in", one, addToOptions{service: "GitHub"}, "GH_TOKEN=" + testToken, "", "echo 'please log in' >&2; exit 4", 201, 0, []string{list, add}, "gh cannot list keys: please log in\nTo sign in: gh auth login"},
		{"no gh", one, addToOptions{service: "github"}, "GITHUB_TOKEN=" + testToken, "", "", 201, 0, []string{list, add}, "GitHub has the key now"},
		{"a token by a pipe", one, addToOptions{service: "github", askToken: true, title: "x"}, "", testToken + "\n", "echo no >&2; exit 1", 201, 0,
			[]string{list, strings.Replace(add, "Kryptonite: ana", "x", 1)}, `as "x"`},
		{"a bad token", one, addToOptions{service: "github"}, "GH_TOKEN=" + testToken, "", "", 403, 1, []string{list, add}, "allowed: admin:public_key"},
		{"in use", one, addToOptions{service: "github"}, "GH_TOKEN=" + testToken, "", "", 422, 1, []string{list, add}, "paste the key of kr me at https://github.com/settings/ssh/new"},
		{"an empty token", one, addToOptions{service: "github", askToken: true}, "", "\n", "", 0, 2, nil, "the token is empty"},
		{"no token in the pipe", one, addToOptions{service: "github", askToken: true}, "", "", "", 0, 1, nil, "read the token"},
		{"no one token", one, addToOptions{service: "aws", where: "us-east-1", askToken: true}, "", "", "", 0, 2, nil, "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"},
		{"nothing", one, addToOptions{service: "github"}, "", "", "", 0, 1, nil, "sign in: gh auth login"},
		{"nothing, without a tool", one, addToOptions{service: "bitbucket"}, "", "", "", 0, 1, nil, "set BITBUCKET_TOKEN or BITBUCKET_OAUTH_TOKEN"},
		{"a type", one, addToOptions{service: "aws", key: "p256"}, "", "", "", 0, 1, nil, "Amazon EC2 takes Ed25519 and RSA keys only, and ana p256 is ecdsa-sha2-nistp256"},
		{"no region", one, addToOptions{service: "aws"}, "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b", "", "", 0, 1, nil, "needs a region"},
		{"no host", one, addToOptions{service: "github-enterprise"}, "", "", "", 0, 2, nil, "like this: kr key add-to github-enterprise HOST"},
		{"no service", one, addToOptions{service: "sourceforge"}, "", "", "", 0, 2, nil, "kr key add-to --help"},
		{"which key", []string{"ana: default ssh-ed25519", "bo: default ssh-ed25519"}, addToOptions{service: "github"}, "", "", "", 0, 2, nil, "2 keys may be meant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.tool != "" {
				if err := os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/sh\n"+c.tool+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", dir)
			var out, errs bytes.Buffer
			home := fakeKrd(t, map[string]any{"/v1/status": keysOfPhones(c.phones...)})
			e := &env{home: home, krd: control.NewClient(filepath.Join(home, control.Socket), peer.SameUser),
				io: &term.IO{Program: "kr", In: strings.NewReader(c.in), Out: &out, Err: &errs, Getenv: func(name string) string {
					for _, v := range strings.Fields(c.env) {
						if n, value, _ := strings.Cut(v, "="); n == name {
							return value
						}
					}
					return ""
				}}}
			f := &forge{status: c.status}
			code := e.io.Fail(explain(runAddTo(t.Context(), e, c.o, f)))
			if said := out.String() + errs.String(); code != c.code || !strings.Contains(said, c.says) || !slices.Equal(f.told, c.told) ||
				strings.Contains(said, testToken) || strings.Contains(said, "\x1b") {
				t.Errorf("exit %d\n%s\ntold %q", code, said, f.told)
			}
		})
	}
}

// TestFormerWords do what the new ones do, and are not listed.
func TestFormerWords(t *testing.T) {
	home := fakeKrd(t, map[string]any{"/v1/status": keysOfPhones("ana: p256 ecdsa-sha2-nistp256")})
	for args, says := range map[string]string{"aws": "Amazon EC2 takes", "heroku": "Heroku takes", "ghe": "HOST", "gitlab a b": "kr gitlab --help",
		"digital-ocean x": "one place only", "copy": "no clipboard", "gitlab --key nobody": "kr key list"} {
		if code, _, errs := kr(t, home, strings.Fields(args)...); code == 0 || !strings.Contains(errs, says) {
			t.Errorf("kr %s: exit %d, %s", args, code, errs)
		}
	}
	if _, out, errs := kr(t, home, "--help"); strings.Contains(out+errs, "heroku") || !strings.Contains(out+errs, "  key ") {
		t.Errorf("kr --help:\n%s%s", out, errs)
	}
	if _, out, _ := kr(t, home, "__complete", "key", "add-to", "git"); !strings.Contains(out, "github-enterprise\n") || !strings.Contains(out, "gitlab\n") {
		t.Errorf("completed is %q", out)
	}
}

// TestKeyCopy over a pipe has no clipboard, and says so.
func TestKeyCopy(t *testing.T) {
	home := fakeKrd(t, map[string]any{"/v1/status": keysOfPhones("ana: default ssh-ed25519")})
	if code, out, errs := kr(t, home, "key", "copy"); code != 1 || out != "" || !strings.Contains(errs, "no clipboard can be reached") || !strings.Contains(errs, "kr me") {
		t.Errorf("exit %d, %q, %s", code, out, errs)
	}
}

// TestNoKey: a phone that shows no key is paired all the same.
func TestNoKey(t *testing.T) {
	none := control.Phone{ID: "1", Name: "ana"}
	for _, c := range []struct {
		phones []control.Phone
		code   int
		say    string
	}{
		{nil, codeNotPaired, "run: kr pair"},
		{[]control.Phone{none}, 1, "ana shows this computer no key"},
		{[]control.Phone{none, none}, 1, "none of the paired phones shows this computer a key"},
	} {
		home := fakeKrd(t, map[string]any{"/v1/status": control.Status{Phones: c.phones}})
		for _, args := range []string{"me", "key list", "key copy", "key add-to github", "key add-host server", "key limit x a"} {
			if code, _, stderr := kr(t, home, strings.Fields(args)...); code != c.code || !strings.Contains(stderr, c.say) || strings.Contains(stderr, "kr pair") != (c.phones == nil) {
				t.Errorf("kr %s with %d phones: exit %d\n%s", args, len(c.phones), code, stderr)
			}
		}
	}
}
