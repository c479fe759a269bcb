package cli

import (
	"context"
	"fmt"
	"time"

	"kryptonite/internal/control"
)

// longAgo is when a phone that nobody missed is worth a word.
const longAgo = 30 * 24 * time.Hour

// lookPhones looks at each phone, its channels, how it is woken, and its log.
func lookPhones(ctx context.Context, c *checkup) (out []fact) {
	st, err := c.krdStatus(ctx)
	if err != nil {
		return nil // as lookKrd says
	}
	if len(st.Phones) == 0 {
		return one(fact{name: "phone", state: factFail, code: codeNotPaired, text: "no phone is paired", fix: "kr pair"})
	}
	for _, p := range st.Phones {
		out = append(out, c.phone(p))
		out = append(out, channels(p)...)
		out = append(out, pushes(p)...)
		if text := logText(p.Log); text != "" {
			out = append(out, warn("log", "kr log verify", "%s: %s", p.Name, text)...)
		}
	}
	return out
}

func (c *checkup) phone(p control.Phone) fact {
	f := fact{name: "phone", state: factOK, text: p.Name + ": heard of " + ago(c.now().Sub(p.Heard))}
	switch {
	case !p.Locked.IsZero():
		f.state, f.code, f.fix = factFail, codeDeclined, unlockHint
		f.text = p.Name + " locked this computer " + ago(c.now().Sub(p.Locked)) + " and refuses everything"
	case p.Away:
		f.state, f.text, f.fix = factWarn, p.Name+" "+heard(p), "look whether it is on, and open its app"
	case c.now().Sub(p.Heard) > longAgo:
		f.state, f.fix = factWarn, "open its app; or, if it is no more: kr unpair "+p.ID
	case len(p.Keys) == 0:
		f.state, f.text, f.fix = factWarn, p.Name+" shows this computer no key", "show it one, on the phone"
	}
	return f
}

// channels are a phone's; it can be reached by any of them.
func channels(p control.Phone) (out []fact) {
	up := false
	for _, l := range p.Links {
		up = up || l.Connected || idle(l)
	}
	for _, l := range p.Links {
		f := fact{name: "channel", state: factOK, text: fmt.Sprintf("%s, %s: %s", p.Name, l.Name, linkText(l))}
		switch {
		case !up:
			f.state, f.code, f.fix = factFail, codeNoAnswer, "kr daemon logs; and is this computer online?"
		case !l.Connected && !idle(l) || l.LastError != "":
			f.state, f.fix = factWarn, "kr daemon logs"
		}
		out = append(out, f)
	}
	return out
}

// pushes are the ways in which a phone is woken.
func pushes(p control.Phone) (out []fact) {
	add := func(push control.Push, text string) {
		f := fact{name: "push", state: factOK, text: p.Name + ": " + text}
		switch push.State {
		case control.PushNone:
			f.state, f.fix = factWarn, "turn notifications on in its app"
		case control.PushFailing:
			f.state, f.fix = factWarn, "kr daemon logs"
		case control.PushGone:
			f.state, f.fix = factWarn, "open its app"
		}
		out = append(out, f)
	}
	sns := snsText(p.SNS)
	if text := pushText(p.Push); text != "" && (p.Push.State != control.PushNone || sns == "") {
		add(p.Push, text)
	}
	if sns != "" {
		add(p.SNS, channelSNS+": "+sns)
	}
	return out
}
