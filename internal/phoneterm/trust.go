package phoneterm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/cmdline"
	"kryptonite/internal/fault"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/term"
)

func ruleCmd(e *env) *cobra.Command {
	c := &cobra.Command{Use: "rule", Short: "See and end what you allowed for a while", Args: cobra.NoArgs,
		Long: `See and end the rules that you gave with an answer: h (this user at this host), c
(all pinned hosts, from one computer) and b (block a computer).

While kr-phone run is going on, type the same words there: rules, revoke ID.`,
		Example: "  $ kr-phone rule list\n  $ kr-phone rule revoke 17\n  $ kr-phone rule revoke all"}
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "List the rules that hold", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return withCore(func(o *opened, core *phone.Core) error { return listRules(e.io, core) })
		}},
		&cobra.Command{Use: "revoke ID|all", Short: "End a rule, or all", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return withCore(func(o *opened, core *phone.Core) error {
				return e.change(c.Context(), o, core, revokeRule, args[0])
			})
		}},
	)
	return c
}

func forwardCmd(e *env) *cobra.Command {
	return &cobra.Command{Use: "forward COMPUTER on|off", Short: "Be asked about logins that a computer forwards, or refuse them",
		Long: `A request that came to a computer by agent forwarding (ssh -A) is refused unless you
turn this on for that computer. Then you are asked about each by itself: whoever is
root on the way can ask for it.`,
		Example: "  $ kr-phone forward laptop on", Args: cobra.ExactArgs(2), RunE: func(c *cobra.Command, args []string) error {
			do := map[string]change{"on": forwardOn, "off": forwardOff}[args[1]]
			if do == nil {
				return cmdline.Usage(c, fmt.Errorf("%q is neither on nor off", args[1]))
			}
			return withCore(func(o *opened, core *phone.Core) error { return e.change(c.Context(), o, core, do, args[0]) })
		}}
}

func hostCmd(e *env) *cobra.Command {
	c := &cobra.Command{Use: "host", Short: "See, forget and trust the servers that this phone knows", Args: cobra.NoArgs,
		Long: `The phone pins the host key of each server that you allow a login to. A server that
shows another key later is refused. If that is right, because it was rebuilt, trust
the new key, or forget the server.

While kr-phone run is going on, type the same words there: hosts, forget NAME,
trust NAME SHA256:....`,
		Example: "  $ kr-phone host list\n  $ kr-phone host forget server.example\n  $ kr-phone host trust '[server.example]:2222' SHA256:..."}
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "List pinned and refused host keys", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return withCore(func(o *opened, core *phone.Core) error { listHosts(e.io, core); return nil })
		}},
		&cobra.Command{Use: "forget NAME", Short: "Forget a server: its next login is its first", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return withCore(func(o *opened, core *phone.Core) error {
				return e.change(c.Context(), o, core, forgetHost, args[0])
			})
		}},
		&cobra.Command{Use: "trust NAME [FINGERPRINT]", Short: "Pin a host key that was refused, beside the old one; without a FINGERPRINT, say which there are", Args: cobra.RangeArgs(1, 2), RunE: func(c *cobra.Command, args []string) error {
			return withCore(func(o *opened, core *phone.Core) error {
				return e.change(c.Context(), o, core, trustHost, strings.Join(args, " "))
			})
		}},
	)
	return c
}

// change finds out which event does what a person asks for, and what to say
// when it is done.
type change func(core *phone.Core, arg string) (ev phone.Event, done string, err error)

// changes are the changes by the words that people type at kr-phone run.
func changes() map[string]change {
	return map[string]change{"revoke": revokeRule, "forget": forgetHost, "trust": trustHost, "forward": forwardOn, "unforward": forwardOff, "lock": lock, "unlock": unlock}
}

// withCore opens the phone's state for one command.
func withCore(f func(*opened, *phone.Core) error) error {
	o, err := open()
	if err != nil {
		return err
	}
	defer o.close()
	core, err := o.core(phone.ApproveNever)
	if err != nil {
		return err
	}
	return f(o, core)
}

// change makes a change on a phone that does not run.
func (e *env) change(ctx context.Context, o *opened, core *phone.Core, do change, arg string) error {
	ev, done, err := do(core, arg)
	if err != nil {
		return err
	}
	if err := e.tell(ctx, o, core, ev); err != nil {
		return err
	}
	e.io.Sayf("%s\n", done)
	return nil
}

