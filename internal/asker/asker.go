// Package asker says which process is at the other end of an agent connection,
// for people: what it is, where it works, and the terminal that its person sits
// at.
//
//	a := asker.At(pid)         // at accept; the start time guards against reuse
//	a.Describe()               // "bash > git push > ssh", in /home/ana/src
//	a.Executable()             // "/usr/bin/ssh", and whether that is it here, too
//	a.SSH()                    // an ssh as it was started, to be asked with -G
//	a.Terminal()               // its terminal, when it is in the foreground there
//
// All of it is a hint. A process of the same user can look like any other, so
// nothing here is proof of anything, and who shows it says so. From arguments
// only the name of a script, git's subcommand and the path that git wants of a
// server are taken, never what else comes, for people put secrets there; of the environment three variables of
// our own interest are read, and none is passed on.
//
// Processes in other namespaces (containers, sandboxes) are described, but what
// they say is not acted upon: their paths mean something else, and running
// their ssh again would let them out.
//
// References: proc(5) and namespaces(7) for Linux, sysctl(3) for macOS.
package asker

import (
	"errors"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrNoTerminal is what Terminal returns for an asker that has none of this
	// user, or is not in its foreground.
	ErrNoTerminal = errors.New("asker: no terminal to write to")
	// ErrQuiet is what it returns for an asker that wants to hear nothing of us, or
	// has ended.
	ErrQuiet = errors.New("asker: it is to be left alone")
)

const quietVariable = "KR_QUIET" // of the asker's environment, or of ours

const (
	maxParents = 4   // above the asker
	maxWord    = 40  // bytes of one program
	maxDir     = 256 // bytes
	maxPath    = 128 // bytes of a repository's path
	maxArgs    = 512 // arguments that are looked at
)

// Asker is a process, as a pid and its start. The zero value is unknown.
type Asker struct {
	pid   int
	start uint64 // in the kernel's own unit; 0: unknown
}

// status is what the kernel says of a process at one moment.
type status struct {
	state   byte // 'Z' and 'X' have ended
	parent  int
	group   int
	session int
	tty     uint64 // device number of the controlling terminal, 0: none
	front   int    // the group in that terminal's foreground
	start   uint64
}

// At returns the process that has this pid now.
func At(pid int) Asker {
	if pid <= 0 {
		return Asker{}
	}
	s, err := readStatus(pid)
	if err != nil {
		return Asker{}
	}
	return Asker{pid, s.start}
}

// status returns how the asker does; ok is false when it has ended.
func (a Asker) status() (s status, ok bool) {
	if a.pid == 0 {
		return s, false
	}
	s, err := readStatus(a.pid)
	return s, err == nil && s.start == a.start && s.state != 'Z' && s.state != 'X'
}

// Description is a process in words that may be shown and sent.
type Description struct {
	Program   string // with its parents, outermost first: "bash > git push > ssh"
	Directory string // where the asker works
	Git       bool   // git asks, or an ssh of its own, about the repository that it works in
	Path      string // what git wants of the server: "ana/shop"; "" if it is not known
}

// Describe says what asks; fields are empty where the system does not tell.
func (a Asker) Describe() Description {
	s, ok := a.status()
	if !ok {
		return Description{}
	}
	var words []string
	var d Description
	git := false
	for pid, n := a.pid, 0; n <= maxParents; n++ {
		exe := executable(pid)
		if exe == "" {
			break
		}
		argv, complete := arguments(pid)
		if filepath.Base(exe) == "git" && !git { // that one of several which is next to the asker
			git, d.Git = true, gitCommand(argv) != "clone"
		}
		if pid == a.pid && complete {
			d.Path = gitPath(exe, argv)
		}
		words = append([]string{word(exe, argv)}, words...)
		if s.session == pid || s.parent <= 1 { // the shell of a terminal: above it is the terminal
			break
		}
		pid = s.parent
		parent, err := readStatus(pid)
		if err != nil || parent.start > s.start {
			break
		}
		s = parent
	}
	d.Program, d.Directory = strings.Join(words, " > "), shownDirectory(directory(a.pid))
	if _, ok := a.status(); !ok { // by now the pid may be another's
		return Description{}
	}
	return d
}

// Directory returns where the asker works, as an absolute path; ok is false where
// the system does not tell, or where that path means something else here.
func (a Asker) Directory() (dir string, ok bool) {
	if _, ok := a.status(); !ok || !sameSystem(a.pid) {
		return "", false
	}
	dir = directory(a.pid)
	_, ok = a.status() // by now the pid may be another's
	return dir, ok && filepath.IsAbs(dir)
}

