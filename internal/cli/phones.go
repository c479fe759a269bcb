package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/sshwire"
	"kryptonite/internal/term"
)

func (e *env) agentSocket() string { return filepath.Join(e.home, control.AgentSocket) }

func statusCmd(e *env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Show krd and the paired phones", Args: noArgs,
		Long: "Shows whether krd runs, which phones are paired, when each was last heard of, and\nhow its channels do.",
		RunE: func(c *cobra.Command, _ []string) error { return runStatus(c.Context(), e, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (schema_version 1)")
	return c
}

func runStatus(ctx context.Context, e *env, asJSON bool) error {
	st, err := e.krd.Status(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return e.printJSON(st)
	}
	return e.showStatus(st)
}

// showStatus prints st for people; phones and relays chose words in it.
func (e *env) showStatus(st control.Status) error {
	t := e.io
	t.Printf("krd %s, process %d, up %s\n", term.Clean(st.Version), st.PID, time.Since(st.Started).Round(time.Second))
	if o := st.OtherAgent; o != nil {
		t.Printf("other agent %s: %s\n", term.Clean(o.Path), otherText(o))
	}
	for _, u := range st.Untold {
		t.Printf("%s does not know yet that it is unpaired; krd tells it until %s\n",
			term.CleanMax(u.Name, 64), u.Until.Local().Format(time.DateTime))
	}
	if len(st.Phones) == 0 {
		t.Printf("no phone is paired; run: kr pair\n")
		return nil
	}
	w := tabwriter.NewWriter(t.Text(), 0, 0, 2, ' ', 0)
	for _, p := range st.Phones {
		row(w, "phone", term.CleanMax(p.Name, 64), "id "+p.ID)
		row(w, "  paired", p.Paired.Local().Format(time.DateTime), "")
		row(w, "  heard", heard(p), "")
		if !p.Locked.IsZero() {
			row(w, "  locked", lockedText(p)) // no cell of its own: it would make the column wide
		}
		for _, l := range p.Links {
			row(w, "  "+l.Name, linkText(l), "")
		}
		if text := pushText(p.Push); text != "" && (p.Push.State != control.PushNone || snsText(p.SNS) == "") {
			row(w, "  push", text)
		}
		if text := snsText(p.SNS); text != "" {
			row(w, "  "+channelSNS, text)
		}
		if text := logText(p.Log); text != "" {
			row(w, "  log", text) // no cell of its own: it would make the column wide
		}
		for _, k := range p.Keys {
			row(w, "  key", k.Fingerprint, keyText(k))
		}
	}
	return w.Flush()
}

// keyText names a key, and says what is special about a passkey.
func keyText(k control.Key) string {
	name := term.CleanMax(k.Name, 64)
	if k.Type == sshwire.KeyPasskey {
		return strings.TrimPrefix(name+", a passkey: logins need ssh 10.3", ", ")
	}
	return name
}

// passkeyNote says, beside the keys that were printed, what a passkey among them
// is good for, as far as it is known.
func (e *env) passkeyNote(keys []control.Key) {
	for _, k := range keys {
		if k.Type == sshwire.KeyPasskey {
			e.io.Sayf("\n%s is a passkey. Logins with it need ssh 10.3 or newer here and sshd 8.4 or\n"+
				"newer there; an older ssh is not offered it. git and ssh-keygen sign with it in any\n"+
				"version. Whether a forge takes its signatures is not known: try it before you rely on it.\n", term.Clean(k.Fingerprint))
		}
	}
}

func otherText(o *control.OtherAgent) string {
	switch {
	case !o.Reachable:
		return "it does not answer: " + term.CleanMax(o.LastError, 200)
	case o.Keys == 1:
		return "1 key"
	}
	return fmt.Sprintf("%d keys", o.Keys)
}

func row(w *tabwriter.Writer, cells ...string) {
	for i, c := range cells {
		if i > 0 {
			w.Write([]byte{'\t'})
		}
		w.Write([]byte(term.Clean(c)))
	}
	w.Write([]byte{'\n'})
}

func heard(p control.Phone) string {
	switch {
	case p.Away:
		return "it did not answer last time; not heard from since " + p.Heard.Local().Format(time.DateTime)
	}
	return ago(time.Since(p.Heard))
}

// unlockHint is what ends a lock.
const unlockHint = "unlock it on the phone: Computers > this computer > Unlock"

// lockedText says that a phone refuses all that this computer asks.
func lockedText(p control.Phone) string {
	return "it locked this computer " + p.Locked.Local().Format(time.DateTime) + " and refuses everything; " + unlockHint
}

// ago says how long ago something was, in the unit that matters.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return d.Round(time.Second).String() + " ago"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// pushText says how it stands with push; "" from a krd that does not know.
func pushText(p control.Push) string {
	switch p.State {
	case control.PushYes:
		return "yes, by " + term.CleanMax(p.Host, 64)
	case control.PushFailing:
		return "failing: " + term.CleanMax(p.LastError, 200)
	case control.PushGone:
		return "gone: the phone's subscription has ended; open its app"
	case control.PushNone:
		return "no: its app must be open"
	}
	return ""
}

// idle reports whether a channel connects only when something is asked, and nothing
// is wrong with that.
func idle(l control.Link) bool {
	return l.Name == channelBluetooth && !l.Connected && l.LastError == ""
}

// linkText says how a channel does: what it is now, what failed last, when it
// last worked, and how fast.
func linkText(l control.Link) string {
	text := "not connected"
	switch {
	case l.Connected && l.Mode != "":
		text = "connected by " + l.Mode
	case l.Connected:
		text = "connected"
	case idle(l):
		text = "connects when something is asked"
	}
	if l.Untold {
		text += ", the phone has not taken it yet"
	}
	if l.LastError != "" {
		text += ": " + term.CleanMax(l.LastError, 200)
	}
	if !l.LastOK.IsZero() {
		text += "; worked " + ago(time.Since(l.LastOK))
	}
	if l.TookMS > 0 {
		text += fmt.Sprintf(", a frame took %.1f ms", l.TookMS)
	}
	return text
}

func meCmd(e *env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "me", Short: "Print the SSH public keys on your phones", Args: noArgs,
		Long:    "Prints the public keys of the paired phones, one line each, as authorized_keys and\nforges want them.",
		Example: "  $ kr me >> authorized_keys",
		RunE:    func(c *cobra.Command, _ []string) error { return runMe(c.Context(), e, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON (schema_version 1)")
	return c
}

func runMe(ctx context.Context, e *env, asJSON bool) error {
	st, err := e.krd.Status(ctx)
	if err != nil {
		return err
	}
	var keys []control.Key
	for _, p := range st.Phones {
		keys = append(keys, p.Keys...)
	}
	if len(keys) == 0 {
		return noKey(st)
	}
	if asJSON {
		return e.printJSON(struct {
			SchemaVersion int           `json:"schema_version"`
			Keys          []control.Key `json:"keys"`
		}{control.SchemaVersion, keys})
	}
	for _, k := range keys {
		e.io.Printf("%s\n", k.AuthorizedKey)
	}
	e.passkeyNote(keys)
	return nil
}

func unpairCmd(e *env) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "unpair [PHONE]", Short: "End the pairing with a phone",
		Long: `Ends the pairing with a phone, by name or id; the name may be left out when there is
one phone. It takes effect here at once, and the phone is told. Public keys on
servers stay there: remove them where they stand.`,
		Example: "  $ kr unpair\n  $ kr unpair \"Ana's phone\" --yes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runUnpair(c.Context(), e, first(args...), yes)
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.ValidArgsFunction = e.completePhones
	return c
}

func runUnpair(ctx context.Context, e *env, name string, yes bool) error {
	if name == "" {
		st, err := e.krd.Status(ctx)
		if err != nil {
			return err
		}
		switch len(st.Phones) {
		case 0:
			return notPaired()
		case 1:
			name = st.Phones[0].ID
		default:
			return &term.Problem{Err: errors.New("several phones are paired; say which one"), Code: codeUsage, Hints: []string{"list them: kr status"}}
		}
	}
	if !yes {
		if !e.io.InTTY() {
			return &term.Problem{Err: errors.New("this would end a pairing, and there is no terminal to ask"), Code: codeUsage, Hints: []string{"add --yes"}}
		}
		ok, err := e.io.Confirm(ctx, "End this pairing? A login with that phone's key will not work from here any more.")
		if err != nil || !ok {
			return err
		}
	}
	out, err := e.krd.Unpair(ctx, name)
	if err != nil {
		return err
	}
	e.unpaired(out, "krd goes on trying for two days")
	return nil
}

// unpaired says what came of it; untold is what becomes of a phone that could
// not be told.
func (e *env) unpaired(out control.Unpaired, untold string) {
	e.io.Sayf("Unpaired from %s.\n", term.CleanMax(out.Phone.Name, 64))
	if !out.Told {
		e.io.Sayf("The phone could not be told yet; %s.\n", untold)
	}
	for _, k := range out.Phone.Keys {
		e.io.Sayf("This key still stands where you put it; remove it from servers and forges:\n")
		e.io.Printf("%s\n", k.AuthorizedKey)
	}
}
