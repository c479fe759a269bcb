// Package service describes how a system keeps krd running for a user: the
// files of a service, and the commands that bring it up and take it down.
//
//	systemd   krd.socket holds both sockets, krd.service is krd; no login ever finds nobody
//	launchd   a LaunchAgent, which starts krd at login and again when it dies
//
// It writes no file and runs no command: kr shows both first. Nothing here
// needs root. References: systemd.unit(5), systemd.socket(5), systemd.exec(5);
// launchd.plist(5), launchctl(1).
package service

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Spec is the krd that is to run. Paths are absolute.
type Spec struct {
	Krd     string   // the program
	Home    string   // its state directory
	Agent   string   // the other agent, as krd's --other-agent takes it; "": what the service's environment says
	Sockets []string // names in Home
	Log     string   // name in Home
}

// Service is a service of one user.
type Service struct {
	Name  string // for people
	Files []File

	Check  []string  // a command that succeeds where Enable has
	Enable []Command // after Files were written: krd runs now and after each login
	Start  []Command
	Stop   []Command
	Remove []Command // before Files are removed: krd ends, and does not come again
	Forget []Command // after Files were removed
}

// Command is a program and its arguments. One that ends something says how to
// find that: some fail where it is not there, and some return before it is gone.
type Command struct {
	Args []string
	Ends []string // a command that succeeds as long as what Args ends is there; nil: Args is always run, and done when it returns
}

// File is a file of a service; it is readable for all, as others of its kind are.
type File struct {
	Path    string
	Content string
}

// Check returns an error when a path of s would be more than a path in a service's
// files: paths come from the environment, too.
func (s Spec) Check() error {
	for _, path := range []string{s.Krd, s.Home, s.Agent} {
		if err := Carries(path); err != nil {
			return err
		}
	}
	return nil
}

// Carries returns nil when a service's files can carry this path: systemd's end
// each setting at a line's end, and XML has no place for most control characters.
func Carries(path string) error {
	if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) {
		return fmt.Errorf("no service can carry the path %.200q: it has control characters", path)
	}
	return nil
}

func (s Spec) args() []string {
	if s.Agent == "" {
		return []string{s.Krd}
	}
	return []string{s.Krd, "--other-agent", s.Agent}
}

func (s Spec) path(name string) string { return filepath.Join(s.Home, name) }
