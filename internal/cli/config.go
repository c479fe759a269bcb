package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kryptonite/internal/mailbox"
	"kryptonite/internal/service"
	"kryptonite/internal/statedir"
	"kryptonite/internal/term"
)

// readConfig returns the settings as a person may have edited them; an origin
// that is none is an error.
func (e *env) readConfig() (config, error) {
	c, d, err := e.rawConfig()
	if err != nil {
		return c, err
	}
	for _, s := range settings() {
		v := s.field(&c)
		if *v, err = s.canonical(*v); err != nil {
			return c, &term.Problem{Err: fmt.Errorf("the setting %s in %s: %w", s.name, d.Path(configFile), err), Code: codeUsage,
				Hints: []string{fmt.Sprintf("set it anew: kr config set %s %s", s.name, s.example)}}
		}
	}
	return c, nil
}

func (e *env) rawConfig() (c config, d *statedir.Dir, err error) {
	if d, err = e.dir(); err != nil {
		return c, nil, err
	}
	if err := d.ReadJSON(configFile, configVersion, &c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, nil, err
	}
	return c, d, nil
}

// setting is one name that "kr config" knows.
type setting struct {
	name, help string
	field      func(*config) *string
	parse      func(string) (string, error) // of a value that is not empty; nil: any is fine
	example    string                       // of a value
	next       string                       // "": a change works at once; else the command after which it does, where no service has it
}

// canonical is a value as it is kept; an empty one is none.
func (s setting) canonical(value string) (string, error) {
	if value == "" || s.parse == nil {
		return value, nil
	}
	return s.parse(value)
}

func settings() []setting {
	const origin, socket = "https://relay.example.com", "/run/user/1000/keyring/ssh"
	return []setting{
		{"relay", "the relay that new pairings use, https://…", func(c *config) *string { return &c.Relay }, mailbox.CanonicalOrigin, origin, ""},
		{"app", "where the phone app is, if not at the relay, https://…", func(c *config) *string { return &c.App }, mailbox.CanonicalOrigin, origin, ""},
		{"name", "how phones list this computer", func(c *config) *string { return &c.Name }, nil, "laptop", ""},
		{"agent", "the agent whose keys work, too: its socket, or none; if not set, SSH_AUTH_SOCK of krd's start",
			func(c *config) *string { return &c.Agent }, parseAgent, socket, "kr daemon restart"},
		{"environment", "no: kr setup does not set SSH_AUTH_SOCK for programs of the desktop",
			func(c *config) *string { return &c.Environment }, parseEnvironment, noEnvironment, "kr setup"},
	}
}

func parseAgent(value string) (string, error) {
	if value == noAgent {
		return value, nil
	}
	if err := service.Carries(value); err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(value, "~/"); ok { // as in quotes, where no shell expands it
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the home directory: %w", err)
		}
		value = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(value) {
		return "", fmt.Errorf("%q is no absolute path", value)
	}
	return filepath.Clean(value), nil
}

func parseEnvironment(value string) (string, error) {
	if value != noEnvironment {
		return "", fmt.Errorf("%q is not %q, and not empty", value, noEnvironment)
	}
	return value, nil
}

func findSetting(name string) (setting, error) {
	for _, s := range settings() {
		if s.name == name {
			return s, nil
		}
	}
	return setting{}, &term.Problem{Err: fmt.Errorf("there is no setting %q", name), Code: codeUsage, Hints: []string{"list them: kr config list"}}
}

func configCmd(e *env) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show and change settings",
		Example: "  $ kr config set relay https://relay.example.com"}
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "List all settings", Args: noArgs, RunE: func(*cobra.Command, []string) error {
			cfg, err := e.readConfig()
			if err != nil {
				return err
			}
			for _, s := range settings() {
				e.io.Printf("%s\t%s\t%s\n", s.name, term.Clean(first(*s.field(&cfg), "-")), s.help)
			}
			return nil
		}},
		&cobra.Command{Use: "get NAME", Short: "Print one setting", Args: cobra.ExactArgs(1), ValidArgsFunction: completeSettings, RunE: func(_ *cobra.Command, args []string) error {
			s, err := findSetting(args[0])
			if err != nil {
				return err
			}
			cfg, err := e.readConfig()
			if err != nil {
				return err
			}
			e.io.Printf("%s\n", *s.field(&cfg))
			return nil
		}},
		&cobra.Command{Use: "set NAME VALUE", Short: "Change one setting; an empty value removes it", ValidArgsFunction: completeSettings,
			Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return runConfigSet(e, args[0], args[1]) }},
	)
	return c
}

func runConfigSet(e *env, name, value string) error {
	s, err := findSetting(name)
	if err != nil {
		return err
	}
	if value, err = s.canonical(value); err != nil {
		return &term.Problem{Err: err, Code: codeUsage, Hints: []string{"like this: kr config set " + s.name + " " + s.example}}
	}
	cfg, d, err := e.rawConfig()
	if err != nil {
		return err
	}
	*s.field(&cfg) = value
	if err := d.WriteJSON(configFile, configVersion, cfg); err != nil {
		return err
	}
	if s.next != "" {
		r, err := e.record()
		if err != nil {
			return err
		}
		next := s.next
		if r.Files != nil {
			next = "kr setup" // which writes it into the service
		}
		e.io.Sayf("It is taken up by: %s\n", next)
	}
	return nil
}
