package gitrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"
)

// git runs git in a directory, with no configuration but the repository's.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v (Debian: git): %v\n%s", args, err, out)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRealRepositories: what git itself makes is read as git means it.
func TestRealRepositories(t *testing.T) {
	top := t.TempDir()
	shop, me := filepath.Join(top, "shop"), os.Geteuid()
	is := func(what, dir string, want Repo) {
		t.Helper()
		if got := At(dir, me); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	is("no repository", top, Repo{})
	git(t, top, "init", "-q", "-b", "main", "shop")
	is("a new one", shop, Repo{Branch: "main"})
	git(t, shop, "remote", "add", "fork", "ssh://ana@forge.example:2222/ana/shop.git")
	is("the only remote", shop, Repo{"main", "forge.example:2222/ana/shop"})
	git(t, shop, "remote", "add", "origin", "https://ana:hunter2@forge.example/team/shop")
	git(t, shop, "commit", "-q", "--allow-empty", "-m", "x")
	is("origin", shop, Repo{"main", "forge.example/team/shop"})
	git(t, shop, "checkout", "-q", "-b", `fix/"odd";#é`)
	git(t, shop, "config", `branch.fix/"odd";#é.remote`, "fork")
	sub := filepath.Join(shop, "a", "b")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	is("the branch's remote, from below", sub, Repo{`fix/"odd";#é`, "forge.example:2222/ana/shop"})
	git(t, shop, "worktree", "add", "-q", "-b", "other", "../linked")
	is("a linked worktree", filepath.Join(top, "linked"), Repo{"other", "forge.example/team/shop"})
	git(t, shop, "checkout", "-q", "--detach")
	is("no branch", shop, Repo{"", "forge.example/team/shop"})
	write(t, filepath.Join(shop, ".git", "rebase-merge", "head-name"), "refs/heads/main\n")
	is("a rebase", shop, Repo{"main", "forge.example/team/shop"})
	git(t, top, "clone", "-q", "--bare", "shop", "bare.git")
	git(t, filepath.Join(top, "bare.git"), "remote", "set-url", "origin", "git@forge.example:team/shop.git")
	git(t, filepath.Join(top, "bare.git"), "symbolic-ref", "HEAD", "refs/heads/main")
	is("a bare one", filepath.Join(top, "bare.git", "refs"), Repo{"main", "forge.example/team/shop"})
	if got := At(shop, me+1); got != (Repo{}) {
		t.Errorf("another user's: %+v", got)
	}
	if got := At("shop", me); got != (Repo{}) {
		t.Errorf("a path that is not absolute: %+v", got)
	}
}

// TestHostileRepositories: nothing waits, nothing outside is read, and nothing
// that is no text comes out.
func TestHostileRepositories(t *testing.T) {
	secret := "[remote \"origin\"]\nurl = forge.example:secret\n"
	for name, c := range map[string]struct {
		make func(dir string)
		want Repo
	}{
		"control characters": {func(d string) {
			write(t, d+"/.git/HEAD", "ref: refs/heads/a\x1b[2Jb")
			write(t, d+"/.git/config", "[remote \"origin\"]\nurl = https://forge.example/a\x1b[2J\n")
		}, Repo{}},
		"a direction override": {func(d string) {
			write(t, d+"/.git/HEAD", "ref: refs/heads/\u202emain")
			write(t, d+"/.git/config", "[remote \"origin\"]\nurl = forge.example:\u202ex\n")
		}, Repo{}},
		"a branch of two lines": {func(d string) { write(t, d+"/.git/HEAD", "ref: refs/heads/a\nb") }, Repo{}},
		"a huge config": {func(d string) {
			write(t, d+"/.git/HEAD", "ref: refs/heads/main\n")
			write(t, d+"/.git/config", secret+strings.Repeat("#", maxConfig))
		}, Repo{Branch: "main"}},
		"a huge HEAD": {func(d string) { write(t, d+"/.git/HEAD", "ref: refs/heads/main"+strings.Repeat("\n", maxPointer)) }, Repo{}},
		"pipes": {func(d string) {
			write(t, d+"/.git/x", "")
			for _, f := range []string{"HEAD", "config", "commondir"} {
				if err := syscall.Mkfifo(d+"/.git/"+f, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, Repo{}},
		"a pipe as .git":   {func(d string) { syscall.Mkfifo(d+"/.git", 0o600) }, Repo{}},
		"a device as HEAD": {func(d string) { write(t, d+"/.git/x", ""); os.Symlink("/dev/zero", d+"/.git/HEAD") }, Repo{}},
		"a directory as HEAD": {func(d string) {
			write(t, d+"/.git/HEAD/x", "")
			write(t, d+"/.git/config", secret)
		}, Repo{Remote: "forge.example/secret"}},
		".git leads to a file":     {func(d string) { write(t, d+"/.git", "gitdir: /etc/passwd\n") }, Repo{}},
		".git leads to another's":  {func(d string) { write(t, d+"/.git", "gitdir: /proc/1\n") }, Repo{}},
		".git leads to itself":     {func(d string) { write(t, d+"/.git", "gitdir: .git\n") }, Repo{}},
		".git leads nowhere":       {func(d string) { write(t, d+"/.git", "gitdir: \x00\n") }, Repo{}},
		".git says something else": {func(d string) { write(t, d+"/.git", "not a git dir") }, Repo{}},
		".git is a link to itself": {func(d string) { os.Symlink(".git", d+"/.git") }, Repo{}},
		"a password that looks odd": {func(d string) {
			write(t, d+"/.git/config", "[remote \"origin\"]\nurl = ana:hunter2@forge.example:shop\n")
		}, Repo{}},
		"a password without a host": {func(d string) { write(t, d+"/.git/config", "[remote \"origin\"]\nurl = https://ana:hunter2@/shop\n") }, Repo{}},
		"a password in two lines": {func(d string) {
			write(t, d+"/.git/config", "[remote \"origin\"]\nurl = https://ana:hun\\\nter2@forge.example/shop\n")
		}, Repo{Remote: "forge.example/shop"}},
		"a password with a slash": {func(d string) {
			write(t, d+"/.git/config", "[remote \"origin\"]\nurl = https://ana:hun/ter2@forge.example/shop\n")
		}, Repo{}},
		"commondir leads elsewhere": {func(d string) { write(t, d+"/.git/commondir", "/proc/1\n"); write(t, d+"/.git/config", secret) }, Repo{}},
		"a token in a query": {func(d string) {
			write(t, d+"/.git/config", "[remote \"origin\"]\nurl = https://forge.example/shop?token=hunter2#x\n")
		}, Repo{Remote: "forge.example/shop"}},
		"a helper that runs a shell": {func(d string) { write(t, d+"/.git/config", "[remote \"origin\"]\nurl = ext::sh -c hunter2://x\n") }, Repo{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.make(dir)
			if got := At(dir, os.Geteuid()); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPlace(t *testing.T) {
	for in, want := range map[string]string{
		"git@github.com:ana/shop.git":                 "github.com/ana/shop",
		"github.com:ana/shop":                         "github.com/ana/shop",
		"ssh://git@ssh.github.com:443/ana/shop.git/":  "ssh.github.com:443/ana/shop",
		"https://x-access-token:ghp_x@github.com/a/b": "github.com/a/b",
		"https://github.com/a/b%20c":                  "github.com/a/b%20c",
		"git://[2001:db8::1]/x":                       "[2001:db8::1]/x",
		"/srv/git/shop.git":                           "",
		"../shop":                                     "",
		"./a:b":                                       "",
		"file:///srv/shop":                            "",
		"codecommit::eu-central-1://profile@shop":     "",
		"ext::ssh host":                               "",
		"":                                            "",
		":":                                           "",
		"host:":                                       "",
		"https://":                                    "",
		"https://host":                                "",
		"host:" + strings.Repeat("a", maxText):        "",
		"a:b@c:d":                                     "",
		"https://github.com/a\nb":                     "",
		"ana@corp.example@forge.example:shop":         "forge.example/shop",
		"ssh://%61na:p%40ss@forge.example/x":          "forge.example/x",
		"https://forge.example/ana:hunter2@elsewhere/": "",
	} {
		if got := Place(in); got != want {
			t.Errorf("Place(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzRepo: whatever stands in the files, what comes out is short text without an
// @, and git's own user info is not in it.
func FuzzRepo(f *testing.F) {
	f.Add("ref: refs/heads/main\n", "[remote \"origin\"]\n\turl = git@github.com:ana/shop.git\n[branch \"main\"]\n\tremote = origin\n")
	f.Add("ref: refs/heads/a b", "[remote \"o\\\"\"] url = \"https://u:p@h/x#y\" ; c\n")
	f.Add("0123456789abcdef", "[remote \"origin\"\nurl=x\\\ny")
	f.Fuzz(func(t *testing.T, head, file string) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, ".git", "HEAD"), head)
		write(t, filepath.Join(dir, ".git", "config"), file)
		r := At(dir, os.Geteuid())
		for _, s := range []string{r.Branch, r.Remote} {
			if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q comes out", s)
			}
		}
		if strings.ContainsAny(r.Remote, "@ ") || r.Branch != "" && !strings.Contains(head, r.Branch) {
			t.Errorf("%+v", r)
		}
	})
}
