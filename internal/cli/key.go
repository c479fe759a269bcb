package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/desktop"
	"kryptonite/internal/hostpattern"
	"kryptonite/internal/term"
	"kryptonite/internal/upload"
	"kryptonite/internal/wire"
)

func keyCmd(e *env) *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "List your phones' keys, and put them where they log in",
		Example: "  $ kr key list\n  $ kr key add-to github\n  $ kr key add-host root@server.example"}
	c.AddCommand(keyListCmd(e), keyCopyCmd(e), keyAddHostCmd(e), keyAddToCmd(e), keyLimitCmd(e))
	return c
}

// phoneKey is a key of a paired phone.
type phoneKey struct {
	control.Key
	Phone string `json:"phone"` // its name
}

// label is how people tell keys apart: the comment of its line.
func (k phoneKey) label() string { return wire.SSHKey{Name: k.Name}.Comment(k.Phone) }

// is reports whether a person may mean this key by name.
func (k phoneKey) is(name string) bool {
	return name == k.Fingerprint || strings.EqualFold(name, k.label()) || strings.EqualFold(name, k.Name)
}

// keys are those of all phones, in the order in which they are listed for ssh.
func (e *env) keys(ctx context.Context) (out []phoneKey, st control.Status, err error) {
	if st, err = e.krd.Status(ctx); err != nil {
		return nil, st, err
	}
	for _, p := range st.Phones {
		for _, k := range p.Keys {
			out = append(out, phoneKey{k, p.Name})
		}
	}
	if len(out) == 0 {
		return nil, st, noKey(st)
	}
	return out, st, nil
}

// key is the one that name means; "": the first one of the only phone.
func (e *env) key(ctx context.Context, name string) (k phoneKey, st control.Status, err error) {
	keys, st, err := e.keys(ctx)
	if err != nil {
		return k, st, err
	}
	found := keys
	if name != "" {
		found = nil
		for _, k := range keys {
			if k.is(name) {
				found = append(found, k)
			}
		}
	} else if !slices.ContainsFunc(keys, func(k phoneKey) bool { return k.Phone != keys[0].Phone }) {
		found = keys[:1]
	}
	switch len(found) {
	case 1:
		return found[0], st, nil
	case 0:
		err = fmt.Errorf("no paired phone shows this computer a key called %q", name)
	default:
		err = fmt.Errorf("%d keys may be meant; say which one, by a name or a fingerprint of kr key list", len(found))
	}
	return k, st, &term.Problem{Err: err, Code: codeUsage, Hints: []string{"list them: kr key list"}}
}

// keyFlag lets a command take a key by name.
func keyFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "key", "", "which key, by name or fingerprint (default the first one of the only phone)")
}

