package asker

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWord(t *testing.T) {
	for _, c := range []struct {
		exe  string
		argv []string
		want string
	}{
		{"/usr/bin/ssh", []string{"ssh", "-l", "root", "host"}, "ssh"},
		{"/usr/bin/git", []string{"git", "push", "origin"}, "git push"},
		{"/usr/lib/git-core/git", []string{"git", "-C", "clone", "-c", "push", "--git-dir=x", "fetch"}, "git fetch"},
		{"/usr/bin/git", []string{"git", "--new-option", "s3cret", "push"}, "git"},
		{"/usr/bin/git", []string{"git", "s3cret"}, "git"},
		{"/usr/bin/git", []string{"git", "-c"}, "git"},
		{"/usr/bin/git", nil, "git"},
		{"/usr/bin/bash", []string{"-bash"}, "bash"},
		{"/usr/bin/bash", []string{"bash", "-c", "s3cret"}, "bash"},
		{"/usr/bin/bash", []string{"bash", "bin/deploy.sh", "s3cret"}, "deploy.sh"},
		{"/usr/bin/python3.11", []string{"python3", "/usr/bin/ansible-playbook", "-e", "s3cret"}, "ansible-playbook"},
		{"/usr/bin/python3.11", []string{"python3", "-c", "s3cret"}, "python3.11"},
		{"/usr/bin/perl", []string{"perl", ""}, "perl"},
		{"/home/x/a\x1b[2Jb\nc\u202e", nil, "a?[2Jb?c?"},
		{"/x/" + strings.Repeat("a", 100), nil, strings.Repeat("a", maxWord)},
	} {
		want := strings.ReplaceAll(c.want, "[", "?")
		if got := word(c.exe, c.argv); got != want {
			t.Errorf("word(%q, %q) = %q, want %q", c.exe, c.argv, got, want)
		}
	}
}

// FuzzWord: whatever a process calls itself, its word is short and plain, and
// has nothing of what may be a value.
func FuzzWord(f *testing.F) {
	f.Add("/usr/bin/git", "git\x00-c\x00x=s3cret\x00push")
	f.Add("/usr/bin/ssh", "ssh\x00-oUser=s3cret\x00host")
	f.Add("/usr/bin/bash", "bash\x00-c\x00s3cret")
	f.Fuzz(func(t *testing.T, exe, cmdline string) {
		argv := strings.Split(cmdline, "\x00")
		got := word(exe, argv)
		if len(got) > maxWord || strings.Trim(got, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._+-@?") != "" {
			t.Fatalf("word(%q, %q) = %q", exe, argv, got)
		}
		// The same without what comes after the second argument.
		if name, sub, ok := strings.Cut(got, " "); ok && name == "git" && strings.HasSuffix(exe, "/git") && !gitCommands[sub] {
			t.Errorf("word(%q, %q) = %q", exe, argv, got)
		}
		if len(argv) > 2 && !strings.HasSuffix(exe, "git") && !strings.HasSuffix(argv[1], "git") && got != word(exe, argv[:2]) {
			t.Errorf("word(%q, %q) = %q depends on what comes later", exe, argv, got)
		}
	})
}

func TestGitPath(t *testing.T) {
	for in, want := range map[string]string{
		"git-upload-pack 'ana/shop.git'":                     "ana/shop",
		"git-receive-pack '/~ana/shop'":                      "~ana/shop",
		"git-upload-archive '/srv/x/'":                       "srv/x",
		"git-upload-pack ''":                                 "",
		"git-upload-pack '":                                  "",
		"git-upload-pack 'a b'":                              "",
		"git-upload-pack 'ana:hunter2@x'":                    "",
		"git-upload-pack 'a'; cat 's3cret'":                  "",
		"git-upload-pack 'a\x1b'":                            "",
		"git-upload-pack '" + strings.Repeat("a", 129) + "'": "",
		"mysql 's3cret'":                                     "",
		"host":                                               "",
	} {
		if got := gitPath("/usr/bin/ssh", []string{"ssh", "git@forge.example", in}); got != want {
			t.Errorf("gitPath(%q) = %q, want %q", in, got, want)
		}
	}
	if got := gitPath("/usr/bin/curl", []string{"curl", "git-upload-pack 'a'"}) + gitPath("/usr/bin/ssh", nil); got != "" {
		t.Errorf("gitPath of others = %q", got)
	}
}

func FuzzShownDirectory(f *testing.F) {
	f.Add("/home/ana/\x1b]0;x\a")
	f.Add(strings.Repeat("/é", 200))
	f.Fuzz(func(t *testing.T, dir string) {
		got := shownDirectory(dir)
		if len(got) > maxDir || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x1b\n\r\u202e\u200b") {
			t.Errorf("shownDirectory(%q) = %q, %d bytes", dir, got, len(got))
		}
		if len(dir) > maxDir && utf8.ValidString(dir) && !strings.HasPrefix(got, "…") && len(got) > maxDir-3 {
			t.Errorf("nothing says that %q was cut", got)
		}
	})
}
