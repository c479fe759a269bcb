package phoneterm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kryptonite/internal/cmdline"
	"kryptonite/internal/fault"
	"kryptonite/internal/keystore"
	"kryptonite/internal/phone"
	"kryptonite/internal/term"
)

func keyCmd(e *env) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Print and manage this phone's keys",
		Long: `Without a command: print this phone's public keys, each as one line for
authorized_keys.

A phone has up to 16 keys. A computer sees the first one when it is paired; show
it others with "kr-phone key allow". The computer is told at once if it can be,
and again by kr-phone run until it knows.`,
		Example: "  $ kr-phone key\n  $ kr-phone key new work --type p256\n  $ kr-phone key allow work laptop",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			o, err := viewKeys()
			if err != nil {
				return err
			}
			for _, k := range o.keys.Keys() {
				e.io.Printf("%s\n", authorizedKey(k))
			}
			return nil
		},
	}
	c.AddCommand(keyListCmd(e), keyShowCmd(e), keyNewCmd(e), keyRenameCmd(e), keyDeleteCmd(e), keyAllowCmd(e, true), keyAllowCmd(e, false))
	return c
}

func keyListCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys and who sees them", Args: cobra.NoArgs,
		Long: `List the keys, oldest first: name, type, fingerprint, when made, and the computers
that see it. Where no terminal reads it: separated by tabs, without a header.`,
		Example: "  $ kr-phone key list",
		RunE:    func(*cobra.Command, []string) error { return runKeyList(e) },
	}
}

func runKeyList(e *env) error {
	o, err := viewKeys()
	if err != nil {
		return err
	}
	core, err := o.core(phone.ApproveAsk)
	if err != nil {
		return err
	}
	var rows strings.Builder
	for _, k := range o.keys.Keys() {
		fmt.Fprintf(&rows, "%s\t%s\t%s\t%s\t%s\n", term.CleanMax(k.Name, 64), k.Type(), k.Fingerprint(), when(k.Created), seers(core, k))
	}
	if !e.io.OutTTY() {
		e.io.Printf("%s", rows.String())
		return nil
	}
	w := tabwriter.NewWriter(e.io.Text(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "NAME\tTYPE\tFINGERPRINT\tMADE\tCOMPUTERS\n%s", rows.String())
	return w.Flush()
}

// seers are the names of the computers that see k, or "-".
func seers(core *phone.Core, k keystore.Key) string {
	var names []string
	for _, c := range core.Computers() {
		if c.Live && core.Sees(c.Pairing, k.Fingerprint()) {
			names = append(names, term.CleanMax(c.Name, 64))
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, ", ")
}

func keyShowCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print one public key", Args: cobra.ExactArgs(1),
		Long:    "Print one public key as a line for authorized_keys; what else is known of it goes\nto stderr, with where this phone's log says that it was used.",
		Example: "  $ kr-phone key show work >> authorized_keys",
		RunE:    func(_ *cobra.Command, a []string) error { return runKeyShow(e, a[0]) },
	}
}

func runKeyShow(e *env, name string) error {
	o, err := viewKeys()
	if err != nil {
		return err
	}
	k, err := namedKey(o, name)
	if err != nil {
		return err
	}
	core, err := o.core(phone.ApproveAsk)
	if err != nil {
		return err
	}
	e.io.Printf("%s\n", authorizedKey(k))
	e.io.Sayf("%s %s, made %s, seen by %s; used:\n", k.Type(), k.Fingerprint(), when(k.Created), seers(core, k))
	return e.uses(o.records, k.Fingerprint())
}

// openNamed opens the phone and finds a key.
func openNamed(name string) (*opened, keystore.Key, error) {
	o, err := open()
	if err != nil {
		return nil, keystore.Key{}, err
	}
	k, err := namedKey(o, name)
	if err != nil {
		o.close()
		return nil, k, err
	}
	return o, k, nil
}

func namedKey(o *opened, name string) (keystore.Key, error) {
	k, err := keystore.Named(o.keys, name)
	if err != nil {
		err = &term.Problem{Err: fmt.Errorf("no key of this phone is called %q", name), Hints: []string{"list them with: kr-phone key list"}}
	}
	return k, err
}

