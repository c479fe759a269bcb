package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/control"
	"kryptonite/internal/pairing"
	"kryptonite/internal/term"
)

const qrLife = 5 * time.Minute // how long krd waits for a scan

type pairOptions struct {
	name, relay string
	channels    []string // nil: all that are set
	noQR        bool
}

func pairCmd(e *env) *cobra.Command {
	var o pairOptions
	c := &cobra.Command{
		Use:   "pair",
		Short: "Pair this computer with your phone",
		Long: `Shows a QR code. Scan it with your phone, or paste the link into kr-phone pair. The
same two words appear here and on the phone; if they are equal, confirm on both.

Without a terminal the link is printed, and the two words that the phone shows
are read from stdin; anything else is a no.`,
		Example: "  $ kr pair\n  $ kr pair --name build-server --no-qr",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runPair(c.Context(), e, o) },
	}
	c.Flags().StringVar(&o.name, "name", "", "how your phone lists this computer (default its host name)")
	c.Flags().StringVar(&o.relay, "relay", "", "relay to use instead of the configured one")
	c.Flags().StringSliceVar(&o.channels, "channel", nil, "use only these of the channels that are set up: relay, sqs, bluetooth")
	c.Flags().BoolVar(&o.noQR, "no-qr", false, "print a link instead of a QR code")
	return c
}

// noRelayHints are the README's ways to a relay.
var noRelayHints = []string{
	"is there one? kr config set relay https://relay.example.com",
	"an Android phone on a USB cable: kr-relay, then adb reverse tcp:8080 tcp:8080, and here kr config set relay http://localhost:8080",
	"a small server with a name: kr-relay --domain relay.example.com",
	"any https tunnel or web server: kr-relay --behind-proxy --origin https://relay.example.com",
	"without a phone, on this machine only: kr-relay, and kr config set relay http://localhost:8080",
}

