package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"kryptonite/internal/service"
)

const (
	zsh = "zsh"

	// zshCompletion is the line for ~/.zshrc. Like the files of the other shells it
	// says nothing where PATH has no kr.
	zshCompletion = "command -v kr >/dev/null && source <(kr completion zsh)"
)

// loginShell is the name of the person's shell.
func loginShell() string { return filepath.Base(os.Getenv("SHELL")) }

// completion is the file that makes the person's shell complete kr's words, where
// the shell looks for such files by itself. It asks the kr of PATH each time, so it
// fits every later kr, and does nothing where there is none.
func completion() (f service.File, ok bool, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return f, false, fmt.Errorf("find the directory of completions: %w", err)
	}
	in := func(variable, otherwise string, elem ...string) string {
		dir := os.Getenv(variable)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(home, otherwise)
		}
		return filepath.Join(append([]string{dir}, elem...)...)
	}
	const head = "# Written by kr setup; kr uninstall removes it.\n"
	switch loginShell() {
	case "bash": // by the package bash-completion
		return service.File{Path: in("XDG_DATA_HOME", ".local/share", "bash-completion", "completions", "kr"),
			Content: head + `! command -v kr >/dev/null || eval "$(kr completion bash)"` + "\n"}, true, nil
	case "fish":
		return service.File{Path: in("XDG_CONFIG_HOME", ".config", "fish", "completions", "kr.fish"),
			Content: head + "command -q kr; and kr completion fish | source\n"}, true, nil
	}
	return f, false, nil
}

// planCompletion lets the person's shell complete kr's words. What is there
// already, from a package or by hand, stays.
func (s *setup) planCompletion() error {
	f, ok, err := completion()
	if !ok || err != nil {
		return err
	}
	if exists(f.Path) && !slices.Contains(s.had.Beside, f.Path) {
		return nil
	}
	write, err := s.files([]service.File{f}, s.had.Beside)
	if err != nil {
		return err
	}
	s.beside(f.Path)
	s.steps = append(s.steps, write...)
	return nil
}