func listRules(io *term.IO, core *phone.Core) error {
	now := fault.Now()
	rules := core.Rules(now)
	names := map[string]string{}
	for _, c := range core.Computers() {
		names[c.Pairing] = c.Name
	}
	for _, r := range rules {
		printRule(io, r, names[r.Pairing], now)
	}
	if len(rules) == 0 {
		io.Sayf("no rules; each request is asked by itself\n")
	}
	return nil
}

func printRule(io *term.IO, r policy.Rule, computer string, now time.Time) {
	io.Printf("%s\t%s\n", term.CleanMax(r.ID, 32), term.CleanMax(ruleText(r, computer, now), 300))
}

func revokeRule(core *phone.Core, id string) (phone.Event, string, error) {
	n := 0
	for _, r := range core.Rules(fault.Now()) {
		if r.ID == id || id == "all" {
			n++
		}
	}
	if n == 0 && id != "all" {
		return nil, "", &term.Problem{Err: fmt.Errorf("there is no rule %q", term.CleanMax(id, 20)), Hints: []string{"list them with: kr-phone rule list"}}
	}
	if id == "all" {
		id = "*"
	}
	return phone.Revoke{Rule: id}, counted(n, "rule") + " ended.", nil
}

// printPin prints what is known of one host key.
func printPin(io *term.IO, p knownhosts.Pin, state string) {
	io.Printf("%s\t%s\t%s\t%s\t%s\t%s\n", term.CleanMax(string(p.Name), 300), state, term.CleanMax(p.KeyType, 64), term.CleanMax(p.Fingerprint, 64),
		time.Unix(p.Unix, 0).Format(time.RFC3339), term.CleanMax(p.By, 64))
}

func listHosts(io *term.IO, core *phone.Core) {
	for _, p := range core.Pins() {
		printPin(io, p, p.Proof)
	}
	for _, p := range core.Strange() {
		printPin(io, p, "REFUSED")
	}
	if len(core.Pins())+len(core.Strange()) == 0 {
		io.Sayf("no servers yet; the first login to each is pinned\n")
	}
}

// counted is "1 rule", "2 rules".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func forgetHost(core *phone.Core, name string) (phone.Event, string, error) {
	n, err := knownName(core.Pins(), name)
	return phone.ForgetHost{Name: n, Scope: "*"}, fmt.Sprintf("%s is forgotten; its next login is its first.", n), err
}

// trustHost takes a name and the fingerprint that the person compared: what was
// refused last may be another key by now, and each computer has private names of its own.
func trustHost(core *phone.Core, arg string) (phone.Event, string, error) {
	name, fingerprint, _ := strings.Cut(arg, " ")
	n, err := knownName(core.Strange(), name)
	if err != nil {
		return nil, "", err
	}
	var which []string
	for _, p := range core.Strange() {
		switch {
		case p.Name != n:
		case p.Fingerprint == strings.TrimSpace(fingerprint):
			ev := phone.TrustHost{Name: n, Scope: p.Scope, Fingerprint: p.Fingerprint}
			return ev, fmt.Sprintf("The host key %s of %s, refused at a login from %s, is trusted, beside the old one.", p.Fingerprint, n, term.CleanMax(p.By, 64)), core.MayTrust(ev)
		default:
			which = append(which, fmt.Sprintf("trust %s %s (%s, refused at a login from %s)", n, p.Fingerprint, p.KeyType, term.CleanMax(p.By, 64)))
		}
	}
	return nil, "", fmt.Errorf("get the fingerprint from who runs that server, compare it, and say which it is: %s", strings.Join(which, ", or "))
}

func forwardOn(core *phone.Core, name string) (phone.Event, string, error) {
	c, err := findComputer(core, name)
	return phone.Forward{Pairing: c.Pairing, Ask: true}, "You will be asked about what " + term.CleanMax(c.Name, 64) + " forwards.", err
}

func forwardOff(core *phone.Core, name string) (phone.Event, string, error) {
	c, err := findComputer(core, name)
	return phone.Forward{Pairing: c.Pairing}, "What " + term.CleanMax(c.Name, 64) + " forwards is refused.", err
}

// knownName finds a name as people type it among pins.
func knownName(pins []knownhosts.Pin, name string) (knownhosts.Name, error) {
	for _, p := range pins {
		if strings.EqualFold(string(p.Name), name) {
			return p.Name, nil
		}
	}
	return "", &term.Problem{Err: fmt.Errorf("no such server: %s", term.CleanMax(name, 100)), Hints: []string{"list them with: kr-phone host list"}}
}