func keyNewCmd(e *env) *cobra.Command {
	var typ string
	c := &cobra.Command{
		Use: "new NAME", Short: "Make another key", Args: cobra.ExactArgs(1),
		Long: `Make another key and seal it with this phone's passphrase. No computer sees it until
you show it with "kr-phone key allow". The name, up to 32 characters, is yours to
choose; computers that see the key see its name.`,
		Example: "  $ kr-phone key new work\n  $ kr-phone key new old-servers --type p256",
		RunE: func(c *cobra.Command, a []string) error {
			full, ok := map[string]string{"ed25519": keystore.Ed25519, "p256": keystore.P256}[typ]
			if !ok {
				return cmdline.Usage(c, fmt.Errorf("--type is %q, not ed25519 or p256", typ))
			}
			return runKeyNew(e, a[0], full)
		},
	}
	c.Flags().StringVar(&typ, "type", "ed25519", "ed25519, or p256 for servers that take no Ed25519")
	return c
}

func runKeyNew(e *env, name, typ string) error {
	o, err := open()
	if err != nil {
		return err
	}
	defer o.close()
	if _, err := keystore.Named(o.keys, name); err == nil {
		return keyProblem(name, keystore.ErrTaken)
	}
	if err := e.unlock(o); err != nil {
		return err
	}
	k, err := o.keys.New(fault.Now(), name, typ)
	if err != nil {
		return keyProblem(name, err)
	}
	if err := o.keys.save(k); err != nil {
		return err
	}
	e.io.Printf("%s\n", authorizedKey(k))
	e.io.Sayf("\nNo computer sees it yet. Next: kr-phone key allow %s COMPUTER\n", quoted(k.Name))
	return nil
}

// quoted is a name as a shell takes it.
func quoted(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.@", r)
	}) {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

// keyProblem says what to do about an error of the keystore.
func keyProblem(name string, err error) error {
	hints := map[error]string{
		keystore.ErrTaken: "list the keys with: kr-phone key list",
		keystore.ErrFull:  "delete one with: kr-phone key delete NAME",
		keystore.ErrName:  "choose another name, such as: work",
	}
	for known, hint := range hints {
		if errors.Is(err, known) {
			return &term.Problem{Err: fmt.Errorf("a key called %q: %w", name, err), Hints: []string{hint}}
		}
	}
	return err
}

func keyRenameCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "rename OLD NEW", Short: "Give a key another name", Args: cobra.ExactArgs(2),
		Long:    "Give a key another name. The key stays the same; computers that see it are told.",
		Example: "  $ kr-phone key rename default home",
		RunE:    func(c *cobra.Command, a []string) error { return runKeyRename(c.Context(), e, a[0], a[1]) },
	}
}

func runKeyRename(ctx context.Context, e *env, old, name string) error {
	o, k, err := openNamed(old)
	if err != nil {
		return err
	}
	defer o.close()
	core, err := o.core(phone.ApproveAsk)
	if err != nil {
		return err
	}
	if err := o.keys.Rename(k.Name, name); err != nil {
		return keyProblem(name, err)
	}
	old, k.Name = k.Name, name
	if err := o.keys.save(k); err != nil {
		return err
	}
	e.io.Sayf("%s is called %s now.\n", term.CleanMax(old, 64), term.CleanMax(name, 64))
	return e.tell(ctx, o, core, phone.KeysChanged{Keys: o.keys.public()})
}

// tell makes a change of keys durable and sends it to the computers. One that
// cannot be reached is told by the next kr-phone run.
func (e *env) tell(ctx context.Context, o *opened, core *phone.Core, ev phone.Event) error {
	log, err := e.logger()
	if err != nil {
		return err
	}
	r := newRunner(core, o.journal, nil, func(phone.Effect) {}, log)
	defer r.bg.Wait()
	return r.handle(ctx, ev)
}

func keyAllowCmd(e *env, allow bool) *cobra.Command {
	c := &cobra.Command{
		Use: "allow NAME COMPUTER", Short: "Show a key to a computer", Args: cobra.ExactArgs(2),
		Long: `Show a key to a computer: it lists the key for ssh and may ask for signatures. It
offers the key that was shown first before all others; to change the order, hide
keys and show them again.`,
		Example: "  $ kr-phone key allow work laptop",
	}
	if !allow {
		c.Use, c.Short, c.Example = "hide NAME COMPUTER", "Hide a key from a computer", "  $ kr-phone key hide default laptop"
		c.Long = `Hide a key from a computer. Nothing is signed with it for that computer from now on;
it is told that the key is unknown here. It may remember the public key.`
	}
	c.RunE = func(c *cobra.Command, a []string) error { return runKeyAllow(c.Context(), e, a[0], a[1], allow) }
	return c
}