// Executable returns the path of the asker's program, or "" where the system
// does not tell. same reports whether that path leads to that very program here:
// it does not for one in a container, and for one that an update replaced.
func (a Asker) Executable() (path string, same bool) {
	if _, ok := a.status(); !ok {
		return "", false
	}
	path = executable(a.pid)
	same = path != "" && sameFile(a.pid, path)
	if _, ok := a.status(); !ok { // by now the pid may be another's
		return "", false
	}
	return path, same
}

// IsSSH reports whether the asker is an ssh.
func (a Asker) IsSSH() bool {
	_, ok := a.status()
	return ok && filepath.Base(executable(a.pid)) == "ssh"
}

// Command is a program as it was started.
type Command struct {
	Exe  string
	Args []string // without the program's name
	Dir  string
}

// SSH returns the asker's command line when the asker is an ssh that lives in
// the same system as this process, with the same rights, and does not have the
// environment variable named guard.
func (a Asker) SSH(guard string) (Command, bool) {
	if !a.IsSSH() || !sameSystem(a.pid) || !sameRights(a.pid) {
		return Command{}, false
	}
	exe, dir := executable(a.pid), directory(a.pid)
	argv, complete := arguments(a.pid)
	env, ok := environment(a.pid, guard)
	if _, guarded := env[guard]; guarded || !ok || !complete || dir == "" || len(argv) < 2 || !sameFile(a.pid, exe) {
		return Command{}, false
	}
	_, alive := a.status()
	return Command{exe, argv[1:], dir}, alive
}

// interpreters run a script that is their first argument.
var interpreters = map[string]bool{"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "fish": true,
	"python": true, "perl": true, "ruby": true, "node": true, "nodejs": true}

// gitCommands are the subcommands of git that may be named: those that meet a
// server or a signature. Another word may be the value of an option.
var gitCommands = map[string]bool{"am": true, "annex": true, "archive": true, "cherry-pick": true, "clone": true,
	"commit": true, "fetch": true, "fetch-pack": true, "lfs": true, "ls-remote": true, "merge": true, "pull": true,
	"push": true, "rebase": true, "remote": true, "revert": true, "send-pack": true, "submodule": true, "tag": true}

// word names a program: its file, or the script that it runs, and git's
// subcommand.
func word(exe string, argv []string) string {
	name := filepath.Base(exe)
	if interpreters[strings.TrimRight(name, "0123456789.")] && len(argv) > 1 && argv[1] != "" && argv[1][0] != '-' {
		name = filepath.Base(argv[1])
	}
	if name == "git" {
		if sub := gitCommand(argv); sub != "" {
			name += " " + sub
		}
	}
	name = strings.Map(func(r rune) rune {
		if nameRune(r) || r == ' ' || r == '@' {
			return r
		}
		return '?'
	}, name)
	return name[:min(len(name), maxWord)]
}

// gitCommand returns git's subcommand, or "". Options of git itself come first.
func gitCommand(argv []string) string {
	for i := 1; i < len(argv); i++ {
		switch a := argv[i]; {
		case a == "-C", a == "-c", a == "--git-dir", a == "--work-tree", a == "--namespace", a == "--config-env", a == "--super-prefix":
			i++ // its value
		case strings.HasPrefix(a, "-"):
		case gitCommands[a]:
			return a
		default:
			return ""
		}
	}
	return ""
}

// gitPath returns the path of the repository that git wants of the server by this
// ssh: git gives ssh one argument, git-upload-pack 'ana/shop.git'.
func gitPath(exe string, argv []string) string {
	if filepath.Base(exe) != "ssh" || len(argv) < 2 {
		return ""
	}
	service, path, _ := strings.Cut(argv[len(argv)-1], " ")
	quoted := len(path) > 2 && path[0] == '\'' && path[len(path)-1] == '\''
	if !quoted || service != "git-upload-pack" && service != "git-receive-pack" && service != "git-upload-archive" {
		return ""
	}
	path = strings.TrimSuffix(strings.Trim(path[1:len(path)-1], "/"), ".git")
	if len(path) > maxPath || strings.ContainsFunc(path, func(r rune) bool { return !nameRune(r) && r != '/' && r != '~' }) {
		return ""
	}
	return path
}

// nameRune reports whether r may be in the name of a program.
func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r)
}

// shownDirectory makes a path fit to be shown; of a long one the end stays.
func shownDirectory(dir string) string {
	dir = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, dir)
	const mark = "…"
	if len(dir) <= maxDir {
		return dir
	}
	dir = dir[len(dir)-maxDir+len(mark):]
	for !utf8.RuneStart(dir[0]) {
		dir = dir[1:]
	}
	return mark + dir
}
