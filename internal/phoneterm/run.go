package phoneterm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kryptonite/internal/cmdline"
	"kryptonite/internal/knownhosts"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/term"
	"kryptonite/internal/wire"
)

func runCmd(e *env) *cobra.Command {
	var approve string
	c := &cobra.Command{
		Use:   "run",
		Short: "Wait for requests and ask you about each",
		Long: `Wait for requests of paired computers. For each it shows who wants to log in where
and how far that is proved, and signs only when you answer y.`,
		Example: "  $ kr-phone run",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			mode, err := parseApprove(c, approve)
			if err != nil {
				return err
			}
			return e.work(c.Context(), mode, nil, nil)
		},
	}
	approveFlag(c, &approve)
	return c
}

func approveFlag(c *cobra.Command, approve *string) {
	c.Flags().StringVar(approve, "approve", "ask", "for scripts: always or never instead of asking")
}

func parseApprove(c *cobra.Command, approve string) (phone.Approve, error) {
	mode, ok := map[string]phone.Approve{
		"ask": phone.ApproveAsk, "always": phone.ApproveAlways, "never": phone.ApproveNever}[approve]
	if !ok {
		return mode, cmdline.Usage(c, fmt.Errorf("--approve is %q, not always, never or ask", approve))
	}
	return mode, nil
}

// work is the phone until ctx ends, or, from when over comes on, until nothing
// waits for the person any more. A frame that a push brought comes first; nil: none
// did.
func (e *env) work(ctx context.Context, approve phone.Approve, frame []byte, over <-chan time.Time) error {
	o, err := open()
	if err != nil {
		return err
	}
	defer o.close()
	log, err := e.logger()
	if err != nil {
		return err
	}
	if err := e.unlock(o); err != nil {
		return err
	}
	core, err := o.core(approve)
	if err != nil {
		return err
	}
	p := &prompter{e: e, cards: make(chan phone.Effect, 256), over: over}
	r := newRunner(core, o.journal, o.keys, p.show, log)
	ctx, end := r.begin(ctx)
	e.io.Printf("ready: %s\n", counted(len(core.Computers()), "paired computer"))
	err = e.register(ctx, r)
	if err == nil && frame != nil {
		err = r.post(ctx, phone.Frame{Data: frame})
	}
	if err == nil || ctx.Err() != nil {
		err = nil
		p.loop(ctx, r)
	}
	return end(err)
}

// prompter shows one card at a time and asks about it.
type prompter struct {
	e     *env
	cards chan phone.Effect
	queue []phone.Card
	drawn time.Time // when the card at the head of queue was shown; zero: it was not
	over  <-chan time.Time
}

// tooSoon is how long after a card is shown an answer at a terminal was meant
// for the one before.
const tooSoon = 400 * time.Millisecond

// show takes what the core wants to be seen. It never waits.
func (p *prompter) show(e phone.Effect) {
	select {
	case p.cards <- e:
	default: // 256 unseen: the requests expire by themselves
	}
}

// loop asks about one card after the other until ctx ends, or the phone's time is
// over.
func (p *prompter) loop(ctx context.Context, r *runner) {
	lines := make(chan string)
	go p.readLines(ctx, lines)
	for over := false; !over || len(p.queue) > 0; {
		p.head()
		select {
		case eff := <-p.cards:
			p.take(eff)
		case s := <-lines:
			if len(p.queue) == 0 {
				p.command(ctx, r, s)
			} else {
				p.answer(ctx, r, s)
			}
		case <-p.over:
			over = true
		case <-ctx.Done():
			return
		}
	}
}

// head shows the card at the head of the queue, once.
func (p *prompter) head() {
	if len(p.queue) > 0 && p.drawn.IsZero() {
		p.draw(p.queue[0])
		p.drawn = time.Now()
	}
}

// answer takes a line that was typed at the card at the head of the queue. It is
// about no card that was not shown.
func (p *prompter) answer(ctx context.Context, r *runner, line string) {
	if p.drawn.IsZero() {
		return
	}
	card := p.queue[0]
	if p.e.io.InTTY() && time.Since(p.drawn) < tooSoon {
		p.e.io.Printf("That came too soon to be about this one. Allow? [y/N] ")
		return
	}
	if strings.EqualFold(strings.TrimSpace(line), notMe) { // its cards are withdrawn by that
		p.command(ctx, r, "lock "+card.Pairing)
		return
	}
	d, err := parseAnswer(line, card)
	if err != nil {
		p.e.io.Printf("%v. Allow? [y/N] ", err)
		return
	}
	p.turn(card.Pairing)
	if err := r.post(ctx, d); err != nil {
		return
	}
	switch {
	case d.Allow && d.Grant.Scope != policy.Once:
		p.e.io.Printf("allowed, and for %s from now on\n", spell(d.Grant.For))
	case d.Allow:
		p.e.io.Printf("allowed\n")
	case d.Grant.Scope == policy.Block:
		p.e.io.Printf("rejected, and blocked for %s\n", spell(d.Grant.For))
	default:
		p.e.io.Printf("rejected\n")
	}
}

// turn takes the card away that was answered. Another computer's card comes before more
// of this one's: who asks a thousand times hides nobody.
func (p *prompter) turn(answered string) {
	p.remove(0)
	if i := slices.IndexFunc(p.queue, func(c phone.Card) bool { return c.Pairing != answered }); i > 0 {
		other := p.queue[i]
		p.queue = slices.Insert(slices.Delete(p.queue, i, i+1), 0, other)
	}
}

