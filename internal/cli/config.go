package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"kryptonite/internal/mailbox"
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
		if !s.origin || *v == "" {
			continue
		}
		if *v, err = mailbox.CanonicalOrigin(*v); err != nil {
			return c, &term.Problem{Err: fmt.Errorf("the setting %s in %s: %w", s.name, d.Path(configFile), err), Code: codeUsage,
				Hints: []string{fmt.Sprintf("set it anew: kr config set %s https://relay.example.com", s.name)}}
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
	origin     bool // an https origin
	socket     bool // an absolute path, or "none"; krd has it since its start
}

func settings() []setting {
	return []setting{
		{"relay", "the relay that new pairings use, https://…", func(c *config) *string { return &c.Relay }, true, false},
		{"app", "where the phone app is, if not at the relay, https://…", func(c *config) *string { return &c.App }, true, false},
		{"name", "how phones list this computer", func(c *config) *string { return &c.Name }, false, false},
		{"agent", "the agent whose keys work, too: its socket, or none; if not set, SSH_AUTH_SOCK of krd's start",
			func(c *config) *string { return &c.Agent }, false, true},
	}
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
	c := &cobra.Command{Use: "config", Short: "Show and change settings", Args: noArgs,
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
		&cobra.Command{Use: "get NAME", Short: "Print one setting", Args: oneArg, RunE: func(_ *cobra.Command, args []string) error {
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
		&cobra.Command{Use: "set NAME VALUE", Short: "Change one setting; an empty value removes it",
			Args: func(c *cobra.Command, args []string) error { return wrapUsage(c, cobra.ExactArgs(2)(c, args)) },
			RunE: func(_ *cobra.Command, args []string) error { return runConfigSet(e, args[0], args[1]) }},
	)
	return c
}

func runConfigSet(e *env, name, value string) error {
	s, err := findSetting(name)
	if err != nil {
		return err
	}
	if s.origin && value != "" {
		if value, err = mailbox.CanonicalOrigin(value); err != nil {
			return &term.Problem{Err: err, Code: codeUsage, Hints: []string{"like this: https://relay.example.com (http only for localhost)"}}
		}
	}
	if s.socket && value != "" && value != "none" {
		if value, err = filepath.Abs(value); err != nil {
			return err
		}
	}
	cfg, d, err := e.rawConfig()
	if err != nil {
		return err
	}
	*s.field(&cfg) = value
	if err := d.WriteJSON(configFile, configVersion, cfg); err != nil {
		return err
	}
	if s.socket {
		r, err := e.record()
		if err != nil {
			return err
		}
		next := "kr daemon restart"
		if r.Files != nil {
			next = "kr setup" // which writes it into the service
		}
		e.io.Sayf("krd takes it up at its next start: %s\n", next)
	}
	return nil
}
