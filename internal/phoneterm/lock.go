package phoneterm

import (
	"github.com/spf13/cobra"

	"kryptonite/internal/phone"
	"kryptonite/internal/term"
)

func lockCmd(e *env) *cobra.Command {
	return &cobra.Command{Use: "lock COMPUTER", Short: "Refuse everything that a computer asks, until you unlock it",
		Long: `Refuse everything that a computer asks, until you unlock it: for requests that were
not yours. What waits is refused, and what you allowed for a while is over. The
computer is told.

While kr-phone run is going on, type the same words there: lock COMPUTER, unlock
COMPUTER; or answer l.`,
		Example: "  $ kr-phone lock laptop", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, a []string) error {
			return withCore(func(o *opened, core *phone.Core) error { return e.change(c.Context(), o, core, lock, a[0]) })
		}}
}

func unlockCmd(e *env) *cobra.Command {
	return &cobra.Command{Use: "unlock COMPUTER", Short: "Let a locked computer ask again",
		Long:    "Let a locked computer ask again: you are asked about each request. The computer is\ntold.",
		Example: "  $ kr-phone unlock laptop", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, a []string) error {
			return withCore(func(o *opened, core *phone.Core) error { return e.change(c.Context(), o, core, unlock, a[0]) })
		}}
}

func renameCmd(e *env) *cobra.Command {
	return &cobra.Command{Use: "rename COMPUTER NAME", Short: "Call a computer by another name here",
		Long:    "Call a computer by another name, on this phone only. The computer is not told.",
		Example: "  $ kr-phone rename laptop 'old laptop'", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, a []string) error {
			return withCore(func(o *opened, core *phone.Core) error {
				found, err := findComputer(core, a[0])
				if err != nil {
					return err
				}
				if err := e.tell(c.Context(), o, core, phone.NameComputer{Pairing: found.Pairing, Name: a[1]}); err != nil {
					return err
				}
				now, err := findComputer(core, found.Pairing)
				e.io.Sayf("%s is called %s now.\n", term.CleanMax(found.Name, 64), term.CleanMax(now.Name, 64))
				return err
			})
		}}
}

func lock(core *phone.Core, name string) (phone.Event, string, error) {
	c, err := findComputer(core, name)
	name = term.CleanMax(c.Name, 64)
	return phone.Lock{Pairing: c.Pairing, On: true}, name + " is locked: all that it asks is refused. To unlock it: unlock " + name, err
}

func unlock(core *phone.Core, name string) (phone.Event, string, error) {
	c, err := findComputer(core, name)
	return phone.Lock{Pairing: c.Pairing}, term.CleanMax(c.Name, 64) + " may ask again.", err
}

const maxUses = 20 // that are listed

// uses lists where a key was used, as far as the log knows: those places trust
// it until its line is taken off there.
func (e *env) uses(records map[string][]byte, fingerprint string) error {
	entries, _, err := phone.Log(records)
	if err != nil {
		return err
	}
	all := phone.Uses(entries, fingerprint)
	for i, p := range all {
		if i == maxUses {
			e.io.Sayf("  and %d more\n", len(all)-maxUses)
			break
		}
		e.io.Sayf("  %s, last %s\n", term.CleanMax(useText(p), 200), p.Last.Format("2 January 2006"))
	}
	if len(all) == 0 {
		e.io.Sayf("  nowhere, as far back as this phone's log goes\n")
	}
	return nil
}

func useText(p phone.Use) string {
	switch {
	case p.Namespace != "":
		return "signatures for " + p.Namespace
	case p.Host != "":
		return p.User + "@" + p.Host
	case p.HostKey != "":
		return p.User + " at the host with the key " + p.HostKey
	}
	return p.User + " at a host that is not known"
}