func keyListCmd(e *env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the keys of your phones that this computer sees", Args: noArgs,
		Long: `Lists the keys in the order in which ssh is offered them, and the hosts that each is for.
In a pipe, columns with tabs: name, type, fingerprint, hosts ("-": all).`,
		RunE: func(c *cobra.Command, _ []string) error { return runKeyList(c.Context(), e, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (schema_version 1)")
	return c
}

func runKeyList(ctx context.Context, e *env, asJSON bool) error {
	keys, _, err := e.keys(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return e.printJSON(struct {
			SchemaVersion int        `json:"schema_version"`
			Keys          []phoneKey `json:"keys"`
		}{control.SchemaVersion, keys})
	}
	if !e.io.OutTTY() {
		for _, k := range keys {
			e.io.Printf("%s\t%s\t%s\t%s\n", term.CleanMax(k.label(), 128), cell(k.Type, 64), cell(k.Fingerprint, 64), cell(hostpattern.List(k.Hosts).String(), 512))
		}
		return nil
	}
	w := tabwriter.NewWriter(e.io.Text(), 0, 0, 2, ' ', 0)
	row(w, "KEY", "TYPE", "FINGERPRINT", "OFFERED TO")
	for _, k := range keys {
		row(w, term.CleanMax(k.label(), 64), k.Type, k.Fingerprint, first(hostpattern.List(k.Hosts).String(), "all hosts"))
	}
	return w.Flush()
}

func keyCopyCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "copy [KEY]", Short: "Copy a public key to the clipboard",
		Long: `Copies the line for authorized_keys, or for a forge: by wl-copy, xclip, xsel or pbcopy,
and otherwise, as over ssh, by the terminal itself if it can (OSC 52).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			k, _, err := e.key(c.Context(), first(args...))
			if err != nil {
				return err
			}
			if err := e.copy(c.Context(), k); err != nil {
				return &term.Problem{Err: err, Hints: []string{"print it, and copy it by hand: kr me"}}
			}
			return nil
		},
	}
}

// copy copies the key's line and says so.
func (e *env) copy(ctx context.Context, k phoneKey) error {
	by, err := e.desktop().Copy(ctx, k.AuthorizedKey)
	if err != nil {
		return err
	}
	if by == desktop.OSC52 {
		e.io.Sayf("The terminal was given the public key %s for its clipboard (OSC 52). If there is\nnothing to paste, it does not take that: kr me prints the key.\n", term.Clean(k.Fingerprint))
		return nil
	}
	e.io.Sayf("The public key %s is on the clipboard, by %s.\n", term.Clean(k.Fingerprint), by)
	return nil
}

// desktop is where the person works.
func (e *env) desktop() desktop.Desktop {
	d := desktop.Desktop{Getenv: e.getenv, GOOS: runtime.GOOS}
	if e.io.ErrTTY() {
		d.TTY = e.io.Err
	}
	return d
}

func (e *env) getenv(name string) string {
	if e.io.Getenv == nil {
		return ""
	}
	return e.io.Getenv(name)
}

func keyLimitCmd(e *env) *cobra.Command {
	var none bool
	c := &cobra.Command{
		Use: "limit KEY HOSTS | limit KEY --none", Short: "Offer a key to some hosts only",
		Long: `From now on ssh is offered the key only where it goes to one of these hosts: patterns as in
ssh_config(5), with commas, "*", "?", and "!" for hosts that are not meant. They are
compared with the name that ssh makes of what was typed (HostName, or HostKeyAlias),
which is also the name that the phone shows. krd asks ssh for it, so clients that are no
ssh, an ssh before 8.9, and forwarded agents are not offered the key at all. ssh-add
lists it, and ssh-keygen and git sign with it, as that is for no host.

It keeps servers from learning of keys that are not for them, and leaves ssh's tries to
those that are. What may be signed is decided on the phone.`,
		Example: "  $ kr key limit work 'github.com,*.corp'\n  $ kr key limit work --none",
		Args: func(c *cobra.Command, args []string) error {
			want := 2
			if none {
				want = 1
			}
			return cobra.ExactArgs(want)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return runKeyLimit(c.Context(), e, args[0], first(args[1:]...), none)
		},
	}
	c.Flags().BoolVar(&none, "none", false, "offer it to all hosts again")
	return c
}

func runKeyLimit(ctx context.Context, e *env, name, hosts string, none bool) error {
	var list hostpattern.List
	if !none {
		var err error
		if list, err = hostpattern.Parse(hosts); err != nil {
			return &term.Problem{Err: err, Code: codeUsage, Hints: []string{"like this: kr key limit work 'github.com,*.corp'", "for all hosts again: --none"}}
		}
	}
	k, _, err := e.key(ctx, name)
	if err != nil {
		return err
	}
	if err := e.krd.Limit(ctx, control.LimitRequest{Key: k.Fingerprint, Hosts: list}); err != nil {
		return err
	}
	if none {
		e.io.Sayf("%s is offered to all hosts.\n", term.CleanMax(k.label(), 128))
	} else {
		e.io.Sayf("%s is offered to %s only.\n", term.CleanMax(k.label(), 128), list)
	}
	return nil
}

// refusedType is the error of a service that does not take the key.
func refusedType(s upload.Service, k phoneKey) error {
	if why := s.Refuses(k.Type); why != "" {
		return &term.Problem{Err: errors.New(why + ", and " + term.CleanMax(k.label(), 128) + " is " + k.Type),
			Hints: []string{"take another one: --key, and kr key list", "a phone can make one more, as ssh-ed25519, and show it to this computer"}}
	}
	return nil
}
