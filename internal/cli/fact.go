package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"kryptonite/internal/control"
	"kryptonite/internal/term"
	"kryptonite/internal/version"
)

// fact is one thing that kr check looked at.
type fact struct {
	name  string // of its kind; --json has it, so it stays
	state factState
	text  string // what was seen, for people; it may hold words from outside
	fix   string // what to type; "" where there is nothing to be done
	code  int    // kr's exit code if this fails; 0: 1

	// mend is what --fix does instead of the person; nil: nothing. It makes
	// nothing that the person has not agreed to before, by kr setup.
	mend   func(context.Context) error
	did    string // what mend does, in words for afterwards
	mended bool   // it has
}

type factState string

const (
	factOK   factState = "ok"
	factWarn factState = "warn" // it works, and not as well as it could
	factFail factState = "fail" // logins do not work, or somebody could harm them
)

// look looks at one thing, or at one of each phone. It returns no fact where
// there is nothing to look at, or where an earlier fact says why it cannot.
type look func(context.Context, *checkup) []fact

// looks are all, in the order in which one stands on another.
func looks() []look {
	return []look{
		lookState, lookDisk, lookDamaged, lookSettings, lookService, lookKrd, lookSocket,
		lookSSH, lookSSHConfig, lookAuthSock, lookOtherAgent, lookEnvironment,
		lookRelay, lookBluetooth, lookPhones, lookApp,
	}
}

// checkup is one run of kr check. What several facts stand on is asked once.
type checkup struct {
	*env
	now      func() time.Time
	patience time.Duration // for one answer of krd, or of a server
	asksSSH  bool          // krd here asks an ssh for its version

	asked  bool
	status control.Status
	err    error // of status

	relayDown bool // lookRelay got no answer
}

const checkPatience = 10 * time.Second

func newCheckup(e *env) *checkup {
	return &checkup{env: e, now: time.Now, patience: checkPatience, asksSSH: runtime.GOOS != "darwin"}
}

// statusWithin asks krd, which may hang.
func (e *env) statusWithin(ctx context.Context, patience time.Duration) (control.Status, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	st, err := e.krd.Status(within)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %s", patience)
	}
	return st, err
}

// krdStatus asks krd, once.
func (c *checkup) krdStatus(ctx context.Context) (control.Status, error) {
	if !c.asked {
		c.status, c.err = c.statusWithin(ctx, c.patience)
		c.asked = true
	}
	return c.status, c.err
}

// run looks at everything, and with fix mends what can be mended and looks
// again. each is called for each fact as soon as it is known.
func (c *checkup) run(ctx context.Context, all []look, fix bool, each func(fact)) (found []fact, err error) {
	for _, l := range all {
		facts := l(ctx, c)
		if fix {
			facts = c.mend(ctx, l, facts)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for _, f := range facts {
			each(f)
		}
		found = append(found, facts...)
	}
	return found, nil
}

// mend mends the facts of a look that can be mended, and returns what is then.
func (c *checkup) mend(ctx context.Context, l look, facts []fact) []fact {
	done, failed := map[string]fact{}, map[string]error{}
	for _, f := range facts {
		if f.mend == nil {
			continue
		}
		if err := f.mend(ctx); err != nil {
			failed[f.name] = err
		} else {
			done[f.name] = f
		}
	}
	if len(done)+len(failed) == 0 {
		return facts
	}
	c.asked = false
	facts = l(ctx, c)
	for i := range facts {
		f := &facts[i]
		if before, ok := done[f.name]; ok {
			f.did, f.mended = before.did, true
		}
		if err := failed[f.name]; err != nil && f.state != factOK {
			f.text += ": it was not mended: " + err.Error()
		}
	}
	return facts
}

// worst is the worst state of facts.
func worst(facts []fact) factState {
	out := factOK
	for _, f := range facts {
		if f.state == factFail || f.state == factWarn && out == factOK {
			out = f.state
		}
	}
	return out
}

// show prints one fact: a line, and one more for what was mended.
func (c *checkup) show(f fact) {
	if f.mended {
		c.io.Printf("mended  %s\n", term.CleanMax(f.did, 500))
	}
	line := fmt.Sprintf("%-6s  %-11s  %s", f.state, strings.ReplaceAll(f.name, "_", " "), term.CleanMax(f.text, 500))
	if f.fix != "" {
		line += "; to mend it: " + term.CleanMax(f.fix, 300)
	}
	c.io.Printf("%s\n", line)
}

// result is the error that gives the exit code, that of the first fact that
// fails: others often follow from it.
func result(facts []fact, fix bool) error {
	failed, mendable := 0, 0
	p := &term.Problem{}
	for _, f := range facts {
		if f.state == factFail {
			if failed++; failed == 1 {
				p.Code = f.code
			}
		}
		if f.mend != nil {
			mendable++
		}
	}
	if !fix && mendable > 0 {
		p.Hints = []string{fmt.Sprintf("to have %d of it mended: kr check --fix", mendable)}
	}
	switch failed {
	case 0:
		return nil
	case 1:
		p.Err = errors.New("one thing is wrong; its line says what to do")
	default:
		p.Err = fmt.Errorf("%d things are wrong; their lines say what to do", failed)
	}
	return p
}

type factsJSON struct {
	SchemaVersion int        `json:"schema_version"`
	Version       string     `json:"version"`
	Result        factState  `json:"result"`
	Facts         []factJSON `json:"facts"`
}

type factJSON struct {
	Name    string    `json:"name"`
	State   factState `json:"state"`
	Text    string    `json:"text"`
	Fix     string    `json:"fix,omitempty"`
	Mending bool      `json:"fixable,omitempty"`
	Did     string    `json:"fixed,omitempty"`
}

func jsonFacts(facts []fact) factsJSON {
	out := factsJSON{SchemaVersion: control.SchemaVersion, Version: version.String(), Result: worst(facts), Facts: []factJSON{}}
	for _, f := range facts {
		j := factJSON{Name: f.name, State: f.state, Text: f.text, Fix: f.fix, Mending: f.mend != nil}
		if f.mended {
			j.Did = f.did
		}
		out.Facts = append(out.Facts, j)
	}
	return out
}

// one, okay and warn are what most looks return.
func one(f fact) []fact { return []fact{f} }

func okay(name, format string, args ...any) []fact {
	return one(fact{name: name, state: factOK, text: fmt.Sprintf(format, args...)})
}

func warn(name, fix, format string, args ...any) []fact {
	return one(fact{name: name, state: factWarn, fix: fix, text: fmt.Sprintf(format, args...)})
}