// remove takes a card out of the queue. What is then at its head is shown anew.
func (p *prompter) remove(i int) {
	if i == 0 {
		p.drawn = time.Time{}
	}
	p.queue = slices.Delete(p.queue, i, i+1)
}

const commandHelp = `rules            what you allowed for a while
revoke ID|all    end a rule, or all
hosts            the servers that this phone knows
forget NAME      forget a server: its next login is its first
trust NAME KEY   pin a host key that was refused; KEY is its fingerprint
forward NAME     be asked about logins that this computer forwards
unforward NAME   refuse them again
lock NAME        refuse everything that this computer asks
unlock NAME      let it ask again
`

// command takes a line that was typed while nothing is asked.
func (p *prompter) command(ctx context.Context, r *runner, line string) {
	words := strings.SplitN(strings.TrimSpace(line), " ", 2) // names of computers may hold spaces
	if words[0] == "" {
		return
	}
	var ev phone.Event
	done := ""
	err := r.look(ctx, func(core *phone.Core) (err error) {
		do := changes()[words[0]]
		switch {
		case words[0] == "rules":
			return listRules(p.e.io, core)
		case words[0] == "hosts":
			listHosts(p.e.io, core)
		case do != nil && len(words) == 2:
			ev, done, err = do(core, words[1])
		default:
			p.e.io.Printf("%s", commandHelp)
		}
		return err
	})
	if err == nil && ev != nil {
		err = r.post(ctx, ev)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		p.e.io.Printf("%s\n", term.Clean(err.Error()))
	case err == nil && done != "":
		p.e.io.Printf("%s\n", done)
	}
}

// readLines passes on what the person types; it ends with ctx or the input.
func (p *prompter) readLines(ctx context.Context, out chan<- string) {
	for {
		s, err := p.e.io.ReadLine(ctx)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return
		}
		if err != nil {
			continue
		}
		select {
		case out <- s:
		case <-ctx.Done():
			return
		}
	}
}

func (p *prompter) take(eff phone.Effect) {
	switch eff := eff.(type) {
	case phone.Ask:
		for _, c := range p.queue {
			if c.Request == eff.Card.Request && c.Pairing == eff.Card.Pairing {
				return
			}
		}
		p.queue = append(p.queue, eff.Card)
	case phone.Withdraw:
		for i, c := range p.queue {
			if c.Request == eff.Request && c.Pairing == eff.Pairing {
				p.remove(i)
				p.e.io.Printf("\n%s: no answer is needed any more (%s)\n", term.Clean(describe(c)), reason(eff.Why))
				break
			}
		}
	case phone.Alarm:
		p.alarm(eff)
	case phone.Note:
		p.note(eff)
	}
}

func reason(c wire.Code) string {
	switch c {
	case wire.CodeCancelled:
		return "the computer withdrew it"
	case wire.CodeExpired:
		return "its time is over"
	case wire.CodeLocked:
		return "refused, the computer is locked"
	case wire.CodeRejected:
		return "rejected"
	case "":
		return "signed"
	}
	return "not signed"
}

// alarm tells of a request that was refused without a question.
func (p *prompter) alarm(a phone.Alarm) {
	computer := term.CleanMax(a.Card.Computer, 64)
	what := describe(a.Card)
	if a.Card.Namespace == "" {
		what = "to " + what
	}
	p.e.io.Printf("\nREFUSED: %s wants %s: %s.\n", computer, term.CleanMax(what, 80), term.CleanMax(a.Reason, 600))
	switch {
	case a.Code == wire.CodeForwarded:
		p.e.io.Printf("To be asked about what it forwards, type: forward %s\n", computer)
	case a.Card.Known == knownhosts.Downgraded:
		p.e.io.Printf("If that server is older now on purpose, type: forget %s\n", term.CleanMax(string(a.Card.HostName), 300))
	case a.Card.Name != "":
		p.e.io.Printf("If that server was rebuilt, and who runs it says that this is its key, type: trust %s %s\n", term.CleanMax(string(a.Card.Name), 300), term.CleanMax(a.Card.Host.Fingerprint, 64))
	}
}

func (p *prompter) note(n phone.Note) {
	name := term.CleanMax(n.Computer, 64)
	switch n.Kind {
	case phone.NoteLive:
		p.e.io.Printf("%s uses this phone\n", name)
	case phone.NoteUnpaired:
		p.e.io.Printf("%s has unpaired\n", name)
	case phone.NoteTold:
		p.e.io.Printf("%s has been told that it is unpaired\n", name)
	case phone.NoteRefused:
		p.e.io.Printf("%s gave the pairing up\n", name)
	case phone.NoteSigned:
		if n.Rule != "" {
			name += ", by rule " + term.CleanMax(n.Rule, 32)
		}
		p.e.io.Printf("signed for %s\n", name)
	case phone.NoteLogDamaged:
		p.e.sayLogDamaged(n)
	case phone.NoteUntrusted:
		p.e.io.Printf("no host key was pinned: %s\n", term.Clean(n.Err.Error()))
	case phone.NoteUnheard:
		p.e.io.Printf("%s had stopped waiting: the last signature came too late\n", name)
	case phone.NoteSkew:
		p.e.io.Printf("a request of %s was refused: the clocks do not agree\n", name)
	}
}
