package phoneterm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kryptonite/internal/knownhosts"
	"kryptonite/internal/phone"
	"kryptonite/internal/policy"
	"kryptonite/internal/term"
)

// Times of rules that a person does not give a time.
const (
	hostTime     = 3 * time.Hour
	computerTime = time.Hour
	blockTime    = time.Hour
)

// notMe is the answer to a request that was not the person's: it locks the computer.
const notMe = "l"

// errUnclear is an answer that is neither yes nor no.
var errUnclear = errors.New("answer y or n")

// parseAnswer reads what a person typed at a card: nothing, n or no; y or yes;
// h, c or b, with a time and a count if wanted ("h 30m 10").
func parseAnswer(line string, card phone.Card) (d phone.Decide, err error) {
	d = phone.Decide{Pairing: card.Pairing, Request: card.Request}
	words := strings.Fields(strings.ToLower(line))
	if len(words) == 0 {
		return d, nil
	}
	switch words[0] {
	case "n", "no":
	case "y", "yes":
		d.Allow = true
	case "h":
		d.Allow, d.Grant = true, policy.Grant{Scope: policy.Host, For: hostTime}
		err = whyNot(card.NoHostRule)
	case "c":
		d.Allow, d.Grant = true, policy.Grant{Scope: policy.Computer, For: computerTime}
		err = whyNot(card.NoComputerRule)
	case "b":
		d.Grant = policy.Grant{Scope: policy.Block, For: blockTime}
	default:
		return d, errUnclear
	}
	if err != nil {
		return d, err
	}
	if d.Grant.Scope == policy.Once {
		if len(words) > 1 {
			return d, errUnclear
		}
		return d, nil
	}
	for _, w := range words[1:] {
		if t, err := time.ParseDuration(w); err == nil {
			d.Grant.For = t
		} else if n, err := strconv.Atoi(w); err == nil {
			d.Grant.Count = n
		} else {
			return d, fmt.Errorf("%q is neither a time such as 30m nor a count", term.CleanMax(w, 20))
		}
	}
	return d, d.Grant.Check()
}

func whyNot(reason string) error {
	if reason == "" {
		return nil
	}
	return fmt.Errorf("no rule can be made of this one: %s; answer y or n", term.CleanMax(reason, 200))
}

// question asks about a card in one line, with the answers that it may get.
func question(c phone.Card, left time.Duration) string {
	more := ""
	if c.NoHostRule == "" {
		more += fmt.Sprintf(" · h = %s here for %s", term.CleanMax(c.User, 32), spell(hostTime))
	}
	if c.NoComputerRule == "" {
		more += fmt.Sprintf(" · c = all known hosts for %s", spell(computerTime))
	}
	computer := term.CleanMax(c.Computer, 32)
	return fmt.Sprintf("y = once%s · b = block %s for %s · %s = not me: lock %s · n\nAllow? [y/N] (%s left) ",
		more, computer, spell(blockTime), notMe, computer, left)
}

// spell is a time in words: "3 h", "45 min".
func spell(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// nameText says what the phone knows of the host's name, and what it only heard.
func nameText(c phone.Card) string {
	computer := term.CleanMax(c.Computer, 32)
	var parts []string
	switch {
	case c.HostName == "":
	case c.Known == knownhosts.Match:
		parts = append(parts, fmt.Sprintf("%s, pinned since %s", c.HostName, time.Unix(pinOf(c).Unix, 0).Format("2 Jan 2006")))
	case len(c.KnownAs) > 0:
		parts = append(parts, fmt.Sprintf("%s, as its key is known here", c.HostName))
	case c.Host.Fingerprint == "":
		parts = append(parts, fmt.Sprintf("%s, as %s says; the phone cannot check it", c.HostName, computer))
	default:
		parts = append(parts, fmt.Sprintf("%s, as %s says: NEW, its key is seen for the first time", c.HostName, computer))
	}
	if c.Called != "" {
		parts = append(parts, fmt.Sprintf("%s calls it %s", computer, c.Called))
	}
	also := slices.DeleteFunc(slices.Clone(c.KnownAs), func(n knownhosts.Name) bool { return n == c.HostName })
	for _, n := range also[:min(3, len(also))] {
		parts = append(parts, "its key is known as "+string(n))
	}
	return strings.Join(parts, "; ")
}

func pinOf(c phone.Card) knownhosts.Pin {
	for _, p := range c.Pins {
		if p.Fingerprint == c.Host.Fingerprint {
			return p
		}
	}
	return knownhosts.Pin{}
}

// ruleText is a rule in one line.
func ruleText(r policy.Rule, computer string, now time.Time) string {
	what := ""
	switch r.Scope {
	case policy.Host:
		what = fmt.Sprintf("%s may log in as %s at %s", computer, r.User, r.Name)
		if r.Name == "" {
			what = fmt.Sprintf("%s may log in as %s at %s", computer, r.User, r.HostKey)
		}
	case policy.Computer:
		what = computer + " may log in at all pinned hosts"
	case policy.Block:
		what = computer + " is blocked"
	}
	if r.Closed {
		what += ", also while the app is closed"
	}
	left := spell(time.Unix(r.Until, 0).Sub(now))
	if r.Counted {
		return fmt.Sprintf("%s: %s left, %d times", what, left, r.Left)
	}
	return fmt.Sprintf("%s: %s left", what, left)
}