func runPair(ctx context.Context, e *env, o pairOptions) error {
	cfg, err := e.readConfig()
	if err != nil {
		return err
	}
	req := control.PairRequest{Name: first(o.name, cfg.Name, hostname()), Relay: first(o.relay, cfg.Relay)}
	req.App = first(cfg.App, req.Relay)
	if req.SQS, err = o.sqs(cfg); err != nil {
		return err
	}
	if req.Bluetooth, err = o.bluetooth(cfg); err != nil {
		return err
	}
	if !o.uses(channelRelay) {
		req.Relay = ""
	}
	switch {
	case req.Relay == "" && (req.SQS != nil || req.Bluetooth) && req.App == "":
		return &term.Problem{Err: errors.New("without a relay the link needs an address of the phone app, although kr-phone does not open it"), Code: codeUsage,
			Hints: []string{"set one: kr config set app https://app.example.com"}}
	case req.Relay == "" && req.SQS == nil && !req.Bluetooth:
		return &term.Problem{Err: errors.New("no relay is set: computer and phone need a place to meet"), Code: codeUsage,
			Hints: noRelayHints}
	}
	if req.Relay == "" && req.SQS == nil {
		if err := checkBluetooth(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &pairer{e: e, o: o}
	err = e.krd.Pair(ctx, req, func(ev control.PairEvent) error { return p.event(ctx, cancel, ev) })
	p.stopClock()
	cancel(nil) // nobody has to answer any more
	if p.asked {
		<-p.answered
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &term.Problem{Err: errors.New("krd went away during the pairing; the code is burned"), Hints: []string{"kr daemon start, then kr pair again"}}
	}
	return err
}

// uses reports whether a channel is to be used, if it is set up.
func (o pairOptions) uses(channel string) bool {
	return o.channels == nil || slices.Contains(o.channels, channel)
}

// sqs is how SQS is to be used; nil: not at all.
func (o pairOptions) sqs(cfg config) (*control.SQS, error) {
	wrong := func(format string, args ...any) (*control.SQS, error) {
		return nil, &term.Problem{Err: fmt.Errorf(format, args...), Code: codeUsage, Hints: []string{"list the channels: kr channel list"}}
	}
	for _, c := range o.channels {
		if c != channelRelay && c != channelSQS && c != channelBluetooth {
			return wrong("there is no channel %q", c)
		}
	}
	switch {
	case !o.uses(channelSQS):
		return nil, nil
	case slices.Contains(o.channels, channelSQS) && cfg.SQS == nil:
		return wrong("sqs is not set up: kr channel add sqs")
	}
	return cfg.SQS, nil
}

// hostname is how this computer calls itself when nobody says another name.
func hostname() string {
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "computer"
}

func first(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}

// pairer shows a pairing to the person.
type pairer struct {
	e        *env
	o        pairOptions
	clock    context.CancelFunc
	ticked   chan struct{}
	asked    bool
	answered chan struct{}
}

func (p *pairer) event(ctx context.Context, cancel context.CancelCauseFunc, ev control.PairEvent) error {
	switch {
	case ev.Link != "":
		p.showLink(ctx, ev.Link)
	case ev.Words != "":
		p.stopClock()
		p.asked, p.answered = true, make(chan struct{})
		go func() {
			defer close(p.answered)
			if err := p.ask(ctx, ev.Words); err != nil {
				cancel(err)
			}
		}()
	case ev.Phone != nil:
		p.paired(ctx, *ev.Phone)
	}
	return nil
}

// showLink draws the QR code where it fits, and prints the link otherwise.
func (p *pairer) showLink(ctx context.Context, link string) {
	t := p.e.io
	qr, err := term.NewQR(link)
	if err != nil || p.o.noQR || !t.OutTTY() {
		t.Printf("%s\n", link)
		p.countdown(ctx)
		return
	}
	cols, rows := qr.Size()
	if w, h, ok := t.Size(); ok && (w < cols || h < rows+1) {
		t.Sayf("The QR code needs %d columns and %d lines; this terminal has %d and %d. The link:\n\n", cols, rows+1, w, h)
		t.Printf("%s\n", link)
		p.countdown(ctx)
		return
	}
	t.Draw(qr.Lines())
	p.countdown(ctx)
}

// countdown shows the time left on a terminal, once a second, in words.
func (p *pairer) countdown(ctx context.Context) {
	t := p.e.io
	if !t.ErrTTY() {
		return
	}
	ctx, p.clock = context.WithCancel(ctx)
	p.ticked = make(chan struct{})
	line := t.Progress()
	end := time.Now().Add(qrLife)
	go func() {
		defer close(p.ticked)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			line.Show(fmt.Sprintf("Scan it with your phone … %s left", time.Until(end).Round(time.Second)))
			select {
			case <-tick.C:
			case <-ctx.Done():
				line.Done("")
				return
			}
		}
	}()
}

func (p *pairer) stopClock() {
	if p.clock != nil {
		p.clock()
		<-p.ticked
		p.clock = nil
	}
}

// ask takes the person's answer to the two words and tells krd.
func (p *pairer) ask(ctx context.Context, words string) error {
	t := p.e.io
	var same bool
	var err error
	if t.InTTY() {
		same, err = t.Confirm(ctx, fmt.Sprintf("Does your phone show %q?", words))
	} else {
		t.Sayf("words: %s\n", words)
		var typed string
		typed, err = t.ReadLine(ctx)
		same = err == nil && pairing.SameWords(typed, words)
		if errors.Is(err, io.EOF) {
			err = nil // the end of input is a no
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // the pairing ended by itself
		}
		return err
	}
	if same {
		t.Sayf("Waiting for Pair on the phone …\n")
	}
	err = p.e.krd.Answer(ctx, words, same)
	if ctx.Err() != nil || errors.As(err, new(*control.Error)) {
		return nil // the pairing ended by itself, and krd says why
	}
	return err
}

func (p *pairer) paired(ctx context.Context, phone control.Phone) {
	t := p.e.io
	t.Sayf("\nPaired with %s. Its SSH public key:\n\n", term.CleanMax(phone.Name, 64))
	for _, k := range phone.Keys {
		t.Printf("%s\n", k.AuthorizedKey)
	}
	p.e.passkeyNote(phone.Keys)
	t.Sayf("\nNext: put it on a server, or a forge; kr does it for you:\n\n" +
		"  $ kr key add-host root@server.example\n  $ kr key add-to github\n\nAnd let ssh ask your phone:\n\n")
	if p.e.needsSetup(ctx) {
		t.Sayf("  $ kr setup            # or, for once: SSH_AUTH_SOCK=%s ssh …\n", shellQuoted(p.e.agentSocket()))
	}
	t.Sayf("  $ ssh root@server.example\n")
}