func runKeyAllow(ctx context.Context, e *env, name, computer string, allow bool) error {
	o, k, err := openNamed(name)
	if err != nil {
		return err
	}
	defer o.close()
	core, err := o.core(phone.ApproveAsk)
	if err != nil {
		return err
	}
	found, err := findComputer(core, computer)
	if err != nil {
		return err
	}
	if !found.Live {
		return &term.Problem{Err: fmt.Errorf("%q is not paired yet", computer), Code: 3, Hints: []string{"finish with: kr-phone pair"}}
	}
	word := map[bool]string{true: "sees", false: "does not see"}[allow]
	if core.Sees(found.Pairing, k.Fingerprint()) == allow {
		e.io.Sayf("%s %s %s already.\n", term.CleanMax(found.Name, 64), word, term.CleanMax(k.Name, 64))
		return nil
	}
	if err := e.tell(ctx, o, core, phone.AllowKey{Pairing: found.Pairing, Fingerprint: k.Fingerprint(), Allow: allow}); err != nil {
		return err
	}
	e.io.Sayf("%s %s %s from now on.\n", term.CleanMax(found.Name, 64), word, term.CleanMax(k.Name, 64))
	return nil
}

func keyDeleteCmd(e *env) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "delete NAME", Aliases: []string{"rm"}, Short: "Delete a key for good", Args: cobra.ExactArgs(1),
		Long: `Delete a key for good: there is no copy. Its public key stays where you put it, on
servers and forges; it is printed so that you can remove it there, with the places
where this phone's log says that it was used.`,
		Example: "  $ kr-phone key delete work\n  $ kr-phone key delete work --yes",
		RunE:    func(c *cobra.Command, a []string) error { return runKeyDelete(c.Context(), e, a[0], yes) },
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask, and delete even the last key")
	return c
}

func runKeyDelete(ctx context.Context, e *env, name string, yes bool) error {
	o, k, err := openNamed(name)
	if err != nil {
		return err
	}
	defer o.close()
	core, err := o.core(phone.ApproveAsk)
	if err != nil {
		return err
	}
	e.io.Sayf("%s was used:\n", term.CleanMax(k.Name, 64))
	if err := e.uses(o.records, k.Fingerprint()); err != nil {
		e.io.Sayf("  that is not known: %v\n", err) // a damaged log keeps no key alive
	}
	if ok, err := e.mayDelete(ctx, o, core, k, yes); err != nil || !ok {
		return err
	}
	line := authorizedKey(k)
	left := o.keys.public()
	for i, p := range left {
		if string(p.PublicKey) == string(k.PublicKey) {
			left = append(left[:i:i], left[i+1:]...)
			break
		}
	}
	// Hidden first, then deleted: whatever a crash leaves, no computer sees it.
	if err := e.tell(ctx, o, core, phone.KeysChanged{Keys: left}); err != nil {
		return err
	}
	if err := o.keys.remove(k); err != nil {
		return err
	}
	e.io.Sayf("Deleted. This public key still stands where you put it; remove it from servers and forges:\n")
	e.io.Printf("%s\n", line)
	return nil
}

// mayDelete asks the person, unless yes.
func (e *env) mayDelete(ctx context.Context, o *opened, core *phone.Core, k keystore.Key, yes bool) (bool, error) {
	switch {
	case yes:
		return true, nil
	case len(o.keys.Keys()) == 1:
		return false, &term.Problem{Err: fmt.Errorf("%q is this phone's last key", k.Name), Code: 2,
			Hints: []string{"make another one first: kr-phone key new NAME", "to delete it all the same, add --yes"}}
	case !e.io.InTTY():
		return false, &term.Problem{Err: errors.New("this would delete a key, and there is no terminal to ask"), Code: 2, Hints: []string{"add --yes"}}
	}
	return e.io.Confirm(ctx, fmt.Sprintf("Delete the key %q, %s, seen by %s? There is no copy.", term.CleanMax(k.Name, 64), k.Fingerprint(), seers(core, k)))
}
